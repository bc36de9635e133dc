"""Counting entities, and how many of them have a property, in one read."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse_assets.exports.grouping import entity_frames
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.reader import Reader

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Counts:
    """
    How many entities there are, as statistics.json counts them: rows from outside the dataset do not count.

    `lines` are the lines of entities.ftm.json, where entities of such rows alone stand, too; `filled` has
    for properties (`Person.name`) how many entities of the schema have a value.
    """

    entities: int
    lines: int
    schemata: Mapping[str, int]
    filled: Mapping[str, int]


def count(reader: Reader, properties: Collection[str] = ()) -> Counts:
    """Count all entities, and those that have each of some properties (`Person.name`)."""
    import polars as pl

    columns = [s.ENTITY_ID, s.SCHEMA, s.EXTERNAL, *([s.PROP] if properties else [])]
    entities = lines = 0
    schemata: Counter[str] = Counter()
    filled: Counter[str] = Counter()
    for rows in entity_frames(reader, columns):
        lines += rows[s.ENTITY_ID].n_unique()
        if rows[s.EXTERNAL].any():
            rows = rows.filter(~pl.col(s.EXTERNAL))
        kinds = _distinct(rows.select(s.ENTITY_ID, s.SCHEMA))
        entities += kinds[s.ENTITY_ID].n_unique()
        schemata.update(dict(kinds[s.SCHEMA].value_counts(name="count").iter_rows()))
        if properties:
            filled.update(_filled(rows, kinds, properties))
    return Counts(entities, lines, dict(schemata), {name: filled[name] for name in properties})


def _filled(rows: "pl.DataFrame", kinds: "pl.DataFrame", properties: Collection[str]) -> Counter[str]:
    """Of the entities of these rows, how many have each property; whichever of their schemata a value came with."""
    import polars as pl

    wanted = pl.DataFrame(
        [name.split(".") for name in properties],
        schema={s.SCHEMA: pl.String, s.PROP: pl.String},
        orient="row",
    )
    having = _distinct(
        rows.select(s.ENTITY_ID, s.PROP).filter(pl.col(s.PROP).is_in(wanted[s.PROP].unique().implode()))
    )
    found = having.join(wanted, on=s.PROP).join(kinds, on=[s.ENTITY_ID, s.SCHEMA])
    counted = found.group_by(s.SCHEMA, s.PROP).len()
    return Counter({f"{schema}.{prop}": number for schema, prop, number in counted.iter_rows()})


def _distinct(frame: "pl.DataFrame") -> "pl.DataFrame":
    """The rows of a frame, each once; first what repeats the row before is left out, which is nearly all."""
    import polars as pl

    return frame.filter(pl.any_horizontal(pl.all().ne_missing(pl.all().shift(1)))).unique()
