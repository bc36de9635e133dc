"""What an entity is, when its rows do not say the same; and what it is called."""

from functools import cache
from typing import TYPE_CHECKING

from lakehouse_assets.model.ftm import FtmSchema, ftm_model

if TYPE_CHECKING:
    import polars as pl


@cache
def common_schema(names: frozenset[str]) -> tuple[str | None, bool]:
    """
    The one schema for rows of several, and whether they are compatible.

    That is the one among them that is all the others, too; else their nearest common ancestor, if there is any.

    Example:
        >>> common_schema(frozenset({"LegalEntity", "Company", "Organization"}))
        ('Company', True)
        >>> common_schema(frozenset({"Document", "Person"}))
        ('Thing', False)
    """
    schemata = ftm_model().schemata
    found = [schemata[name] for name in sorted(names) if name in schemata]
    if len(found) < len(names):
        return None, False
    for schema in found:
        if all(schema.is_a(other.name) for other in found):
            return schema.name, True
    shared = frozenset.intersection(*(schema.ancestors for schema in found))
    nearest = max((schemata[name] for name in sorted(shared)), key=_depth, default=None)
    return nearest.name if nearest else None, False


@cache
def caption_props() -> "pl.DataFrame":
    """Which properties name an entity, as rows of `schema`, `prop`, `rank`; the lowest rank counts."""
    import polars as pl

    rows = [
        (schema.name, prop, rank)
        for schema in ftm_model().schemata.values()
        for rank, prop in enumerate(schema.caption)
    ]
    return pl.DataFrame(
        rows, schema={"schema": pl.String, "prop": pl.String, "rank": pl.UInt32}, orient="row"
    )


@cache
def labels() -> "pl.DataFrame":
    """What an entity without a name is called, as rows of `schema`, `label`."""
    import polars as pl

    rows = [(schema.name, schema.label) for schema in ftm_model().schemata.values()]
    return pl.DataFrame(rows, schema={"schema": pl.String, "label": pl.String}, orient="row")


@cache
def descendants(name: str) -> frozenset[str]:
    """A schema and all those that are one, too."""
    return frozenset(schema.name for schema in ftm_model().schemata.values() if schema.is_a(name))


def _depth(schema: FtmSchema) -> int:
    return len(schema.ancestors)
