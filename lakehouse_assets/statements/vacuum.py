"""
Vacuum: data files that nobody needs any more are deleted.

A file is needed while the newest version has it, while a version that a long read holds has it, and for the hours of
retention after a commit took it out of the table. What no commit knows may be on its way into one: it goes when it is
a day old, and not even then while somebody who began before stages files.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import unquote

from lakehouse_assets import layout
from lakehouse_assets.errors import StorageError
from lakehouse_assets.model.times import from_iso, now_utc
from lakehouse_assets.statements.datafiles import Snapshot
from lakehouse_assets.statements.journal import Journal
from lakehouse_assets.statements.table import StatementTable
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

LEFT_OVER = timedelta(hours=24)
"""So old is a file that no commit knows before it counts as left over: an import does not take longer."""


@dataclass(frozen=True)
class Vacuumed:
    """What a vacuum deleted, or would delete: data files with their size, and temp files."""

    files: tuple[str, ...] = ()
    bytes: int = 0
    swept: tuple[str, ...] = ()


def vacuum(
    dataset: Location,
    table: StatementTable,
    leases: Leases,
    *,
    retention_hours: int = 0,
    dry_run: bool = False,
) -> Vacuumed:
    """
    Delete the data files that no version needs which is live, held by a reader, or younger than the retention.

    With `dry_run` they are only listed.
    """
    if dry_run:
        found = find_unneeded(table, leases, retention_hours=retention_hours)
        return Vacuumed(tuple(found), _bytes(table.location, found))
    with leases.exclusive("vacuum") as lease:
        found = find_unneeded(table, leases, retention_hours=retention_hours)
        size = _bytes(table.location, found)
        lease.check()
        for key in found:
            table.location.delete(key)
        swept = sweep(dataset, leases)
    return Vacuumed(tuple(found), size, tuple(swept))


def sweep(dataset: Location, leases: Leases) -> list[str]:
    """Remove what dead writers left: temp files, open uploads, and rows of the journal that they never confirmed."""
    swept = dataset.sweep(older=LEFT_OVER)
    for token in Journal(dataset).left_over(_before(leases, LEFT_OVER)):
        log.info("removing rows of the journal that nobody confirmed: %s", token)
        dataset.delete_tree(layout.journal_rows(token))
        swept.append(layout.journal_rows(token))
    return swept


def find_unneeded(table: StatementTable, leases: Leases, *, retention_hours: int = 0) -> list[str]:
    """The data files that a vacuum would delete, by their keys in the table's folder."""
    # first the version, then the readers' marks: whoever marks later reads this version or a newer one
    snapshot = table.snapshot()
    if snapshot is None:
        return []
    removed, over = table.removed(hours=0), table.removed(hours=retention_hours)
    present = {key for key in table.location.keys() if _is_data_file(key)}  # noqa: SIM118
    needed = {file.key for file in snapshot.files}
    try:
        for version in _held_versions(leases, snapshot):
            needed |= table.files_at(version)
    except StorageError as exc:
        log.warning("nothing is deleted while somebody reads a version whose files are unknown: %s", exc)
        return []
    left = _left_over(table.location, leases, sorted(present - needed - removed), hours=retention_hours)
    if left and retention_hours:
        # checkpoints forget after a week what was removed: the log itself does not
        left -= set(_removed_since(table.location, now_utc() - timedelta(hours=retention_hours)))
    return sorted((over | left) & present - needed)


def _held_versions(leases: Leases, snapshot: Snapshot) -> list[int]:
    """Versions that long reads are reading now."""
    details = [mark.details for mark in leases.marks(layout.READERS)]
    versions = {int(one["version"]) for one in details if one.get("table") == snapshot.table_id}
    return sorted(version for version in versions if version < snapshot.version)


def _left_over(table: Location, leases: Leases, keys: Sequence[str], *, hours: int) -> set[str]:
    """Those of files unknown to the table that nobody will commit any more."""
    if not keys:
        return set()
    before = _before(leases, max(LEFT_OVER, timedelta(hours=hours)))
    return {key for key in keys if _is_older(table, key, before)}


def _before(leases: Leases, age: timedelta) -> datetime:
    """What was written before then, nobody who is alive has at work; it is so old at least."""
    began = [from_iso(mark.taken) for mark in leases.marks(layout.STAGING)]
    return min([now_utc() - age, *(start for start in began if start is not None)])


def _is_older(table: Location, key: str, before: datetime) -> bool:
    modified = table.modified(key)
    return modified is not None and modified < before


def _removed_since(table: Location, when: datetime) -> Iterator[str]:
    """Files that commits since then took out of the table, as their log entries say."""
    limit = when.timestamp() * 1000
    for key in table.keys("_delta_log"):
        if not key.endswith(".json") or _is_older(table, key, when):
            continue
        for line in table.read(key).splitlines():
            removal = json.loads(line).get("remove")
            # a removal without a time is none that may be forgotten
            if removal is not None and removal.get("deletionTimestamp", limit) >= limit:
                yield unquote(removal["path"])


def _is_data_file(key: str) -> bool:
    return key.endswith(".parquet") and not key.startswith("_")


def _bytes(table: Location, keys: Sequence[str]) -> int:
    return sum(table.size(key) or 0 for key in keys)
