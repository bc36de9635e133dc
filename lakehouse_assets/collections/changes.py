"""What is to become of a series: each change says which files of a version it takes out, and which rows in."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from lakehouse_assets.collections.bounds import Interval, Key, compare, ends_of, place_of_value, touched
from lakehouse_assets.collections.commits import DataFile
from lakehouse_assets.collections.cutting import cut, rows_per_file
from lakehouse_assets.collections.datafiles import DataFiles
from lakehouse_assets.collections.frames import in_order
from lakehouse_assets.collections.schema import Schema

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Rewrite:
    """Files that a commit takes out, and the sorted rows of the files that it takes in."""

    remove: "tuple[DataFile, ...]"
    add: "Iterable[pl.DataFrame]"


class Change(Protocol):
    """A change of one series."""

    @property
    def series(self) -> str:
        """The series that is changed."""

    def plan(self, schema: Schema, files: DataFiles, present: Sequence[DataFile]) -> Rewrite | None:
        """What to do to a version in which the series has these files; None when nothing would change."""


@dataclass(frozen=True)
class Span:
    """Sorted rows, and the index of their first and last one."""

    rows: "pl.DataFrame"
    first: Key
    last: Key

    @classmethod
    def of(cls, schema: Schema, rows: "pl.DataFrame") -> "Span":
        """The span of some rows, at least one."""
        return cls(rows, *ends_of(schema, rows))

    def meets(self, intervals: Sequence[Interval]) -> bool:
        """Whether some of the rows may be in one of the intervals."""
        return any(_may_meet(self.first, self.last, interval) for interval in intervals)

    def without(self, schema: Schema, intervals: Sequence[Interval]) -> "Span":
        """The rows that are in none of the intervals."""
        return replace(self, rows=self.rows.filter(~_in_any(schema, intervals)))


@dataclass(frozen=True)
class Replace:
    """Put rows in the place of all rows that are in some intervals; the rows are sorted, and in the intervals."""

    series: str
    intervals: tuple[Interval, ...]
    spans: "tuple[Span, ...]" = ()

    def then(self, schema: Schema, later: "Replace") -> "Replace":
        """This change, and then another one."""
        earlier = [
            span.without(schema, later.intervals) if span.meets(later.intervals) else span
            for span in self.spans
        ]
        spans = (*(span for span in earlier if not span.rows.is_empty()), *later.spans)
        return Replace(self.series, (*self.intervals, *later.intervals), spans)

    def plan(self, schema: Schema, files: DataFiles, present: Sequence[DataFile]) -> Rewrite | None:
        """Rewrite the files that have rows in the intervals."""
        import polars as pl

        frames = [span.rows for span in self.spans] or [pl.DataFrame(schema=schema.stored)]
        new = frames[0] if len(frames) == 1 else in_order(schema, pl.concat(frames))
        if new.is_empty() and any(interval.is_everything() for interval in self.intervals):
            return Rewrite(tuple(present), ()) if present else None
        removed, old, kept = [], [], []
        for file in touched(schema, present, self.intervals):
            frame = files.read(file)
            inside, outside = frame.filter(hit := _in_any(schema, self.intervals)), frame.filter(~hit)
            if not inside.is_empty():
                removed.append(file)
                old.append(inside)
                kept.append(outside)
        if new.is_empty() and not removed:
            return None
        if removed and in_order(schema, pl.concat(old)).equals(new):
            return None
        combined = in_order(schema, pl.concat([*kept, new])) if kept else new
        return _rewrite(schema, present, removed, combined)


@dataclass(frozen=True)
class Upsert:
    """
    Put each row in the place of the row of the same key; take the rows of some keys out.

    The rows have different keys; a key that is taken out has no row.
    """

    series: str
    rows: "pl.DataFrame"
    gone: "pl.DataFrame"

    @classmethod
    def of(cls, schema: Schema, series: str, rows: "pl.DataFrame", gone: "pl.DataFrame") -> "Upsert":
        """Of rows with the same key the last one counts."""
        return cls(series, rows.unique(schema.index, keep="last", maintain_order=True), gone)

    def then(self, schema: Schema, later: "Upsert") -> "Upsert":
        """This change, and then another one."""
        import polars as pl

        rows = pl.concat([self.rows.join(later.gone, on=schema.index, how="anti"), later.rows])
        gone = pl.concat([self.gone.join(later.rows, on=schema.index, how="anti"), later.gone])
        return Upsert.of(schema, self.series, rows, gone.unique())

    def plan(self, schema: Schema, files: DataFiles, present: Sequence[DataFile]) -> Rewrite | None:
        """Rewrite the files between the least and the largest of the keys."""
        import polars as pl

        keys = pl.concat([self.rows.select(schema.index), self.gone]).sort(schema.index)
        if keys.is_empty():
            return None
        span = Interval(keys.row(0), keys.row(-1), True, True)
        hit = touched(schema, present, [span])
        empty = pl.DataFrame(schema=schema.stored)
        old = pl.concat([empty, *(files.read(file) for file in hit)]).sort(schema.index)
        new = pl.concat([old.join(keys, on=schema.index, how="anti"), self.rows]).sort(schema.index)
        if new.equals(old):
            return None
        return _rewrite(schema, present, hit, new)


@dataclass(frozen=True)
class Load:
    """
    Put rows that come frame by frame, in the order of their index, in the place of those from first to last.

    `frames` gives them anew with each call. Nothing changes when the same rows are there. Memory holds a few frames.
    """

    series: str
    frames: "Callable[[], Iterator[pl.DataFrame]]"
    interval: Interval
    rows: int

    def plan(self, schema: Schema, files: DataFiles, present: Sequence[DataFile]) -> Rewrite | None:
        """Rewrite the files that have rows in the interval."""
        hit = touched(schema, present, [self.interval])
        if hit and _same_rows(files.read_all(hit, self.interval), self.frames()):
            return None
        kept = sum(file.rows or 0 for file in present)
        return Rewrite(tuple(hit), self._parts(schema, files, hit, self.rows + kept))

    def _parts(
        self, schema: Schema, files: DataFiles, hit: Sequence[DataFile], total: int
    ) -> "Iterator[pl.DataFrame]":
        inside = self.interval.expression(schema)
        for file in hit:
            # at the ends of the interval alone files have other rows
            outside = files.read(file).filter(~inside)
            for part in _around(schema, outside, self.interval):
                yield from cut(schema, part, total=total)
        for frame in _whole_keys(schema, self.frames()):
            yield from cut(schema, frame, total=total, fresh=True)


@dataclass(frozen=True)
class Drop:
    """Take all rows of a series out."""

    series: str

    def plan(self, schema: Schema, files: DataFiles, present: Sequence[DataFile]) -> Rewrite | None:
        """Take out all of its files."""
        return Rewrite(tuple(present), ()) if present else None


@dataclass(frozen=True)
class Defragment:
    """Make few files of many; the rows stay as they are."""

    series: str
    max_files: int | None = None

    def plan(self, schema: Schema, files: DataFiles, present: Sequence[DataFile]) -> Rewrite | None:
        """Rewrite all files of the series, unless they are few already."""
        import polars as pl

        total = sum(file.rows or 0 for file in present)
        most = -(-total // rows_per_file(total)) if self.max_files is None else self.max_files
        if len(present) <= max(most, 1):
            return None
        rows = in_order(schema, pl.concat(list(files.read_all(present))))
        size = None if self.max_files is None else -(-total // max(self.max_files, 1))
        parts = cut(schema, rows, total=total, size=size)
        return Rewrite(tuple(present), tuple(parts)) if len(parts) < len(present) else None


def _rewrite(
    schema: Schema, present: Sequence[DataFile], removed: Sequence[DataFile], rows: "pl.DataFrame"
) -> Rewrite:
    keys = {file.key for file in removed}
    staying = [file for file in present if file.key not in keys]
    total = rows.height + sum(file.rows or 0 for file in staying)
    fresh = not removed
    parts = cut(schema, rows, total=total, between=staying, fresh=fresh) if not rows.is_empty() else []
    return Rewrite(tuple(removed), tuple(parts))


def _in_any(schema: Schema, intervals: Sequence[Interval]) -> "pl.Expr":
    import polars as pl

    return pl.any_horizontal([interval.expression(schema) for interval in intervals])


def _may_meet(first: Key, last: Key, interval: Interval) -> bool:
    start, stop = interval.start, interval.stop
    if start is not None and compare(last[: len(start)], start) < 0:
        return False
    return stop is None or compare(first[: len(stop)], stop) <= 0


def _same_rows(one: "Iterator[pl.DataFrame]", other: "Iterator[pl.DataFrame]") -> bool:
    """Whether two sources have the same rows, in whatever frames they come."""
    left, right = next(one, None), next(other, None)
    while left is not None and right is not None:
        length = min(left.height, right.height)
        if not left.head(length).equals(right.head(length)):
            return False
        left = left.slice(length) if left.height > length else next(one, None)
        right = right.slice(length) if right.height > length else next(other, None)
    return left is None and right is None


def _around(schema: Schema, rows: "pl.DataFrame", interval: Interval) -> "list[pl.DataFrame]":
    """Rows that are not in an interval: those before it, and those behind it."""
    if interval.start is None or rows.is_empty():
        return [rows] if not rows.is_empty() else []
    behind = Interval(interval.start, None, True, True).expression(schema)
    return [part for part in (rows.filter(~behind), rows.filter(behind)) if not part.is_empty()]


def _whole_keys(schema: Schema, frames: "Iterator[pl.DataFrame]") -> "Iterator[pl.DataFrame]":
    """The same rows, in frames that do not take rows of the same first index apart."""
    import polars as pl

    name, waiting = schema.first.name, None
    for frame in frames:
        if frame.is_empty():
            continue
        if waiting is not None:
            place = place_of_value(waiting[name], waiting[name][-1], behind=False)
            if place:
                yield waiting.head(place)
            frame = pl.concat([waiting.slice(place), frame])
        waiting = frame
    if waiting is not None:
        yield waiting
