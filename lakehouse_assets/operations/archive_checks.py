"""Checks of the archive: whether it changed unnoticed, and whether its bytes are those that came in."""

from collections.abc import Callable, Mapping

from lakehouse_assets.archive.summary import list_archive, recorded
from lakehouse_assets.archive.verify import inspect
from lakehouse_assets.operations.crawling.states import crawl_states
from lakehouse_assets.operations.findings import Finding, Row
from lakehouse_assets.operations.repositories import Repositories

ARCHIVE = "archive"
"""The name of the asset."""

MOST_BYTES = 20_000_000_000
"""So much of an archive is read by its check, another part each time: some minutes on a disk."""

_MOST_NAMED = 20
_DIGITS = 12


def _is_latest(parts: Repositories) -> Finding:
    """Whether no file came or went since they were last counted, by whatever program."""
    known, version = recorded(parts.location), parts.archive.version()
    metadata: dict[str, int | float | str] = {"version": version}
    if known is None:
        return Finding(True, {"why": "never counted", **metadata})
    metadata["counted"] = known.rows
    if known.digest == version:
        return Finding(True, {"why": "no file came or went since they were counted", **metadata})
    files = list_archive(parts.location).files
    why = f"there are {files:,} files, where {known.rows:,} were counted"
    if files == known.rows:
        why = f"there are other files than the {known.rows:,} that were counted"
    return Finding(False, {"why": why, "files": files, **metadata})


def _is_intact(parts: Repositories) -> Finding:
    """Whether every content that is known is there, and its bytes are those that its name says."""
    report = inspect(parts.location, most_bytes=MOST_BYTES)
    missing = list_archive(parts.location).missing if not report.complete else []
    bad = dict(report.bad) | {checksum: "it is gone" for checksum in missing}
    metadata: dict[str, int | float | str] = {
        "contents": report.blobs,
        "bytes": report.bytes,
        "bad": len(bad),
        "read": "all" if report.complete else "a part; `lakehouse archive verify` reads all",
    }
    table: list[Row] = [
        {"checksum": checksum, "path": _path(parts, checksum), "reason": reason}
        for checksum, reason in sorted(bad.items())[:_MOST_NAMED]
    ]
    return Finding(not bad, metadata, table)


def _is_finished(parts: Repositories) -> Finding:
    """Whether every source was crawled to its end, or is being crawled now."""
    states = crawl_states(parts.location)
    bad = [state for state in states if state.left or state.problem is not None]
    table: list[Row] = [
        {
            "source": state.source or state.job,
            "state": state.problem or ("left half done" if state.left else state.status),
            "generation": state.generation,
            "hash": state.hash[:_DIGITS],
            "updated": state.updated_at or "never",
        }
        for state in states
    ]
    return Finding(not bad, {"sources": len(states), "unfinished": len(bad)}, table)


def _path(parts: Repositories, checksum: str) -> str:
    return ", ".join(file.key for file in parts.archive.get_all_files(checksum)) or "no path"


CHECKS: Mapping[str, Callable[[Repositories], Finding]] = {
    "is_latest": _is_latest,
    "intact": _is_intact,
    "unfinished_state": _is_finished,
}
"""The checks of the archive, by name."""

MENDS = {
    "is_latest": "`lakehouse archive verify -d {dataset}`, if nobody should have changed it",
    "intact": "`lakehouse archive verify -d {dataset}`, then crawl the files again",
    "unfinished_state": "`lakehouse crawl -d {dataset}` with the source; it goes on from there",
}
"""What helps when one fails."""
