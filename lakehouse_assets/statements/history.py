"""
What the table said before: rows of files that later commits took out, as long as those files still lie there.

The log tells which files there were. Only those that can hold the entity that is asked for are opened.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lakehouse_assets.errors import NotFound, StorageError
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.datafiles import DataFile, Partition, Snapshot, partition_of
from lakehouse_assets.statements.footers import Footers
from lakehouse_assets.statements.ranges import Part, read, select
from lakehouse_assets.statements.table import StatementTable

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

SINCE = "since_version"
"""The version of the table that took a row's file in."""

UNTIL = "until_version"
"""The first version without a row's file; null for rows of the newest version."""

_LOG = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\b.*\.parquet")

# commits are small files: on an object store each costs a round trip
_READERS = 8


@dataclass(frozen=True)
class Commit:
    """A version of the table: when it was made, and by which operation of Delta."""

    version: int
    at: datetime | None
    operation: str


@dataclass(frozen=True)
class Past:
    """
    Every row of an entity that is still known, with the versions of the table that had it.

    Rows that were gone before the commit `known_since` are unknown; `complete` says that there were none.
    """

    rows: "pl.DataFrame"
    known_since: Commit
    complete: bool
    commits: dict[int, Commit]


@dataclass(frozen=True)
class _PastFile:
    file: DataFile
    since: int
    until: int | None = None


class History:
    """
    Reads what a table holds and held of one entity.

    Example:
        >>> past = History(table).of("acme-1")
        >>> past.rows["until_version"].null_count(), past.known_since.version
        (12, 0)
    """

    def __init__(self, table: StatementTable) -> None:
        self._table = table
        self._footers = Footers(table.location)

    def of(self, entity_id: str, *, prop: str | None = None) -> Past | None:
        """All known rows of an entity, or of one property of it; None while there is no table."""
        import polars as pl

        snapshot = self._table.snapshot()
        if snapshot is None:
            return None
        files, commits = self._files(snapshot, entity_id)
        types = {**s.frame_schema(), SINCE: pl.Int64(), UNTIL: pl.Int64()}
        frames, known = [pl.DataFrame(schema=types)], min(commits)
        for past in files:
            rows = self._rows(past, entity_id, prop)
            if rows is not None:
                frames.append(rows.select(*types))
            elif past.until is not None:
                known = max(known, past.until)
        return Past(pl.concat(frames), commits[known], known == 0, commits)

    def _rows(self, past: _PastFile, entity_id: str, prop: str | None) -> "pl.DataFrame | None":
        """The rows of one file; None when it was vacuumed."""
        import polars as pl

        file = past.file
        try:
            part = Part(self._table.location, file.key, file.partition, self._footers.of(file))
            rows = read(select([part], None, entity_id, first=entity_id), s.COLUMNS)
        except NotFound:
            if past.until is None:
                raise
            return None
        rows = rows.filter(pl.col(s.ENTITY_ID) == entity_id)
        if prop is not None:
            rows = rows.filter(pl.col(s.PROP) == prop)
        return rows.with_columns(
            pl.lit(past.since, dtype=pl.Int64).alias(SINCE), pl.lit(past.until, dtype=pl.Int64).alias(UNTIL)
        )

    def _files(self, snapshot: Snapshot, entity_id: str) -> tuple[list[_PastFile], dict[int, Commit]]:
        """The files of all versions that can hold an entity, and the versions that the log still tells of."""
        first, start = self._first_version(snapshot)
        commits = {first.version: first}
        found = {file.key: _PastFile(file, first.version) for file in start if _can_hold(file, entity_id)}
        for commit, actions in self._log(range(first.version, snapshot.version + 1)):
            commits[commit.version] = commit
            for action in actions:
                if "add" in action:
                    file = _data_file(action["add"])
                    if _can_hold(file, entity_id):
                        found[file.key] = _PastFile(file, commit.version)
                elif "remove" in action:
                    key = unquote(action["remove"]["path"])
                    if key in found:
                        found[key] = replace(found[key], until=commit.version)
        for file in snapshot.files:
            if file.key not in found and _can_hold(file, entity_id):
                found[file.key] = _PastFile(file, first.version)
        return list(found.values()), commits

    def _first_version(self, snapshot: Snapshot) -> tuple[Commit, Sequence[DataFile]]:
        """The oldest version from which on the log tells everything, and its files."""
        commits, checkpoints = set(), {}
        for key in self._table.location.keys(_LOG):
            name = key.rpartition("/")[2]
            if found := _COMMIT.fullmatch(name):
                commits.add(int(found[1]))
            elif found := _CHECKPOINT.fullmatch(name):
                checkpoints[int(found[1])] = key
        oldest = snapshot.version + 1
        while oldest - 1 in commits:
            oldest -= 1
        if oldest == 0:
            return Commit(0, None, ""), []
        usable = sorted(version for version in checkpoints if oldest - 1 <= version <= snapshot.version)
        for version in usable:
            try:
                keys = self._table.files_at(version)
            except StorageError as exc:
                log.debug("going on with a later checkpoint: %s", exc)
                continue
            at = self._table.location.modified(checkpoints[version])
            return Commit(version, at, ""), _named(keys, snapshot)
        return Commit(snapshot.version, None, ""), snapshot.files

    def _log(self, versions: range) -> Iterator[tuple[Commit, list[dict[str, Any]]]]:
        keys = [f"{_LOG}/{version:020}.json" for version in versions]
        with ThreadPoolExecutor(_READERS) as pool:
            for version, data in zip(
                versions, pool.map(self._table.location.read_or_none, keys), strict=True
            ):
                if data is not None:
                    actions = [json.loads(line) for line in data.splitlines() if line.strip()]
                    yield _commit(version, actions), actions


def _commit(version: int, actions: Sequence[dict[str, Any]]) -> Commit:
    info: dict[str, Any] = next((action["commitInfo"] for action in actions if "commitInfo" in action), {})
    millis = info.get("timestamp")
    at = datetime.fromtimestamp(millis / 1000, UTC) if isinstance(millis, int) else None
    return Commit(version, at, str(info.get("operation") or ""))


def _named(keys: Iterable[str], snapshot: Snapshot) -> list[DataFile]:
    """Files by their keys; of those that the newest version lacks only the partition is known."""
    known = {file.key: file for file in snapshot.files}
    return [known.get(key) or _unbounded(key) for key in keys]


def _unbounded(key: str) -> DataFile:
    return DataFile(key, partition_of(key), rows=0, size=0, first=None, last=None, tombstones=None)


def _data_file(add: dict[str, Any]) -> DataFile:
    """A file as a commit names it."""
    stats = json.loads(add.get("stats") or "{}")
    values = add["partitionValues"]
    return DataFile(
        key=unquote(add["path"]),
        partition=Partition(values[s.SHARD], values[s.BUCKET], values[s.ORIGIN]),
        rows=stats.get("numRecords") or 0,
        size=add["size"],
        first=(stats.get("minValues") or {}).get(s.ENTITY_ID),
        last=(stats.get("maxValues") or {}).get(s.ENTITY_ID),
        tombstones=None,
    )


def _can_hold(file: DataFile, entity_id: str) -> bool:
    return (file.first is None or file.first <= entity_id) and (file.last is None or entity_id <= file.last)
