"""Entities in columns, as a program has them that makes them set at a time: no JSON is written and read for them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse_assets.statements.parse import strip_namespace
from lakehouse_assets.statements.vocabulary import UNKNOWN, vocabulary

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


@dataclass(frozen=True)
class EntitySource:
    """
    Entities that are made while they are imported, in tables of `entity_table`; their values are clean.

    `positions` that differ tell one emission of an entity from another.
    """

    name: str
    tables: "Callable[[], Iterator[pa.Table]]"
    size: int | None = None


def entity_table(
    positions: "pl.Series", ids: "pl.Series", schema: str, props: Sequence[str], values: "pl.DataFrame"
) -> "pa.Table":
    """
    Entities of one schema: columns position, id, schema, and values, a list of field, value and original_value.

    `values` has the place of the entity, that of the property in `props`, `value` and `original_value`, sorted by
    entity. All properties must be those of the schema.
    """
    import numpy as np
    import polars as pl
    import pyarrow as pa

    names = pl.Series(list(props), dtype=pl.String)
    fields = vocabulary().field_of(pl.repeat(schema, len(names), dtype=pl.String, eager=True), names)
    oldest = pl.CompatLevel.oldest()
    entries = values.select(fields.gather(values["prop"]).alias("field"), "value", "original_value").to_arrow(
        compat_level=oldest
    )
    starts = values["entity"].search_sorted(np.arange(len(ids) + 1, dtype=np.uint32)).cast(pl.Int32)
    structs = pa.StructArray.from_arrays(
        [entries[name].combine_chunks() for name in entries.column_names], entries.column_names
    )
    return pa.table(
        {
            "position": positions.cast(pl.Int64).to_arrow(compat_level=oldest),
            "id": strip_namespace(ids).to_arrow(compat_level=oldest),
            "schema": pl.repeat(schema, len(ids), dtype=pl.String, eager=True).to_arrow(compat_level=oldest),
            "values": pa.ListArray.from_arrays(starts.to_arrow(), structs),
        }
    )


def entities_of(table: "pa.Table") -> "tuple[pl.DataFrame, pl.DataFrame]":
    """The entities of a table (the columns of `parse`, without properties), and their values by line and field."""
    import numpy as np
    import polars as pl

    lists = table["values"].combine_chunks()
    lengths = pl.Series(lists.value_lengths()).to_numpy()
    lines = pl.Series("line", np.repeat(np.arange(len(table), dtype=np.uint32), lengths))
    values = pl.DataFrame([lines, *pl.Series("values", lists.flatten()).struct.unnest()])
    nothing = [pl.lit(None, dtype=pl.String).alias(name) for name in ("origin", "role", "fragment")]
    never = [
        pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias(name)
        for name in ("first_seen", "last_seen", "last_change")
    ]
    entities = pl.DataFrame(table.select(["position", "id", "schema"])).with_columns(*nothing, *never)
    return entities, values.filter(pl.col("field") != UNKNOWN)
