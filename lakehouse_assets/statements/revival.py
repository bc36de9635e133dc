"""Bringing back what was deleted: rows that come after a tombstone count, whatever time they carry."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.datafiles import Partition
from lakehouse_assets.statements.reader import Reader

if TYPE_CHECKING:
    import polars as pl

_TICK = timedelta(microseconds=1)


class Revival:
    """
    Makes rows of an import newer than the tombstones that would hide them.

    Without this an answer would depend on whether a merge had dropped the tombstones already.
    """

    def __init__(self, reader: Reader, now: datetime) -> None:
        self._reader = reader
        self._now = now
        snapshot = reader.table.snapshot()
        self._snapshot = (
            snapshot if snapshot and any(file.tombstones != 0 for file in snapshot.files) else None
        )

    def touches(self, partition: Partition, first: str, last: str) -> bool:
        """Whether there may be tombstones of entities with ids from `first` to `last` in a partition."""
        files = self._snapshot.of(partition) if self._snapshot else []
        return any(
            file.tombstones != 0
            and (file.first is None or file.first <= last)
            and (file.last is None or file.last >= first)
            for file in files
        )

    def revive(self, rows: "pl.DataFrame") -> "pl.DataFrame":
        """The rows with a newer `last_seen` where a tombstone has a later one; tombstones stay as they are."""
        import polars as pl

        if self._snapshot is None or not len(rows):
            return rows
        first, last = rows[s.ENTITY_ID][0], rows[s.ENTITY_ID][-1]
        stones = self._reader.tombstones(self._snapshot, first, last)
        if not len(stones):
            return rows
        keys = {
            "": [s.SHARD, s.BUCKET, s.ORIGIN, s.ID, s.ROLE, s.FRAGMENT],
            "fragment": [s.SHARD, s.BUCKET, s.ORIGIN, s.ENTITY_ID, s.PROP, s.FRAGMENT, s.ROLE],
        }
        for kind, key in keys.items():
            of_kind = stones.filter((pl.col(s.FRAGMENT) != "") == bool(kind))
            newest = of_kind.group_by(key).agg(pl.col(s.LAST_SEEN).max().alias("stone"))
            rows = rows.join(newest, on=key, how="left", nulls_equal=True, maintain_order="left")
            hidden = pl.col("stone").is_not_null() & (pl.col(s.LAST_SEEN) <= pl.col("stone"))
            now = pl.lit(self._now).cast(pl.Datetime("us", "UTC"))
            later = pl.max_horizontal(now, pl.col("stone") + _TICK)
            rows = rows.with_columns(
                pl.when(hidden & pl.col(s.DELETED_AT).is_null())
                .then(later)
                .otherwise(s.LAST_SEEN)
                .alias(s.LAST_SEEN)
            ).drop("stone")
        return rows.select(s.COLUMNS)
