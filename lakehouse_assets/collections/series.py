"""A series: rows in the order of their index."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lakehouse_assets.collections.bounds import Interval, ends_of, key_of
from lakehouse_assets.collections.changes import Change, Replace, Span, Upsert
from lakehouse_assets.collections.frames import as_polars, is_sorted, to_given, to_stored
from lakehouse_assets.collections.table import Before, Revision
from lakehouse_assets.errors import ColumnMissing, InvalidData

if TYPE_CHECKING:
    import polars as pl

    from lakehouse_assets.collections.collection import Collection

PAGE = 500_000
"""How many rows a page has by default."""


class Series:
    """
    The rows of a collection under one name.

    Example:
        >>> paris = Repo().create_collection(Schema(day="date*", value="float"), "temperature") / "paris"
        >>> paris.write({"day": [date(2026, 1, 1), date(2026, 1, 2)], "value": [3.5, 4.0]})[0].rows
        2
        >>> paris.frame(start="2026-01-02")["value"].to_list()
        [4.0]
    """

    def __init__(self, label: str, collection: "Collection") -> None:
        self.label = label
        self.collection = collection
        self.schema = collection.schema
        self._table = collection.table

    def write(
        self, frame: object, start: object = None, stop: object = None, closed: str = "both"
    ) -> list[Revision]:
        """
        Put sorted rows in the place of all rows from `start` to `stop`, by default from their own first to their last.

        Gives the new revision, or none when nothing changes. All or nothing: InvalidData when the rows do not fit.
        """
        rows = to_stored(self.schema, frame)
        if not is_sorted(self.schema, rows):
            msg = f"the rows are not sorted by {', '.join(self.schema.index)}; sort them first"
            raise InvalidData(msg)
        interval = self._interval_of(rows, start, stop, closed)
        if interval is None:
            return []
        named = start is not None or stop is not None
        if named and not rows.is_empty() and not rows.select(interval.expression(self.schema).all()).item():
            msg = f"some rows are not between start={start!r} and stop={stop!r} (closed={closed!r}); leave them out"
            raise InvalidData(msg)
        spans = () if rows.is_empty() else (Span.of(self.schema, rows),)
        return self._apply(Replace(self.label, (interval,), spans))

    def frame(
        self,
        start: object = None,
        stop: object = None,
        closed: str = "left",
        select: Sequence[str] | None = None,
        limit: int | None = None,
        before: Before | None = None,
        *,
        offset: int = 0,
        version: int | None = None,
    ) -> "pl.DataFrame":
        """
        The rows from `start` to `stop`, by default without those at `stop`.

        With `before`, a time or a revision, or `version`, a number, it is what was there then.
        """
        frames = self._frames(
            start,
            stop,
            closed,
            select,
            limit,
            before,
            offset=offset,
            version=version,
            at_once=limit is None,
        )
        return to_given(self.schema, self._joined(list(frames), select))

    df = frame

    def tail(
        self,
        length: int,
        start: object = None,
        stop: object = None,
        closed: str = "left",
        select: Sequence[str] | None = None,
        before: Before | None = None,
    ) -> "pl.DataFrame":
        """The last rows, of those from `start` to `stop`."""
        if length <= 0:
            msg = f"the tail of a series has one row at least, not {length}"
            raise InvalidData(msg)
        found, rows = [], 0
        interval, snapshot = self._interval(start, stop, closed), self._table.snapshot(before)
        columns = self._selected(select)
        for frame in self._table.rows(snapshot, self.label, interval, columns, backwards=True):
            found.append(frame)
            rows += frame.height
            if rows >= length:
                break
        return to_given(self.schema, self._joined(found[::-1], select).tail(length))

    def paginate(
        self,
        step: int = PAGE,
        start: object = None,
        stop: object = None,
        closed: str = "left",
        select: Sequence[str] | None = None,
        limit: int | None = None,
        before: Before | None = None,
        *,
        offset: int = 0,
    ) -> "Iterator[pl.DataFrame]":
        """The rows in pages of one and the same version, the last one shorter."""
        if step <= 0:
            msg = f"a page has one row at least, not {step}"
            raise InvalidData(msg)
        return self._pages(
            step, self._frames(start, stop, closed, select, limit, before, offset=offset), select
        )

    def update(self, frame: object) -> list[Revision]:
        """
        Change some columns of the rows with the same index; rows of other index are added.

        What is not given of a row that is added has no value (null). InvalidData when a row between the first and the
        last of the frame is not in it.
        """
        import polars as pl

        given = as_polars(frame)
        unknown = [name for name in self.schema.index if name not in given.columns]
        if unknown:
            msg = f"the frame lacks {', '.join(unknown)}, by which rows are found"
            raise ColumnMissing(msg)
        columns = [name for name in self.schema if name in given.columns]
        rows = to_stored(self.schema, given, columns=columns).sort(self.schema.index)
        if rows.is_empty():
            return []
        first, last = rows.select(self.schema.index).row(0), rows.select(self.schema.index).row(-1)
        old = self._joined(list(self._frames(first, last, "both", None, None, None)), None)
        if not self.schema.is_kv and not old.join(rows, on=self.schema.index, how="anti").is_empty():
            msg = "there are rows between the first and the last of the frame that it does not have; give them, too"
            raise InvalidData(msg)
        kept = [name for name in self.schema.values if name not in columns]
        full = rows.join(
            old.select([*self.schema.index, *kept]), on=self.schema.index, how="left", maintain_order="left"
        )
        missing = [
            pl.lit(None, dtype=self.schema[name].type.stored).alias(name)
            for name in kept
            if name not in full.columns
        ]
        full = full.with_columns(missing).select(list(self.schema))
        if self.schema.is_kv:
            return self._apply(
                Upsert.of(self.schema, self.label, full, full.select(self.schema.index).clear())
            )
        return self._apply(
            Replace(self.label, (Interval(first, last, True, True),), (Span.of(self.schema, full),))
        )

    def delete(self, start: object = None, stop: object = None, closed: str = "both") -> list[Revision]:
        """Take out the rows from `start` to `stop`, by default all."""
        interval = Interval.of(self.schema, start, stop, closed)
        self._check_direction(interval)
        return self._apply(Replace(self.label, (interval,)))

    def revisions(self) -> list[Revision]:
        """The versions that changed this series, the oldest first."""
        return self._table.revisions(self.label)

    def __len__(self) -> int:
        snapshot = self._table.snapshot()
        counts = [file.rows for file in snapshot.of(self.label)] if snapshot else []
        if None in counts:
            return sum(
                frame.height for frame in self._table.rows(snapshot, self.label, None, self.schema.index)
            )
        return sum(count or 0 for count in counts)

    def __bool__(self) -> bool:
        return self.label in self.collection.ls()

    def __repr__(self) -> str:
        return f"<Series {self.collection.label}/{self.label}>"

    def _apply(self, change: Change) -> list[Revision]:
        return self.collection.apply(change)

    def _frames(
        self,
        start: object,
        stop: object,
        closed: str,
        select: Sequence[str] | None,
        limit: int | None,
        before: Before | None,
        *,
        offset: int = 0,
        version: int | None = None,
        at_once: bool = False,
    ) -> "Iterator[pl.DataFrame]":
        """The rows as they are stored, frame by frame, of a version that is fixed now."""
        interval = self._interval(start, stop, closed)
        columns = self._selected(select)
        if (limit is not None and limit < 0) or offset < 0:
            msg = f"limit and offset count rows, and cannot be {limit} and {offset}"
            raise InvalidData(msg)
        if interval is not None and interval.is_reversed():
            return iter(())
        snapshot = self._table.snapshot(before, version)
        return _sliced(
            self._table.rows(snapshot, self.label, interval, columns, at_once=at_once), offset, limit
        )

    def _pages(
        self, step: int, frames: "Iterator[pl.DataFrame]", select: Sequence[str] | None
    ) -> "Iterator[pl.DataFrame]":
        import polars as pl

        waiting = None
        for frame in frames:
            waiting = frame if waiting is None else pl.concat([waiting, frame])
            while waiting.height >= step:
                yield to_given(self.schema, waiting.head(step))
                waiting = waiting.slice(step)
        if waiting is not None and not waiting.is_empty():
            yield to_given(self.schema, waiting)

    def _selected(self, select: Sequence[str] | None) -> list[str] | None:
        if select is None:
            return None
        names = [select] if isinstance(select, str) else list(select)
        unknown = [name for name in names if name not in self.schema.columns]
        if unknown or not names:
            told = ", ".join(map(repr, unknown)) or "selected"
            msg = f"there is no column {told}; there are {', '.join(self.schema)}"
            raise ColumnMissing(msg)
        return names

    def _joined(self, frames: "list[pl.DataFrame]", select: Sequence[str] | None) -> "pl.DataFrame":
        import polars as pl

        names = self._selected(select) or list(self.schema)
        if len(frames) == 1:
            return frames[0] if frames[0].columns == names else frames[0].select(names)
        empty = pl.DataFrame(schema={name: self.schema[name].type.stored for name in names})
        return pl.concat([empty, *frames]).select(names)

    def _interval(self, start: object, stop: object, closed: str) -> Interval | None:
        interval = Interval.of(self.schema, start, stop, closed)
        return None if interval.start is None and interval.stop is None else interval

    def _interval_of(self, rows: "pl.DataFrame", start: object, stop: object, closed: str) -> Interval | None:
        """What a write replaces; an end that is not named is that of the rows, and belongs to it."""
        given = Interval.of(self.schema, start, stop, closed)
        if rows.is_empty():
            if (given.start is None) != (given.stop is None):
                msg = "a frame without rows takes out a range: give both start and stop, or call `delete`"
                raise InvalidData(msg)
            if given.start is None:
                return None
            self._check_direction(given)
            return given
        first, last = ends_of(self.schema, rows)
        found = Interval(
            given.start or first,
            given.stop or last,
            given.with_start or given.start is None,
            given.with_stop or given.stop is None,
        )
        self._check_direction(found)
        return found

    def _check_direction(self, interval: Interval) -> None:
        if interval.is_reversed():
            msg = f"start {interval.start} lies behind stop {interval.stop}; exchange them"
            raise InvalidData(msg)


class KVSeries(Series):
    """Rows that are written by key: a row takes the place of the one with its key."""

    def write(
        self, frame: object, start: object = None, stop: object = None, closed: str = "both"
    ) -> list[Revision]:
        """
        Put rows in the place of those with their keys, and add the others; they need not be sorted.

        With `start` or `stop`, all rows between are replaced, as in other series.
        """
        if start is not None or stop is not None:
            rows = (
                to_stored(self.schema, frame).unique(self.schema.index, keep="last").sort(self.schema.index)
            )
            return super().write(rows, start, stop, closed)
        rows = to_stored(self.schema, frame)
        return self._apply(Upsert.of(self.schema, self.label, rows, rows.select(self.schema.index).clear()))

    upsert = write

    def delete(self, *keys: object) -> list[Revision]:
        """Take out the rows of these keys; keys that are not there do not matter."""
        import polars as pl

        if not keys:
            return []
        columns = {name: self.schema[name].type.stored for name in self.schema.index}
        parts = [key_of(self.schema, key) for key in keys]
        if any(part is None or len(part) != len(columns) for part in parts):
            msg = f"a key here has {len(columns)} part(s): {', '.join(columns)}; give all of them"
            raise InvalidData(msg)
        gone = pl.DataFrame(parts, schema=columns, orient="row").unique()
        rows = pl.DataFrame(schema=self.schema.stored)
        return self._apply(Upsert.of(self.schema, self.label, rows, gone))


def _sliced(frames: "Iterator[pl.DataFrame]", offset: int, limit: int | None) -> "Iterator[pl.DataFrame]":
    """Some of the rows; no frame is read that has none of them."""
    left = limit
    if left == 0:
        return
    for frame in frames:
        skipped = min(offset, frame.height)
        offset -= skipped
        found = frame.slice(skipped, left)
        if not found.is_empty():
            yield found
        if left is not None:
            left -= found.height
            if left <= 0:
                return
