"""The FollowTheMoney model as small tables, so that rows join it by number and not by look-up in Python."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

from lakehouse_assets.model.ftm import ftm_model

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

UNKNOWN = -1
"""No property of that name in that schema, or one that holds no values of its own (a stub)."""


@dataclass(frozen=True)
class Vocabulary:
    """
    Schemata and properties by number.

    `fields` has one row per (schema, property) that can hold values, sorted by both: schema, prop, prop_type,
    bucket, prop_rank (order of the property's name), format (of identifiers; null elsewhere).
    """

    schemata: "pl.DataFrame"
    fields: "pl.DataFrame"
    schema_type: "pl.Enum"
    prop_type: "pl.Enum"
    base_rank: int
    _rows: "np.ndarray[tuple[int], np.dtype[np.int32]]"

    def field_of(self, schema: "pl.Series", prop: "pl.Series") -> "pl.Series":
        """The row in `fields` for each pair of names, `UNKNOWN` where the schema has no such property."""
        import numpy as np
        import polars as pl

        width = len(self.prop_type.categories)
        schemata = (
            schema.cast(self.schema_type, strict=False).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
        )
        props = prop.cast(self.prop_type, strict=False).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
        known = (schemata >= 0) & (props >= 0)
        rows = np.full(len(schemata), UNKNOWN, dtype=np.int32)
        rows[known] = self._rows[schemata[known] * width + props[known]]
        return pl.Series("field", rows)


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary of the installed followthemoney; read once per process."""
    import numpy as np
    import polars as pl

    from lakehouse_assets.statements.schema import BASE_PROP

    schemata = list(ftm_model().schemata.values())
    names = sorted({BASE_PROP} | {prop.name for schema in schemata for prop in schema.properties})
    rank = {name: number for number, name in enumerate(names)}
    rows = np.full(len(schemata) * len(names), UNKNOWN, dtype=np.int32)
    fields: list[tuple[str, str, str, str, int, str | None]] = []
    for number, schema in enumerate(schemata):
        bucket = bucket_of(schema)
        for prop in schema.properties:
            rows[number * len(names) + rank[prop.name]] = len(fields)
            fields.append((schema.name, prop.name, prop.type, bucket, rank[prop.name], prop.format))
    return Vocabulary(
        schemata=pl.DataFrame(
            [(schema.name, schema.abstract, bucket_of(schema)) for schema in schemata],
            schema=["schema", "abstract", "bucket"],
            orient="row",
        ),
        fields=pl.DataFrame(
            fields,
            schema={
                "schema": pl.String,
                "prop": pl.String,
                "prop_type": pl.String,
                "bucket": pl.String,
                "prop_rank": pl.UInt32,
                "format": pl.String,
            },
            orient="row",
        ),
        schema_type=pl.Enum([schema.name for schema in schemata]),
        prop_type=pl.Enum(names),
        base_rank=rank[BASE_PROP],
        _rows=rows,
    )


class _Schema(Protocol):
    """A schema, ours or followthemoney's own."""

    def is_a(self, name: str, /) -> bool:
        """Whether it is another schema, too."""


def bucket_of(schema: _Schema) -> str:
    """The bucket that the entities of a schema lie in; the order of the questions is part of the format."""
    for parent in ("Page", "Mention", "Document", "Interval"):
        if schema.is_a(parent):
            return parent.lower()
    return "thing"
