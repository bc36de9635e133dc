"""Statements as parquet: the columns of exports/statements.csv, typed."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lakehouse_assets.exports.statements_csv import CANONICAL_ID, FIELDS
from lakehouse_assets.statements import schema as s
from lakehouse_assets.storage.digest import DigestWriter, Sink

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

_ROW_GROUP = 131_072
"""Rows of a group: enough for readers to skip by, few enough to be held while writing."""


def write_parquet(frames: "Iterable[pl.DataFrame]", file: Sink, *, first: Sequence[str] = ()) -> int:
    """
    Write statements as they come, a few at a time; returns how many. A file that takes bytes is enough.

    `first` names columns of texts that the frames have besides, and that come first.
    """
    import pyarrow.parquet as pq

    schema = _schema(first)
    rows, held = 0, list["pl.DataFrame"]()
    with pq.ParquetWriter(DigestWriter(file), schema, compression="zstd", compression_level=1) as writer:
        for frame in frames:
            held.append(frame)
            if sum(map(len, held)) >= _ROW_GROUP:
                rows += _write(writer, held, schema)
        return rows + _write(writer, held, schema)


def _write(writer: "pa.parquet.ParquetWriter", held: "list[pl.DataFrame]", schema: "pa.Schema") -> int:
    import polars as pl

    if not held:
        return 0
    frame = pl.concat(held).with_columns(pl.col(s.ENTITY_ID).alias(CANONICAL_ID)).select(schema.names)
    held.clear()
    writer.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema))
    return len(frame)


def _schema(first: Sequence[str]) -> "pa.Schema":
    import pyarrow as pa

    table = s.table_schema()
    fields = {name: table.field(s.ENTITY_ID if name == CANONICAL_ID else name) for name in FIELDS}
    leading = [pa.field(name, pa.string(), nullable=False) for name in first]
    return pa.schema([*leading, *(field.with_name(name) for name, field in fields.items())])
