"""Whether anything is gone that something else of the lake refers to."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lakehouse_assets import layout
from lakehouse_assets.archive.names import is_checksum
from lakehouse_assets.archive.verify import MISSING, inspect
from lakehouse_assets.archive.walk import META, contents, has_content, parts
from lakehouse_assets.collections import Repo
from lakehouse_assets.collections.log import DeltaLog
from lakehouse_assets.errors import NotFound
from lakehouse_assets.operations.findings import CheckResult, Row
from lakehouse_assets.statements.journal import Journal, segment_files
from lakehouse_assets.statements.table import StatementTable
from lakehouse_assets.storage.location import Location

SAMPLE = 1_000_000_000
"""So many bytes of archived contents are read and compared with their names, another part each time."""

ASSET, CHECK = "gc_sweep", "no_dangling_references"

_MOST_NAMED = 20
_MEND = (
    "pull the dataset from another lake that has it, or crawl the files again; `lakehouse archive verify` names "
    "damaged ones"
)


@dataclass
class _Found:
    referenced: int = 0
    missing: list[tuple[str, str]] = field(default_factory=list)


def check_references(
    lake: Location, datasets: Sequence[str], names: Sequence[str] | None, *, sample: int = SAMPLE
) -> CheckResult:
    """
    Whether all is there that these datasets, and the collections of some names or all, refer to.

    That is contents with a path or a mapping, files of the newest version of a table, of a journal, and of every
    version of a collection. Of the contents a `sample` of so many bytes is read, too.
    """
    found = _Found()
    for name in datasets:
        for part in (_archive, _mappings, _table, _journal):
            _note(found, part(lake / name), f"{name}/", lake)
    _note(found, _collections(lake, names), "", lake)
    damaged, read = _damaged(lake, datasets, sample)
    table: list[Row] = [{"file": key, "referred to by": by} for key, by in found.missing[:_MOST_NAMED]]
    table += [{"file": key, "referred to by": f"damaged: {why}"} for key, why in damaged[:_MOST_NAMED]]
    passed = not (found.missing or damaged)
    return CheckResult(
        asset=ASSET,
        check=CHECK,
        passed=passed,
        severity="ERROR",
        metadata={
            "referenced": found.referenced,
            "missing": len(found.missing),
            "hashed_bytes": read,
            "damaged": len(damaged),
        },
        table=table,
        mend="" if passed else _MEND,
    )


Referred = Iterator[tuple[str, str, bool]]
"""Files by their keys, with what refers to each, and whether it is there."""


def _note(found: _Found, referred: Referred, lead: str, lake: Location) -> None:
    for key, by, is_there in referred:
        found.referenced += 1
        # it may have been put there, or away with what referred to it, while we looked
        if not is_there and not lake.exists(lead + key):
            found.missing.append((lead + key, by))


def _archive(dataset: Location) -> Referred:
    for part in parts(dataset):
        for checksum, names in contents(dataset, part):
            known = [name for name in names if name.endswith(META)]
            if known:
                key = layout.blob(checksum)
                yield key, known[0], has_content(names)


def _mappings(dataset: Location) -> Referred:
    for checksum in dataset.folders(layout.MAPPINGS):
        if is_checksum(checksum) and dataset.exists(layout.mapping(checksum)):
            key = layout.blob(checksum)
            yield key, layout.mapping(checksum), dataset.exists(key)


def _table(dataset: Location) -> Referred:
    table = StatementTable(dataset)
    for is_last in (False, True):
        snapshot = table.snapshot()
        there = set(table.location.keys())
        files = [file.key for file in snapshot.files] if snapshot else []
        # a merge and a vacuum may have come in between
        if is_last or there.issuperset(files):
            by = f"version {snapshot.version} of the statements" if snapshot else ""
            for key in files:
                yield f"{layout.STATEMENTS_TABLE}/{key}", by, key in there
            return


def _journal(dataset: Location) -> Referred:
    journal = Journal(dataset)
    for waiting in journal.waiting():
        segment = journal.segment(waiting.name)
        for key, _ in segment_files(segment) if segment else ():
            is_there = dataset.exists(f"{layout.JOURNAL_ROWS}/{key}")
            # a flush takes the rows away before the segment
            if is_there or journal.segment(waiting.name) is not None:
                yield f"{layout.JOURNAL_ROWS}/{key}", f"the segment {waiting.name}", is_there


def _collections(lake: Location, names: Sequence[str] | None) -> Referred:
    for entry in Repo(lake).registry.entries():
        if not entry.is_live or (names is not None and entry.label not in names):
            continue
        table = DeltaLog(lake / entry.path)
        try:
            files = set(table.at(table.first()).files) | set(table.snapshot().files)
            files |= {file.key for commit in table.commits() for file in commit.added}
        except NotFound:
            yield f"{entry.path}/_delta_log/{0:020}.json", f"the collection {entry.label!r}", False
            continue
        there = {key[len(entry.path) + 1 :] for key in lake.keys(entry.path)}
        for key in sorted(files):
            yield f"{entry.path}/{key}", f"the collection {entry.label!r}", key in there


def _damaged(lake: Location, datasets: Sequence[str], sample: int) -> tuple[list[tuple[str, str]], int]:
    """Contents whose bytes are not what their names say, among so many bytes of all, and how many were read."""
    found, read = [], 0
    for name in random.sample(list(datasets), len(datasets)):
        if read >= sample:
            break
        report = inspect(lake / name, most_bytes=sample - read)
        read += report.bytes
        found += [
            (f"{name}/{layout.blob(bad.checksum)}", bad.reason) for bad in report.bad if bad.reason != MISSING
        ]
    return found, read
