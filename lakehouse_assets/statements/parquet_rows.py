"""Rows of a parquet file of statements in batches, each with its number."""

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import unquote

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.inputs import Source
from lakehouse_assets.statements.lines import position
from lakehouse_assets.statements.rows import RawRows, check_columns
from lakehouse_assets.storage.spilling import spilling

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH = 65_536
_BUFFER = 1 << 20


def read_parquet(
    source: Source, chunks: Iterator[bytes], file_number: int, temp_directory: str | None
) -> Iterator[RawRows]:
    """
    The rows of a file; InvalidData when it holds no statements.

    A data file of a table has the origin in its path, as `origin=NAME`.
    """
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _seekable(source, chunks, temp_directory) as given:
        try:
            file = pq.ParquetFile(given, buffer_size=_BUFFER, pre_buffer=False)
            columns = _columns(source.name, file)
            row = 0
            for batch in file.iter_batches(_BATCH, columns=columns):
                frame = _texts(pl.DataFrame(pa.Table.from_batches([batch])), source)
                numbers = pl.int_range(row + 1, row + 1 + len(frame), eager=True)
                row += len(frame)
                yield RawRows(frame, numbers + position(file_number, 0), _text_of(frame))
        except (pa.ArrowException, OSError, UnicodeDecodeError, pl.exceptions.PolarsError) as exc:
            msg = f"cannot read {source.name}: {exc}; nothing was imported"
            raise InvalidData(msg) from exc


@contextmanager
def _seekable(
    source: Source, chunks: Iterator[bytes], temp_directory: str | None
) -> "Iterator[Path | IO[bytes]]":
    """The file itself, or a copy of what comes from a stream: parquet is read from its end."""
    with ExitStack() as stack:
        with spilling(temp_directory):
            temp = tempfile.TemporaryFile(prefix="lakehouse-parquet-", dir=temp_directory)  # noqa: SIM115
        copy = stack.enter_context(temp)
        is_plain = False
        for chunk in chunks:
            if source.path is not None and not is_plain:
                with open(source.path, "rb") as file:
                    is_plain = file.read(4) == chunk[:4]
            if is_plain:
                continue
            with spilling(temp_directory):
                copy.write(chunk)
        with spilling(temp_directory):
            # what was held back is written now
            copy.seek(0)
        yield source.path if is_plain and source.path is not None else copy


def _columns(name: str, file: "pq.ParquetFile") -> list[str]:
    schema = file.schema_arrow
    columns = check_columns(name, schema.names)
    for column in columns:
        found = schema.field(column).type
        if not _fits(column, found):
            msg = (
                f"{name} is no file of statements: its column {column} holds {found}. Nothing was imported; "
                f"write {_wanted(column)} there"
            )
            raise InvalidData(msg)
    return columns


def _fits(column: str, found: "pa.DataType") -> bool:
    import pyarrow.types as types

    if types.is_dictionary(found):
        found = found.value_type
    if types.is_null(found):
        return column in _nullable()
    if types.is_string(found) or types.is_large_string(found) or types.is_string_view(found):
        return True
    if column == s.EXTERNAL:
        return bool(types.is_boolean(found))
    return column in _times() and bool(types.is_timestamp(found) or types.is_date(found))


def _nullable() -> set[str]:
    return {s.ORIGINAL_VALUE, s.LANG, s.ORIGIN, s.EXTERNAL, s.FRAGMENT, s.ROLE, *_times()}


def _times() -> set[str]:
    return {s.FIRST_SEEN, s.LAST_SEEN, s.DELETED_AT}


def _wanted(column: str) -> str:
    if column in _times():
        return "times or texts"
    return "booleans or texts" if column == s.EXTERNAL else "texts"


def _texts(frame: "pl.DataFrame", source: Source) -> "pl.DataFrame":
    """The columns in the types that `check_rows` takes."""
    import polars as pl

    columns = []
    for column in frame:
        if isinstance(column.dtype, pl.Categorical | pl.Enum | pl.Null):
            column = column.cast(pl.String)
        if isinstance(column.dtype, pl.Date):
            column = column.cast(pl.Datetime("us"))
        if isinstance(column.dtype, pl.Datetime):
            column = _utc(column)
        columns.append(column)
    origin = _origin_of(source)
    if origin is not None and s.ORIGIN not in frame.columns:
        columns.append(pl.repeat(origin, len(frame), dtype=pl.String, eager=True).alias(s.ORIGIN))
    return pl.DataFrame(columns)


def _utc(column: "pl.Series") -> "pl.Series":
    """Times in UTC; those without a zone are that already."""
    import polars as pl

    zone = column.dtype.time_zone  # type: ignore[attr-defined]
    column = column.dt.replace_time_zone("UTC") if zone is None else column.dt.convert_time_zone("UTC")
    return column.cast(pl.Datetime("us", "UTC"))


def _origin_of(source: Source) -> str | None:
    """The origin that stands in the path of a table's data file."""
    found = re.search(rf"{s.ORIGIN}=([^/]+)$", source.path.parent.as_posix()) if source.path else None
    return unquote(found[1]) if found else None


def _text_of(frame: "pl.DataFrame") -> Callable[[int], bytes]:
    return lambda index: json.dumps(frame.row(index, named=True), default=str, ensure_ascii=False).encode()
