"""A collection: series of rows with the same columns, in one table with all its versions."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import RLock

from lakehouse_assets.collections.bounds import before_of
from lakehouse_assets.collections.changes import Change, Defragment, Drop, Replace, Upsert
from lakehouse_assets.collections.frames import to_stored
from lakehouse_assets.collections.labels import checked_label
from lakehouse_assets.collections.moves import renamed
from lakehouse_assets.collections.schema import Schema
from lakehouse_assets.collections.series import KVSeries, Series
from lakehouse_assets.collections.table import Before, Revision, Table
from lakehouse_assets.collections.trimming import trim
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

YOUNG = timedelta(days=7)
"""How old a version is before `trim` takes it for history that nobody needs, if it is not told when."""


class Collection:
    """
    Series of one schema. Each write is a version of the collection, which can be read for as long as it is kept.

    Example:
        >>> temperature = Repo().create_collection(Schema(day="int*", value="float"), "temperature")
        >>> with temperature.multi():
        ...     for city in ("paris", "rome"):
        ...         (temperature / city).write({"day": [1, 2], "value": [3.5, 4.0]})
        >>> temperature.ls(), len(temperature.revisions())
        (['paris', 'rome'], 1)
    """

    def __init__(
        self,
        label: str,
        schema: Schema,
        table: Table,
        *,
        namespace: str = "collection",
    ) -> None:
        self.label = label
        self.namespace = namespace
        self.schema = schema
        self.table = table
        self._batch: dict[str, Change] | None = None
        self._lock = RLock()

    @property
    def location(self) -> Location:
        """The folder of its table."""
        return self.table.log.location

    def series(self, label: str) -> Series:
        """A series, which need not be there yet."""
        name = checked_label(label, "series")
        return KVSeries(name, self) if self.schema.is_kv else Series(name, self)

    def __truediv__(self, label: str) -> Series:
        return self.series(label)

    def ls(self, before: Before | None = None) -> list[str]:
        """The names of the series that have rows, sorted."""
        snapshot = self.table.snapshot(before)
        files = snapshot.files.values() if snapshot else []
        return sorted({file.series for file in files if file.series is not None and file.rows != 0})

    def __iter__(self) -> Iterator[Series]:
        return (self.series(label) for label in self.ls())

    def delete(self, *labels: str) -> list[Revision]:
        """Take out series as a whole; those that are not there do not matter. Earlier versions still have them."""
        drops = [Drop(checked_label(label, "series")) for label in dict.fromkeys(labels)]
        return self._commit(drops, "DELETE") if drops else []

    def rename(self, from_label: str, to_label: str) -> list[Revision]:
        """
        Give a series another name; without one of the first name nothing happens.

        Where there is a series of that name, the rows take the place of those between the first and the last of them.
        """
        source, target = checked_label(from_label, "series"), checked_label(to_label, "series")
        self._no_batch("rename")
        return renamed(self.table, source, target) if source != target else []

    @contextmanager
    def multi(self) -> "Iterator[Collection]":
        """
        Make one version of all writes in the block.

        Nothing of them can be read before the block ends, and nothing is written when it fails. They wait in memory.
        """
        self._no_batch("multi")
        self._batch = {}
        try:
            yield self
            changes = list(self._batch.values())
        finally:
            self._batch = None
        self._commit(changes, "WRITE")

    def revisions(self) -> list[Revision]:
        """The versions that changed something, the oldest first."""
        return self.table.revisions()

    def restore(self, before: Before | None = None, *, version: int | None = None) -> list[Revision]:
        """Make the newest version like an earlier one: the one of a number, or what was there before a time."""
        if (before is None) == (version is None):
            msg = "say what to go back to: `before` a time or a revision, or to a `version`"
            raise InvalidData(msg)
        self._no_batch("restore")
        snapshot = self.table.snapshot(before, version)
        if snapshot is None:
            msg = f"the collection {self.label!r} has no such version (any more); `revisions` lists those that it has"
            raise NotFound(msg)
        found = self.table.restore(snapshot)
        return [found] if found else []

    def trim(self, before: datetime | None = None) -> int:
        """
        Forget the revisions up to a time, by default those older than a week; gives how many.

        The newest one stays whatever its age. What the forgotten ones alone need is deleted by the next `Repo.gc`.
        """
        self._no_batch("trim")
        return trim(self.table, before_of(before) if before is not None else now_utc() - YOUNG)

    def defrag(self, max_chunk: int | None = None) -> list[Revision]:
        """
        Make few files of many, of each series that has more of them than it needs, or more than `max_chunk`.

        The rows stay as they are, and so do all earlier versions. Files have a million rows at most.
        """
        if max_chunk is not None and max_chunk <= 0:
            return []
        changes = [Defragment(label, max_chunk) for label in self.ls()]
        return self._commit(changes, "OPTIMIZE", data_change=False) if changes else []

    def clone(
        self,
        other: "Collection",
        rename: Mapping[str, str] | None = None,
        defaults: Mapping[str, object] | None = None,
    ) -> list[Revision]:
        """
        Copy all series into an empty collection, with columns renamed, and others filled with defaults.

        Values that the other's columns cannot hold are InvalidData; nothing is copied then.
        """
        import polars as pl

        if other.ls():
            msg = f"the collection {other.label!r} is not empty; clone into a new one"
            raise InvalidData(msg)
        names, fill = dict(rename or {}), dict(defaults or {})
        with other.multi():
            for series in self:
                rows = series.frame().rename(names)
                rows = rows.with_columns(pl.lit(value).alias(name) for name, value in fill.items())
                missing = [name for name in other.schema if name not in rows.columns]
                rows = rows.with_columns(
                    pl.lit(None).alias(name) for name in missing if name not in other.schema.index
                )
                kept = rows.select([name for name in other.schema if name in rows.columns])
                (other / series.label).write(
                    to_stored(other.schema, kept).sort(other.schema.index, maintain_order=True)
                )
        return other.revisions()[-1:]

    def merge(self) -> list[Revision]:
        """Nothing: all writers write to one line of versions, so that none of their writes waits to be merged."""
        return []

    def refresh(self) -> None:
        """Nothing: every read looks at the newest version."""

    def apply(self, change: Change) -> list[Revision]:
        """Commit a change of a series, or keep it for the end of `multi`."""
        with self._lock:
            if self._batch is None:
                return self._commit([change], "WRITE")
            known = self._batch.get(change.series)
            if known is None:
                self._batch[change.series] = change
            else:
                self._batch[change.series] = self._joined(known, change)
            return []

    def _joined(self, known: Change, change: Change) -> Change:
        """A change, and then another one of the same series."""
        if isinstance(known, Replace) and isinstance(change, Replace):
            return known.then(self.schema, change)
        if isinstance(known, Upsert) and isinstance(change, Upsert):
            return known.then(self.schema, change)
        msg = f"{change.series!r} is written by range and by key in one `multi`; take one for each"
        raise InvalidData(msg)

    def _commit(
        self,
        changes: Sequence[Change],
        operation: str,
        *,
        data_change: bool = True,
    ) -> list[Revision]:
        if operation != "WRITE":
            self._no_batch(operation.lower())
        found = self.table.apply(changes, operation=operation, data_change=data_change) if changes else None
        if found is not None:
            log.info("%s %s: version %s, %s rows written", operation, self.label, found.version, found.rows)
        return [found] if found else []

    def _no_batch(self, what: str) -> None:
        if self._batch is not None:
            msg = f"{what} has a version of its own; call it before or after `multi`"
            raise InvalidData(msg)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Collection) and self.location == other.location

    def __hash__(self) -> int:
        return hash(self.location)

    def __repr__(self) -> str:
        return f"<Collection {self.label}>"
