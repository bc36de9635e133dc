"""
Rows by entity, without an object per entity.

Entities are numbered as they come, and whole columns are cut where they begin.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse_assets.exports.schemata import caption_props, common_schema, labels
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.reader import Pace, Reader

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]
    Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]

_NEVER = -(2**63)
_FOREVER = 2**63 - 1


def entity_frames(
    reader: Reader, columns: Sequence[str], pace: Pace | None = None
) -> "Iterator[pl.DataFrame]":
    """
    Frames of rows with all rows of an entity together, each entity once: at the place of its first bucket.

    Few entities have rows in several buckets; where there are some, the same ids are read in the other buckets, too.
    What the `pace` says is left out.
    """
    import polars as pl

    shared = reader.shared_ids()
    if not shared:
        yield from reader.scan(columns, pace=pace)
        return
    several = pl.Series(shared, dtype=pl.String).implode()
    wanted = [*columns, *(name for name in (s.ENTITY_ID, s.BUCKET) if name not in columns)]
    for rows in reader.scan(wanted, pace=pace):
        among = rows[s.ENTITY_ID].is_in(several)
        if among.any():
            whole = _gathered(reader, rows.filter(among), columns)
            rows = pl.concat([rows.filter(~among).select(columns), whole])
            rows = rows.sort(s.ENTITY_ID, maintain_order=True)
        if len(rows):
            yield rows.select(columns)


def _gathered(reader: Reader, rows: "pl.DataFrame", columns: Sequence[str]) -> "pl.DataFrame":
    """All rows, wherever they lie, of those entities whose first bucket this is."""
    import polars as pl

    ids = rows[s.ENTITY_ID].unique().sort()
    found = reader.between(ids[0], ids[-1], list(dict.fromkeys([*columns, s.ENTITY_ID, s.BUCKET])))
    found = found.filter(pl.col(s.ENTITY_ID).is_in(ids.implode()))
    first = pl.col(s.BUCKET).min().over(s.ENTITY_ID)
    return found.filter(first == rows[s.BUCKET][0]).select(columns)


def changes(column: "pl.Series") -> "pl.Series":
    """Where a value differs from the one before it; the first always does."""
    return column.ne_missing(column.shift(1))


def choose(parts: "Sequence[pl.Series]", index: "Numbers") -> "pl.Series":
    """Elements of several series by number, as if the series stood one behind the other."""
    import polars as pl

    return pl.concat([part.alias("text") for part in parts], rechunk=True).gather(index)


def replaced(column: "pl.Series", at: "Numbers", new: "pl.Series") -> "pl.Series":
    """The column with other elements at some places."""
    import numpy as np

    index = np.arange(len(column))
    index[at] = len(column) + np.arange(len(at))
    return choose([column, new], index)


@dataclass(frozen=True)
class Values:
    """
    The different values of each property, sorted by code point: one per place.

    `rows` says which row stands at a place, `entity` whose it is. `fields` are the places of the first value
    of each property, `first` those of the first of each entity. An entity without a value has a place
    all the same, with a text that means nothing.
    """

    values: "pl.Series"
    rows: "Numbers"
    entity: "Numbers"
    fields: "Numbers"
    first: "Numbers"


class EntityRows:
    """
    A frame that is not empty, by entity.

    `starts` are the first rows of the entities, `entity` is the number of each row's; `base` says which rows
    stand for the entity itself, `bare` which entities have no others.
    """

    def __init__(self, rows: "pl.DataFrame") -> None:
        import numpy as np

        rows = _by_prop(rows)
        begins = changes(rows[s.ENTITY_ID])
        self.rows = rows
        self.starts: Numbers = np.flatnonzero(begins)
        self.entity: Numbers = np.cumsum(begins) - 1
        self.ids = rows[s.ENTITY_ID].gather(self.starts)
        self.base: Flags = (rows[s.PROP] == s.BASE_PROP).to_numpy()
        self.bare: Flags = np.logical_and.reduceat(self.base, self.starts)
        self._begins: Flags = begins.to_numpy()
        self._field_begins: Flags = (begins | changes(rows[s.PROP])).to_numpy()

    def __len__(self) -> int:
        return len(self.ids)

    def values(self) -> Values:
        """The different values of each property."""
        import numpy as np
        import polars as pl

        column, keep = self.rows[s.VALUE], ~self.base
        field = np.cumsum(self._field_begins)
        # most properties have one value: only the others are sorted
        several = np.flatnonzero(~(self._field_begins & np.append(self._field_begins[1:], True)) & keep)
        if len(several):
            part = pl.DataFrame({"field": field[several], "value": column.gather(several)})
            part = part[part.select(pl.arg_sort_by("field", "value")).to_series()]
            keep[several] = (changes(part["field"]) | changes(part["value"])).to_numpy()
            column = replaced(column, several, part["value"])
        keep[self.starts[self.bare]] = True
        rows = np.flatnonzero(keep)
        entity = self.entity[rows]
        return Values(
            values=column.gather(rows),
            rows=rows,
            entity=entity,
            fields=np.flatnonzero(np.diff(field[rows], prepend=0)),
            first=np.flatnonzero(np.diff(entity, prepend=-1)),
        )

    def schemata(self) -> "tuple[pl.Series, list[str]]":
        """The schema of each entity, and the ids of those whose rows do not go together."""
        import numpy as np
        import polars as pl

        column = self.rows[s.SCHEMA]
        schema = column.gather(self.starts)
        mixed = np.unique(self.entity[changes(column).to_numpy() & ~self._begins])
        if not len(mixed):
            return schema, []
        among = np.isin(self.entity, mixed)
        rows = pl.DataFrame({"entity": self.entity[among], "schema": column.filter(pl.Series(among))})
        counts = rows.group_by("entity", "schema").len().sort("entity", "schema")
        found = counts.group_by("entity", maintain_order=True).agg(
            pl.col("schema").alias("names"),
            pl.col("schema").sort_by("len", descending=True, maintain_order=True).first().alias("most"),
        )
        choices = [common_schema(frozenset(names)) for names in found["names"].to_list()]
        chosen = [name or most for (name, _), most in zip(choices, found["most"], strict=True)]
        apart = [number for number, (_, fits) in zip(mixed, choices, strict=True) if not fits]
        return replaced(schema, mixed, pl.Series(chosen)), self.ids.gather(apart).to_list()

    def captions(self, schema: "pl.Series", values: Values) -> "pl.Series":
        """What each entity is called: the smallest value of the first caption property; else its schema."""
        import polars as pl

        ranks = caption_props()
        props = self.rows[s.PROP].gather(values.rows[values.fields])
        named = props.is_in(ranks[s.PROP].unique().implode()).arg_true()
        entity = pl.Series("entity", values.entity[values.fields][named])
        found = pl.DataFrame([entity, props.gather(named), schema.gather(entity).alias(s.SCHEMA)])
        found = found.with_columns(values.values.gather(values.fields[named]).alias("value"))
        found = found.join(ranks, on=[s.SCHEMA, s.PROP]).sort("entity", "rank").unique("entity", keep="first")
        frame = (
            schema.alias(s.SCHEMA).to_frame().join(labels(), on=s.SCHEMA, how="left", maintain_order="left")
        )
        # a schema that the model does not know has no label
        plain = frame.select(pl.coalesce("label", s.SCHEMA)).to_series()
        return replaced(plain, found["entity"].to_numpy(), found["value"])

    def seen(self) -> "tuple[pl.Series, pl.Series]":
        """When each entity was first and last seen: its values, or itself when it has none."""
        import numpy as np

        first, last = self._micros(s.FIRST_SEEN), self._micros(s.LAST_SEEN)
        aside = self.base & ~self.bare[self.entity]
        first_seen = np.minimum.reduceat(np.where(aside, _FOREVER, first), self.starts)
        last_seen = np.maximum.reduceat(np.where(aside, _NEVER, last), self.starts)
        return _moments(first_seen), _moments(last_seen)

    def changed(self) -> "pl.Series":
        """When each entity last came to be different; null where nothing tells."""
        import numpy as np

        first = np.where(self.base, self._micros(s.FIRST_SEEN), _NEVER)
        return _moments(np.maximum.reduceat(first, self.starts))

    def _micros(self, name: str) -> "Numbers":
        column: Numbers = self.rows[name].to_physical().to_numpy()
        return column


def _by_prop(rows: "pl.DataFrame") -> "pl.DataFrame":
    """The rows sorted by property inside each entity, as they nearly always are."""
    import polars as pl

    begins = changes(rows[s.ENTITY_ID])
    disorder = (rows[s.PROP] < rows[s.PROP].shift(1)) & ~begins
    if not disorder.any():
        return rows
    order = pl.DataFrame({"entity": begins.cum_sum(), "prop": rows[s.PROP]})
    return rows[order.select(pl.arg_sort_by("entity", "prop")).to_series()]


def _moments(micros: "Numbers") -> "pl.Series":
    import polars as pl

    found = pl.Series("at", micros)
    return pl.select(pl.when(found != _NEVER).then(found).cast(pl.Datetime("us", "UTC"))).to_series()
