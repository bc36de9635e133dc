"""Rows to CSV and Parquet files."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lakehouse_assets.collections.schema import Schema
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    import polars as pl

    from lakehouse_assets.storage.digest import DigestWriter

FILE_TYPES = ("csv", "parquet")
"""What collections are written as; a file's name ends so."""


def write_file(
    schema: Schema, frames: "Iterator[pl.DataFrame]", folder: Location, key: str, file_type: str
) -> int:
    """Write rows to a file, whole or not at all, in place of an earlier one; gives how many."""
    with folder.writer(key) as file:
        return _csv(schema, frames, file) if file_type == "csv" else _parquet(schema, frames, file)


def _csv(schema: Schema, frames: "Iterator[pl.DataFrame]", file: "DigestWriter") -> int:
    """
    Texts stand in quotes, what has no value is empty and without quotes.

    Bytes are written in hex, times with six digits of a second, those in UTC with a Z, objects as JSON.
    """
    rows = 0
    file.write(as_csv(schema, None))
    for frame in frames:
        file.write(as_csv(schema, frame))
        rows += frame.height
    return rows


def as_csv(schema: Schema, frame: "pl.DataFrame | None") -> bytes:
    """
    Rows as they are stored as CSV, without the line of the columns; without rows, that line.

    Example:
        >>> schema = Schema(time="int*", name="str")
        >>> as_csv(schema, None) + as_csv(schema, pl.DataFrame({"time": [1, 2], "name": ["", None]}))
        b'time,name\\n1,""\\n2,\\n'
    """
    import polars as pl

    if frame is None:
        return pl.DataFrame(schema=dict.fromkeys(schema, pl.String)).write_csv().encode()
    return _as_text(schema, frame).write_csv(include_header=False, quote_style="non_numeric").encode()


def _as_text(schema: Schema, frame: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    columns = []
    for column in schema.columns.values():
        found = pl.col(column.name)
        if column.type.name.startswith("timestamp"):
            zone = "Z" if column.type.name == "timestamp_utc" else ""
            found = found.dt.strftime(f"%Y-%m-%dT%H:%M:%S%.6f{zone}")
        elif column.type.name == "bytes":
            found = found.bin.encode("hex")
        columns.append(found)
    return frame.select(columns)


def _parquet(schema: Schema, frames: "Iterator[pl.DataFrame]", file: "DigestWriter") -> int:
    import polars as pl
    import pyarrow.parquet as pq

    oldest = pl.CompatLevel.oldest()
    made = _as_given(schema, pl.DataFrame(schema=schema.stored)).to_arrow(compat_level=oldest).schema
    rows = 0
    with pq.ParquetWriter(file, made, compression="zstd") as writer:
        for frame in frames:
            writer.write_table(_as_given(schema, frame).to_arrow(compat_level=oldest).cast(made))
            rows += frame.height
    return rows


def _as_given(schema: Schema, frame: "pl.DataFrame") -> "pl.DataFrame":
    """The columns of their own types, objects as JSON text."""
    return frame.with_columns(
        frame[c.name].cast(c.type.given) for c in schema.columns.values() if c.type.name != "object"
    )
