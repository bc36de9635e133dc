"""What a commit in the log of a Delta table says: the files that it takes in and out, and when."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast
from urllib.parse import quote, unquote

from lakehouse_assets.collections.schema import SERIES
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.times import now_utc

DIGEST = "sha256"
"""The tag of a file in the log under which the digest of its bytes stands."""

WRITTEN = "writtenAt"
"""The key in a commit's information under which its time stands, later than that of every commit before."""

# what a table may need of those who read it and that we know of
_READER_FEATURES = {"timestampNtz"}
_WRITER_FEATURES = {"timestampNtz", "appendOnly", "invariants"}

Action = dict[str, dict[str, object]]


@dataclass(frozen=True)
class DataFile:
    """
    A file of rows of one series.

    `lower` and `upper` are bounds of its first index column as JSON holds them, None when they are not known.
    """

    key: str
    size: int
    rows: int | None = None
    series: str | None = None
    lower: int | float | str | None = None
    upper: int | float | str | None = None
    modified: int = 0
    stats: str | None = None
    path: str | None = None
    digest: str | None = None

    @property
    def logged(self) -> str:
        """The key as the log has it: whoever takes a file out must write it as who put it in."""
        return self.path if self.path is not None else quote(self.key)


@dataclass(frozen=True)
class Commit:
    """One version of a table: what it did, when (UTC), and the files that it took in and out."""

    version: int
    at: datetime
    info: Mapping[str, object]
    added: tuple[DataFile, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """The files of a version of a table, by key."""

    version: int
    files: Mapping[str, DataFile] = field(default_factory=dict)

    def of(self, series: str) -> list[DataFile]:
        """The files of one series."""
        return [file for file in self.files.values() if file.series == series]

    def after(self, commit: Commit) -> "Snapshot":
        """The files after a commit on this version."""
        files = dict(self.files)
        for key in commit.removed:
            files.pop(key, None)
        files |= {file.key: file for file in commit.added}
        return Snapshot(commit.version, files)


def parse_actions(data: bytes, *, place: str) -> list[Action]:
    """The actions in a file of the log, which lies at `place`; InvalidData when it is none."""
    try:
        found = [json.loads(line) for line in data.splitlines()]
    except ValueError as exc:
        raise _no_commit(place, exc) from exc
    if not all(isinstance(action, dict) for action in found):
        raise _no_commit(place, "a line of it is no object")
    return found


def commit_of(
    version: int, actions: Iterable[Action], *, place: str, table: str, index: str | None
) -> Commit:
    """
    What the actions of a file of the log, which lies at `place`, do; InvalidData when we cannot read that.

    `table` is the address of the table, `index` the column by whose bounds files are found.
    """
    info: dict[str, object] = {}
    added, removed = [], []
    try:
        for action in actions:
            check_action(action, table)
            if told := action.get("add"):
                added.append(file_of(told, table=table, index=index))
            if told := action.get("remove"):
                removed.append(unquote(str(told["path"])))
            info |= action.get("commitInfo") or {}
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        if isinstance(exc, InvalidData):
            raise
        raise _no_commit(place, exc) from exc
    return Commit(version, time_of(info), info, tuple(added), tuple(removed))


def _no_commit(place: str, why: object) -> InvalidData:
    msg = f"{place} is no commit of a Delta table: {why}"
    return InvalidData(f"{msg}; restore it from a copy of the table")


def check_action(action: Action, table: str) -> None:
    """InvalidData when the table needs of its readers what we do not know."""
    if protocol := action.get("protocol"):
        needed = {*cast("list[str]", protocol.get("readerFeatures") or [])} - _READER_FEATURES
        needed |= {*cast("list[str]", protocol.get("writerFeatures") or [])} - _WRITER_FEATURES
        if needed or (protocol.get("minReaderVersion") or 1) not in (1, 3):
            told = ", ".join(sorted(needed)) or f"protocol {protocol.get('minReaderVersion')}"
            msg = f"another program wrote to {table} with {told}, which is not known here"
            raise InvalidData(f"{msg}; restore an earlier version with that program")


def file_of(told: Mapping[str, object], *, table: str, index: str | None) -> DataFile:
    """A file as an `add` of the log tells of it; InvalidData when rows of it were deleted by a vector."""
    if told.get("deletionVector"):
        msg = f"another program deleted rows in {table} by deletion vectors, which are not known here"
        raise InvalidData(f"{msg}; let it rewrite the files (REORG, PURGE)")
    stats = told.get("stats")
    known = json.loads(cast(str, stats)) if stats else {}
    partition = dict(cast("Mapping[str, str]", told.get("partitionValues") or {}))
    return DataFile(
        key=unquote(str(told["path"])),
        size=int(cast(int, told["size"])),
        rows=known.get("numRecords"),
        series=partition.get(SERIES),
        lower=(known.get("minValues") or {}).get(index),
        upper=(known.get("maxValues") or {}).get(index),
        modified=int(cast(int, told.get("modificationTime") or 0)),
        stats=cast("str | None", stats),
        path=str(told["path"]),
        digest=dict(cast("Mapping[str, str]", told.get("tags") or {})).get(DIGEST),
    )


def addition(file: DataFile, *, data_change: bool) -> dict[str, object]:
    """What an `add` of the log says of a file."""
    return {
        "path": file.logged,
        "partitionValues": {SERIES: file.series} if file.series is not None else {},
        "size": file.size,
        "modificationTime": file.modified or millis(now_utc()),
        "dataChange": data_change,
        "stats": file.stats,
        "tags": {DIGEST: file.digest} if file.digest else {},
    }


def removal(file: DataFile, at: datetime, *, data_change: bool) -> dict[str, object]:
    """What a `remove` of the log says of a file."""
    return {
        "path": file.logged,
        "deletionTimestamp": millis(at),
        "dataChange": data_change,
        "extendedFileMetadata": True,
        "partitionValues": {SERIES: file.series} if file.series is not None else {},
        "size": file.size,
    }


def lines(actions: Iterable[Action]) -> bytes:
    """Actions as a file of the log holds them."""
    # text that is no Unicode is refused by everybody else who reads the log
    return "".join(f"{json.dumps(action)}\n" for action in actions).encode()


def time_of(info: Mapping[str, object]) -> datetime:
    """When a commit was made; of other programs' commits by milliseconds."""
    written = info.get(WRITTEN)
    if isinstance(written, str):
        return datetime.fromisoformat(written).astimezone(UTC)
    return datetime.fromtimestamp(int(cast(int, info.get("timestamp") or 0)) / 1000, UTC)


def millis(at: datetime) -> int:
    """A time as the log has it."""
    return int(at.timestamp() * 1000)
