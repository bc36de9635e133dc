"""Checks of the journal: whether it is flushed in time, and whether what was confirmed is there."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.findings import Finding, Row
from lakehouse_assets.operations.repositories import Repositories
from lakehouse_assets.statements.journal import segment_files

JOURNAL = "journal"
"""The name of the asset."""

_MOST_NAMED = 20
# the look of the sensor, the start of the run, and those that queue before it
_COURTESY = timedelta(minutes=5)


def _is_latest(parts: Repositories) -> Finding:
    """Whether nothing waits much longer than the settings say."""
    waiting = parts.store.journal.waiting()
    metadata: dict[str, int | float | str] = {
        "why": "nothing waits",
        "segments": len(waiting),
        "rows": sum(segment.rows for segment in waiting),
    }
    if not waiting:
        return Finding(True, metadata)
    age = now_utc() - waiting[0].at
    metadata["why"] = f"the oldest of {len(waiting)} segments waits for {age.total_seconds():.0f} s"
    metadata["oldest"] = waiting[0].at.isoformat()
    return Finding(age <= timedelta(seconds=parts.settings.journal_seconds) + _COURTESY, metadata)


def _is_intact(parts: Repositories) -> Finding:
    """Whether the data files of each segment are there, in the size that they were written in."""
    journal = parts.store.journal
    table: list[Row] = []
    files = 0
    for waiting in journal.waiting():
        segment = journal.segment(waiting.name)
        if segment is None:
            # flushed meanwhile
            continue
        for key, size in segment_files(segment):
            files += 1
            found = journal.rows.size(key)
            if found != size and journal.segment(waiting.name) is not None:
                reason = "it is gone" if found is None else f"it has {found} bytes instead of {size}"
                table.append({"file": key, "written": waiting.at.isoformat(), "reason": reason})
    return Finding(not table, {"files": files, "bad": len(table)}, table[:_MOST_NAMED])


CHECKS: Mapping[str, Callable[[Repositories], Finding]] = {"is_latest": _is_latest, "intact": _is_intact}
"""The checks of the journal, by name."""

MENDS = {
    "is_latest": "`lakehouse flush -d {dataset}`",
    "intact": "put the files back from a backup, or remove the segment's .json to give its rows up",
}
"""What helps when one fails."""
