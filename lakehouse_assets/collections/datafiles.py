"""The files of a table: rows to Parquet, and back."""

import hashlib
import io
import json
import logging
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO, cast

from lakehouse_assets.collections.bounds import Interval, bound_of, place_of_value, sorted_by
from lakehouse_assets.collections.commits import DataFile
from lakehouse_assets.collections.frames import in_order
from lakehouse_assets.collections.schema import Schema
from lakehouse_assets.errors import InvalidData, LakehouseError, StorageError
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

log = logging.getLogger(__name__)

ROWS = 1_000_000
"""The most rows of a file."""

FEW_ROWS = 16_000
"""A change of some rows rewrites the files that these are in: of so many rows each, that is little."""

_FILES = 256
# a range is read by groups of rows: so many are read in a millisecond
_GROUP = 64 * 1024
# below this, one request for all of a file is quicker than several for its parts
_SMALL = 8 << 20
_LONGEST_BOUND = 256
# most files of a table are small, and decoded faster than threads are started
_READ_BY_THREADS = 4 << 20
# so many requests to a store at once
_READERS = 8


class DataFiles:
    """
    The data files of a table's folder, read through a cache if there is one.

    They never change once they are written, so a copy in the cache is as good as the file.
    """

    def __init__(self, schema: Schema, location: Location, cache: Location | None = None) -> None:
        self._schema = schema
        self._location = location
        self._cache = cache

    def write(self, frame: "pl.DataFrame", series: str | None) -> DataFile:
        """Write sorted rows as one file, which no version has yet."""
        import pyarrow.parquet as pq

        key, sink = f"{uuid.uuid4().hex}.parquet", io.BytesIO()
        table = self._to_arrow(frame)
        texts = [name for name in table.schema.names if _encoding(table.schema.field(name).type) is None]
        packed = {
            name: encoding
            for name in table.schema.names
            if (encoding := _encoding(table.schema.field(name).type)) is not None
        }
        pq.write_table(
            table,
            sink,
            compression="zstd",
            use_dictionary=texts,
            column_encoding=packed,
            row_group_size=_GROUP,
            write_statistics=self._schema.index,
        )
        data = sink.getvalue()
        self._location.write(key, data)
        lower, upper = self._bounds(frame)
        stats: dict[str, object] = {"numRecords": frame.height}
        if lower is not None:
            name = self._schema.first.name
            stats |= {"minValues": {name: lower}, "maxValues": {name: upper}, "nullCount": {name: 0}}
        at = int(now_utc().timestamp() * 1000)
        digest = hashlib.sha256(data).hexdigest()
        return DataFile(
            key, len(data), frame.height, series, lower, upper, at, json.dumps(stats), digest=digest
        )

    def read(
        self, file: DataFile, interval: Interval | None = None, columns: Sequence[str] | None = None
    ) -> "pl.DataFrame":
        """The rows of a file, in order; with an interval those that are in it."""
        return self._together([file], interval, columns)

    def read_all(
        self,
        files: Sequence[DataFile],
        interval: Interval | None = None,
        columns: Sequence[str] | None = None,
        *,
        at_once: bool = False,
    ) -> Iterator["pl.DataFrame"]:
        """
        The rows of several files in the order of their index: in parts where the files' bounds allow it.

        The first parts are small, as they may be all that is wanted, unless all are wanted `at_once`.
        """
        ordered = sorted_by(self._schema, files)
        if ordered is None:
            yield self._together(files, interval, columns)
            return
        for group in _groups(ordered, len(ordered) if at_once else 1):
            yield self._together(group, interval, columns, apart=True)

    def _together(
        self,
        files: Sequence[DataFile],
        interval: Interval | None,
        columns: Sequence[str] | None,
        *,
        apart: bool = False,
    ) -> "pl.DataFrame":
        """
        The rows of some files as one frame, in order: what is done once for many is not done for each.

        `apart` says that each file starts behind the end of the one before.
        """
        import polars as pl
        import pyarrow as pa

        wanted = list(columns if columns is not None else self._schema)
        needed = [name for name in self._schema if name in wanted or name in self._schema.index]
        workers = 1 if self._location.path is not None else _READERS
        tables = (
            [self._checked(file, needed, interval) for file in files]
            if workers == 1 or len(files) == 1
            else list(in_parallel(lambda file: self._checked(file, needed, interval), files, workers=workers))
        )
        alike = all(table.schema.equals(tables[0].schema) for table in tables)
        found = [pa.concat_tables(tables)] if alike else tables
        frames = [
            self._typed(cast("pl.DataFrame", pl.from_arrow(table, rechunk=False)), needed) for table in found
        ]
        frame = frames[0] if len(frames) == 1 else pl.concat(frames)
        # others may write files that are not sorted; ours bear a digest
        if not apart or any(file.digest is None for file in files):
            frame = in_order(self._schema, frame)
        if interval is not None:
            frame = interval.within(self._schema, frame)
        return frame if wanted == needed else frame.select(wanted)

    def _typed(self, frame: "pl.DataFrame", names: list[str]) -> "pl.DataFrame":
        """The columns as they are stored; other programs write other types, and leave out what is null throughout."""
        import polars as pl

        kinds = {name: self._schema[name].type.stored for name in names}
        if frame.schema == pl.Schema(kinds):
            return frame
        there = [pl.col(name) if name in frame.columns else pl.lit(None).alias(name) for name in names]
        return frame.select(there).cast(kinds)  # type: ignore[arg-type]

    def _checked(self, file: DataFile, columns: list[str], interval: Interval | None) -> "pa.Table":
        import pyarrow as pa

        try:
            return self._read(file, columns, interval)
        except LakehouseError:
            raise
        except (pa.ArrowInvalid, OSError, EOFError) as exc:
            msg = f"the file {self._location.url(file.key)} cannot be read: {exc}"
            raise InvalidData(f"{msg}; pull it again from a copy, or restore it from a backup") from exc

    def _read(self, file: DataFile, columns: list[str], interval: Interval | None) -> "pa.Table":
        import pyarrow.parquet as pq

        with self._open(file) as opened:
            found = pq.ParquetFile(opened, pre_buffer=False)
            present = [name for name in columns if name in found.schema_arrow.names]
            threads = file.size > _READ_BY_THREADS
            if interval is None or found.num_row_groups == 1:
                return found.read(columns=present, use_threads=threads)
            groups = [
                at
                for at in range(found.num_row_groups)
                if interval.may_touch(self._schema, self._group(found, at))
            ]
            return found.read_row_groups(groups, columns=present, use_threads=threads)

    def _group(self, found: "pq.ParquetFile", at: int) -> DataFile:
        """A group of rows, as if it were a file: its bounds."""
        group, name = found.metadata.row_group(at), self._schema.first.name
        for number in range(group.num_columns):
            column = group.column(number)
            if column.path_in_schema == name and column.is_stats_set and column.statistics.has_min_max:
                lower, upper = column.statistics.min, column.statistics.max
                # texts may be cut, and bytes have no order that everybody agrees on
                if isinstance(lower, int | float):
                    return DataFile("", 0, lower=lower, upper=upper)
                if isinstance(lower, datetime):
                    return DataFile("", 0, lower=lower.isoformat(), upper=upper.isoformat())
        return DataFile("", 0)

    def _open(self, file: DataFile) -> BinaryIO:
        path = self._location.local(file.key)
        if path is not None and self._cache is None:
            try:
                return open(path, "rb")
            except FileNotFoundError as exc:
                raise self._missing(file) from exc
        if self._cache is not None:
            return io.BytesIO(self._through_cache(file, self._cache))
        if file.size > _SMALL:
            return self._location.open_ranges(file.key)
        data = self._location.read_or_none(file.key)
        if data is None:
            raise self._missing(file)
        return io.BytesIO(data)

    def _through_cache(self, file: DataFile, cache: Location) -> bytes:
        data = cache.read_or_none(file.key)
        if data is not None and len(data) == file.size:
            return data
        data = self._location.read_or_none(file.key)
        if data is None:
            raise self._missing(file)
        try:
            cache.write(file.key, data)
        except StorageError as exc:
            log.warning("the cache %s takes no file: %s", cache.uri, exc)
        return data

    def _missing(self, file: DataFile) -> LakehouseError:
        msg = f"the file {self._location.url(file.key)} is gone, which a version needs"
        return StorageError(f"{msg}; pull it again from a copy, or restore it from a backup")

    def _to_arrow(self, frame: "pl.DataFrame") -> "pa.Table":
        import pyarrow as pa

        names = list(self._schema)
        frame = frame if frame.columns == names else frame.select(names)
        table = frame.to_arrow(compat_level=_oldest())
        # large texts are an Arrow thing that not every reader of the files knows
        plain = {pa.large_string(): pa.string(), pa.large_binary(): pa.binary()}
        if not any(kind in plain for kind in table.schema.types):
            return table
        return table.cast(pa.schema([pa.field(f.name, plain.get(f.type, f.type)) for f in table.schema]))

    def _bounds(self, frame: "pl.DataFrame") -> "tuple[int | float | str | None, int | float | str | None]":
        """The bounds of sorted rows as the log holds them; wider than they are where the log's are coarse."""
        column = self._schema.first
        lower, upper = frame[column.name][0], frame[column.name][-1]
        if isinstance(lower, datetime):
            # all agree on milliseconds only
            low = lower.replace(microsecond=lower.microsecond // 1000 * 1000)
            high = upper.replace(microsecond=upper.microsecond // 1000 * 1000)
            high = high if high == upper else high + timedelta(milliseconds=1)
            return _text_of(low), _text_of(high)
        if column.type.name == "date":
            return lower.isoformat(), upper.isoformat()
        if isinstance(lower, str):
            long = max(len(lower), len(upper)) > _LONGEST_BOUND
            return (None, None) if long else (lower, upper)
        if isinstance(lower, float):
            finite = abs(lower) != float("inf") and abs(upper) != float("inf")
            return (lower, upper) if finite else (None, None)
        return (lower, upper) if isinstance(lower, int) else (None, None)


def _groups(files: Sequence[DataFile], size: int) -> Iterator[list[DataFile]]:
    """The files in groups: the first one of so many files, later ones of more, all of a million rows at most."""
    start = 0
    while start < len(files):
        end, rows = start, 0
        while (
            end < len(files)
            and end - start < size
            and (end == start or rows + (files[end].rows or ROWS) <= ROWS)
        ):
            rows += files[end].rows or ROWS
            end += 1
        yield list(files[start:end])
        start, size = end, size * 4


def cut(
    schema: Schema,
    frame: "pl.DataFrame",
    *,
    total: int,
    between: Sequence[DataFile] = (),
    size: int | None = None,
) -> "list[pl.DataFrame]":
    """
    Sorted rows in parts for files: of some thousand rows each, larger in series of many (`total`) rows, or of `size`.

    No part reaches over one of the files `between`, and rows of the same index stay together.
    """
    size = min(size or rows_per_file(total), ROWS)
    parts = _apart(schema, frame, between)
    return [piece for part in parts for piece in _pieces(schema, part, size)]


def rows_per_file(total: int) -> int:
    """How many rows a file of a series should have, so that there are neither many files nor large ones."""
    return min(max(FEW_ROWS, -(-total // _FILES)), ROWS)


def _apart(schema: Schema, frame: "pl.DataFrame", between: Sequence[DataFile]) -> "list[pl.DataFrame]":
    if frame.is_empty() or not between:
        return [frame]
    column = frame[schema.first.name]
    first, last = column[0], column[-1]
    starts = [bound for file in between if (bound := bound_of(schema.first, file.lower)) is not None]
    inside = [start for start in starts if first < start < last]
    places = sorted({place_of_value(column, start, behind=False) for start in inside})
    cuts = [0, *places, frame.height]
    return [frame.slice(a, b - a) for a, b in pairwise(cuts) if b > a]


def _pieces(schema: Schema, frame: "pl.DataFrame", size: int) -> "Iterator[pl.DataFrame]":
    # a quarter more is better than one more file
    most = min(size * 5 // 4, ROWS)
    step = -(-frame.height // -(-frame.height // most)) if frame.height else 1
    start = 0
    while start < frame.height:
        end = _end_of_key(schema, frame, start + step)
        yield frame.slice(start, end - start)
        start = end


def _end_of_key(schema: Schema, frame: "pl.DataFrame", end: int) -> int:
    """Where rows of the same first index end that a cut at `end` would take apart."""
    if end >= frame.height:
        return frame.height
    column = frame[schema.first.name]
    last = column[end - 1]
    return end if column[end] != last else place_of_value(column, last, behind=True)


def _encoding(kind: "pa.DataType") -> str | None:
    """How a column is packed: numbers by their differences or byte by byte, texts by a dictionary."""
    import pyarrow as pa

    if pa.types.is_floating(kind):
        return "BYTE_STREAM_SPLIT"
    if pa.types.is_integer(kind) or pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "DELTA_BINARY_PACKED"
    return None


def _oldest() -> "pl.CompatLevel":
    import polars as pl

    return pl.CompatLevel.oldest()


def _text_of(at: datetime) -> str:
    text = (at.astimezone(UTC) if at.tzinfo else at).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
