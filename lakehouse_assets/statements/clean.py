"""
Cleaning values with followthemoney, each distinct one once.

Most values are already clean. Which ones is decided for whole columns by patterns that say yes only where
followthemoney would change nothing; everything else goes through it.
"""

from typing import TYPE_CHECKING

from lakehouse_assets.statements.explode import Tally
from lakehouse_assets.statements.vocabulary import Vocabulary

if TYPE_CHECKING:
    import polars as pl

_REMEMBERED = 200_000
"""Cleaned values kept per type from block to block, about 40 MB."""

# white space and control characters of any kind, but not the plain space
_ODD = r"[\p{C}\p{Z}&&[^ ]]"
_TIDY = r"^[^ \"'](.*[^ \"'])?$"

# types whose cleaning leaves tidy text alone, with what else would make it change something
_PLAIN: dict[str, str | None] = {
    "string": None,
    "text": None,
    "html": None,
    "identifier": None,
    "checksum": None,
    "json": None,
    "number": None,
    "name": r"  ",
    "address": r"(?i)  |;|<br|esq[.,]|, ?[,.]",
}

# values of the other types that are surely clean; narrower than what followthemoney leaves alone
_LABEL = r"[a-z0-9](?:-?[a-z0-9]){0,20}"
_HOST = rf"(?:{_LABEL}\.){{1,4}}[a-z]{{2,20}}"
_URL_TEXT = r"[A-Za-z0-9._~%+=&,:@!$()*/\-]"
_CLEAN = {
    "entity": r"^[0-9a-zA-Z]([0-9a-zA-Z.\-]*[0-9a-zA-Z])?$",
    "date": r"^[12][0-9]{3}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|1[0-9]|2[0-8]))?"
    r"|-(?:0[13-9]|1[0-2])-(?:29|30)|-(?:0[13578]|1[02])-31)?$",
    "url": rf"^https?://{_HOST}/{_URL_TEXT}*(?:\?{_URL_TEXT}+)?(?:#{_URL_TEXT}+)?$",
    "email": rf"^[A-Za-z0-9._%+\-]{{1,64}}@{_HOST}$",
}


class ValueCleaner:
    """
    Cleans the values of statements, and counts those that are rejected.

    A value is rejected when followthemoney makes nothing of it: a country that is none, an entity that names itself.
    """

    def __init__(self, words: Vocabulary) -> None:
        self._words = words
        self._known: dict[str, dict[str, str | None]] = {}

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
        import polars as pl

        same = _unchanged(kind, rows["value"])
        rest = rows["value"].filter(~same).unique()
        if not len(rest):
            return rows.with_columns(clean="value")
        known = self._cleaned(kind, rest)
        table = pl.DataFrame(
            {"value": rest, "clean": [known[value] for value in rest]}, schema_overrides={"clean": pl.String}
        )
        joined = rows.join(table, on="value", how="left", maintain_order="left")
        return joined.with_columns(clean=pl.when(same).then("value").otherwise("clean"))

    def _cleaned(self, kind: str, values: "pl.Series") -> dict[str, str | None]:
        from followthemoney.types import registry

        known = self._known.setdefault(kind, {})
        if len(known) > _REMEMBERED:
            known.clear()
        type_ = registry.get(kind)
        for value in values:
            if value not in known:
                known[value] = type_.clean(value) or None
        return known

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


def _unchanged(kind: str, values: "pl.Series") -> "pl.Series":
    """Values that cleaning is sure to leave as they are."""
    import polars as pl

    if kind in _CLEAN:
        return values.str.contains(_CLEAN[kind])
    if kind not in _PLAIN:
        return pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)
    tidy = values.str.contains(_TIDY) & ~values.str.contains(_ODD)
    trouble = _PLAIN[kind]
    if trouble is not None:
        tidy &= ~values.str.contains(trouble)
    if values.str.len_bytes().sum() == values.str.len_chars().sum():
        return tidy
    return tidy & (values.str.normalize("NFC") == values)
