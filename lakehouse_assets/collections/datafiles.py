"""The files of a table: rows to Parquet, and back."""

import hashlib
import io
import json
import logging
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, BinaryIO, cast

from lakehouse_assets.collections.bounds import Interval, sorted_by
from lakehouse_assets.collections.commits import DataFile, millis
from lakehouse_assets.collections.cutting import ROWS
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

# a range is read by groups of rows: so many are read in a millisecond
_GROUP = 64 * 1024
# below this, one request for all of a file is quicker than several for its parts
_SMALL = 8 << 20
_LONGEST_BOUND = 256
# most files of a table are small, and decoded faster than threads are started
_READ_BY_THREADS = 4 << 20
# rows are packed side by side: so much runs without the interpreter's lock
_PACKERS = 4
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

    def write(self, frames: "Iterable[pl.DataFrame]", series: str | None) -> list[DataFile]:
        """Write frames of sorted rows as a file each, which no version has yet."""
        made = []

        def packed() -> Iterator[tuple[str, bytes]]:
            for file, data in self._packed(frames, series):
                made.append(file)
                yield file.key, data

        # nobody knows of them before the log does
        self._location.write_unseen(packed())
        return made

    def _packed(
        self, frames: "Iterable[pl.DataFrame]", series: str | None
    ) -> Iterator[tuple[DataFile, bytes]]:
        if isinstance(frames, Sequence) and len(frames) == 1:
            yield self._pack(frames[0], series)
        else:
            pool = _packers(os.getpid())
            yield from in_parallel(
                lambda frame: self._pack(frame, series), frames, workers=_PACKERS, pool=pool
            )

    def _pack(self, frame: "pl.DataFrame", series: str | None) -> tuple[DataFile, bytes]:
        """Rows as a file: what the log says of it, and its bytes."""
        import pyarrow.parquet as pq

        sink = io.BytesIO()
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
        lower, upper = self._bounds(frame)
        stats: dict[str, object] = {"numRecords": frame.height}
        if lower is not None:
            name = self._schema.first.name
            stats |= {"minValues": {name: lower}, "maxValues": {name: upper}, "nullCount": {name: 0}}
        file = DataFile(
            f"{uuid.uuid4().hex}.parquet",
            len(data),
            frame.height,
            series,
            lower,
            upper,
            millis(now_utc()),
            json.dumps(stats),
            digest=hashlib.sha256(data).hexdigest(),
        )
        return file, data

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


@cache
def _packers(process: int) -> ThreadPoolExecutor:
    """Threads that stay, as starting them takes longer than what small writes need them for; none survives a fork."""
    return ThreadPoolExecutor(_PACKERS, thread_name_prefix=f"pack-rows-{process}")


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
