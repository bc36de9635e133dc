"""Cleaning values with followthemoney, each distinct one once."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from lakehouse_assets.model.cleaning import Remembered, unchanged
from lakehouse_assets.statements.explode import Tally
from lakehouse_assets.statements.vocabulary import Vocabulary

if TYPE_CHECKING:
    import polars as pl
    from followthemoney.types.common import PropertyType


class ValueCleaner:
    """
    Cleans the values of statements, and counts those that are rejected.

    A value is rejected when followthemoney makes nothing of it: a country that is none, an entity that names itself.
    """

    def __init__(self, words: Vocabulary) -> None:
        self._words = words
        self._cleaners: dict[str, Remembered] = {}

    def clean(self, values: "pl.DataFrame", ids: "pl.Series", tally: Tally) -> "pl.DataFrame":
        """
        Rows of `line`, `field`, `value` with clean values, and `original_value` where cleaning changed something.

        `ids` has the entity's id for each `line`. Rejected values are left out and counted.
        """
        import polars as pl

        kinds = self._words.fields["prop_type"].gather(values["field"]).alias("kind")
        rows = values.with_columns(kinds, pl.int_range(pl.len()).alias("row"))
        parts = [
            self._clean_kind(str(kind), part)
            for (kind,), part in rows.partition_by("kind", as_dict=True).items()
        ]
        if not parts:
            return values.with_columns(original_value=pl.lit(None, dtype=pl.String))
        rows = pl.concat(parts).sort("row")
        selfish = (pl.col("kind") == "entity") & (pl.col("clean") == ids.gather(rows["line"]))
        rows = rows.with_columns(clean=pl.when(selfish).then(None).otherwise("clean"))
        self._count(rows.filter(pl.col("clean").is_null()), tally)
        changed = pl.col("clean") != pl.col("value")
        return rows.filter(pl.col("clean").is_not_null()).select(
            "line", "field", value="clean", original_value=pl.when(changed).then("value")
        )

    def _clean_kind(self, kind: str, rows: "pl.DataFrame") -> "pl.DataFrame":
        if kind not in self._cleaners:
            self._cleaners[kind] = Remembered(_cleaning(kind))
        values = rows["value"]
        return rows.with_columns(clean=self._cleaners[kind].apply(values, unchanged(kind, values)))

    def _count(self, rejected: "pl.DataFrame", tally: Tally) -> None:
        if not len(rejected):
            return
        for schema, prop, count in (
            self._words.fields[rejected["field"]]
            .group_by("schema", "prop")
            .len()
            .select("schema", "prop", "len")
            .iter_rows()
        ):
            tally.rejected[f"{schema}.{prop}"] += count


def _cleaning(kind: str) -> Callable[[str], str | None]:
    """What followthemoney makes of a value of a type; None when it is none."""
    return lambda value: _type(kind).clean(value) or None


@cache
def _type(kind: str) -> "PropertyType":
    # most files hold nothing that has to be asked about
    from followthemoney.types import registry

    return registry.get(kind)
