"""What an entity is, when its rows do not say the same; and what it is called."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl
    from followthemoney.schema import Schema

# followthemoney is imported in the functions: it takes 0.7 s


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
    from followthemoney import model

    found = [schema for name in sorted(names) if (schema := model.get(name)) is not None]
    if len(found) < len(names):
        return None, False
    for schema in found:
        if all(schema.is_a(other) for other in found):
            return schema.name, True
    shared = set.intersection(*({parent.name for parent in schema.schemata} for schema in found))
    ancestors = [schema for name in sorted(shared) if (schema := model.get(name)) is not None]
    nearest = max(ancestors, key=_depth, default=None)
    return nearest.name if nearest else None, False


@cache
def caption_props() -> "pl.DataFrame":
    """Which properties name an entity, as rows of `schema`, `prop`, `rank`; the lowest rank counts."""
    import polars as pl
    from followthemoney import model

    rows = [
        (schema.name, prop, rank)
        for schema in sorted(model.schemata.values(), key=lambda schema: schema.name)
        for rank, prop in enumerate(schema.caption)
    ]
    return pl.DataFrame(
        rows, schema={"schema": pl.String, "prop": pl.String, "rank": pl.UInt32}, orient="row"
    )


@cache
def labels() -> "pl.DataFrame":
    """What an entity without a name is called, as rows of `schema`, `label`."""
    import polars as pl
    from followthemoney import model

    rows = sorted((schema.name, schema.label) for schema in model.schemata.values())
    return pl.DataFrame(rows, schema={"schema": pl.String, "label": pl.String}, orient="row")


@cache
def descendants(name: str) -> frozenset[str]:
    """A schema and all those that are one, too."""
    from followthemoney import model

    return frozenset(schema.name for schema in model.schemata.values() if schema.is_a(name))


def _depth(schema: "Schema") -> int:
    return len(schema.schemata)
