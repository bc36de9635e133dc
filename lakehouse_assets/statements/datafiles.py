"""The data files of the table: where they lie, what they hold, and what a commit says of them."""

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lakehouse_assets.statements import schema as s

if TYPE_CHECKING:
    from deltalake.transaction import AddAction, RemoveAction


@dataclass(frozen=True, order=True)
class Partition:
    """Where rows lie: their shard, bucket and origin."""

    shard: str
    bucket: str
    origin: str

    def __str__(self) -> str:
        return f"{self.shard}/{self.bucket}/{self.origin}"


@dataclass(frozen=True)
class DataFile:
    """A file of the table: `key` is relative to the table's folder, `first` and `last` bound its entity ids."""

    key: str
    partition: Partition
    rows: int
    size: int
    first: str | None
    last: str | None
    tombstones: int | None


@dataclass(frozen=True)
class Snapshot:
    """The table at one moment: its id, version and files."""

    table_id: str
    version: int
    files: tuple[DataFile, ...]

    def of(self, partition: Partition) -> list[DataFile]:
        """The files of one partition."""
        return [file for file in self.files if file.partition == partition]

    @property
    def partitions(self) -> list[Partition]:
        """All partitions that have files, sorted."""
        return sorted({file.partition for file in self.files})


@dataclass(frozen=True)
class Step:
    """What a commit carries so that it is made once: a name, and a number that grows from 1 (Delta's transactions)."""

    name: str
    number: int


@dataclass(frozen=True)
class StagedFile:
    """A data file that is written, and not yet part of the table."""

    key: str
    partition: Partition
    rows: int
    size: int
    first: str
    last: str
    tombstones: int

    def action(self, *, new: bool = True) -> "AddAction":
        """What a commit says to take it in; rows that are not `new` lay in other files before."""
        from deltalake.transaction import AddAction

        stats = {
            "numRecords": self.rows,
            "minValues": {s.ENTITY_ID: self.first},
            "maxValues": {s.ENTITY_ID: self.last},
            "nullCount": {s.ENTITY_ID: 0, s.DELETED_AT: self.rows - self.tombstones},
        }
        values = {
            "shard": self.partition.shard,
            "bucket": self.partition.bucket,
            "origin": self.partition.origin,
        }
        now = int(time.time() * 1000)
        return AddAction(self.key, self.size, values, now, new, json.dumps(stats))


def addition(file: DataFile) -> "AddAction":
    """What a commit says to take in a file that another table has; what is not known of it is not said."""
    from deltalake.transaction import AddAction

    bounds = {"minValues": file.first, "maxValues": file.last}
    stats: dict[str, object] = {"numRecords": file.rows}
    stats |= {name: {s.ENTITY_ID: value} for name, value in bounds.items() if value is not None}
    if file.tombstones is not None:
        stats["nullCount"] = {s.DELETED_AT: file.rows - file.tombstones}
    values = {"shard": file.partition.shard, "bucket": file.partition.bucket, "origin": file.partition.origin}
    return AddAction(file.key, file.size, values, int(time.time() * 1000), True, json.dumps(stats))


def removal(file: DataFile, *, new: bool) -> "RemoveAction":
    """What a commit says to take a file out; `new` unless others hold the very same rows."""
    from deltalake.transaction import RemoveAction

    values: dict[str, str | None] = {
        "shard": file.partition.shard,
        "bucket": file.partition.bucket,
        "origin": file.partition.origin,
    }
    return RemoveAction(file.key, new, int(time.time() * 1000), file.size, values)


def files_in(actions: Any) -> list[DataFile]:
    """The files that the add actions of a version name, as delta-rs gives them."""
    # the table's own Arrow type: pyarrow takes longer to load than this takes in all
    rows: list[dict[str, Any]] = actions.to_struct_array().to_pylist()
    return [
        DataFile(
            key=unquote(row["path"]),
            partition=Partition(row["partition.shard"], row["partition.bucket"], row["partition.origin"]),
            rows=row["num_records"] or 0,
            size=row["size_bytes"],
            first=row.get(f"min.{s.ENTITY_ID}"),
            last=row.get(f"max.{s.ENTITY_ID}"),
            tombstones=_tombstones(row),
        )
        for row in rows
    ]


def partition_of(key: str) -> Partition:
    """The partition of a file by its key."""
    values = dict(folder.split("=", 1) for folder in key.split("/")[:-1])
    return Partition(*(unquote(values[name]) for name in s.PARTITION_BY))


def _tombstones(row: dict[str, Any]) -> int | None:
    live = row.get(f"null_count.{s.DELETED_AT}")
    rows = row["num_records"]
    return None if live is None or rows is None else rows - live
