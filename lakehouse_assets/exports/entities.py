"""
Entities as JSON: one line each.

There is no Python object per entity. A line is cut into pieces, one per value: the first carries the head of
the entity, the first of a property its name, the last the end. All pieces of a frame, one behind the other,
are the lines; they are built by a few operations on whole columns, and nothing is grouped or joined.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lakehouse_assets.exports.digests import sizes_of, slice_digests
from lakehouse_assets.exports.grouping import EntityRows, choose, entity_frames
from lakehouse_assets.exports.text import JSON_TIME, buffers, concat, constant, json_escaped, json_text, times
from lakehouse_assets.statements import schema as s

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from lakehouse_assets.exports.grouping import Numbers

__all__ = ["COLUMNS", "EntityLines", "KeptLines", "entity_frames", "render_entities"]

_ID, _LINE, _DIGEST, _INCOMPATIBLE = "id", "line", "digest", "incompatible"

COLUMNS = [s.ENTITY_ID, s.ORIGIN, s.SCHEMA, s.PROP, s.VALUE, s.FIRST_SEEN, s.LAST_SEEN, s.ROLE]
"""What must be read."""


@dataclass(frozen=True)
class EntityLines:
    """
    Entities as JSON: `pieces` one behind the other are the lines, each with its end.

    `incompatible` are the ids of entities whose rows are of schemata that do not go together.
    """

    ids: "pl.Series"
    pieces: "pl.Series"
    incompatible: list[str]
    _first: "Numbers"
    _times: "pl.Series"

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lines(self) -> "pl.Series":
        """One line per entity, each with its end."""
        import polars as pl
        import pyarrow as pa

        if not len(self):
            return self.pieces
        # the same bytes, cut at other places
        data, bounds = self._cut
        return pl.Series("line", pa.LargeStringArray.from_buffers(len(self), pa.py_buffer(bounds), data))

    @property
    def data(self) -> "pa.Buffer":
        """The bytes of all lines."""
        return self._cut[0]

    @property
    def sizes(self) -> "Numbers":
        """The bytes of each line."""
        import numpy as np

        _, bounds = self._cut
        return np.diff(bounds)

    @property
    def digests(self) -> "pl.Series":
        """A digest of each line up to its times: what is the same when nothing but times changed."""
        data, bounds = self._cut
        return slice_digests(data, bounds[:-1], bounds[1:] - sizes_of(self._times))

    def frame(self) -> "pl.DataFrame":
        """All of it in columns, from which `KeptLines` are made again."""
        import polars as pl

        doubtful = pl.Series(self.incompatible, dtype=pl.String).implode()
        return pl.DataFrame(
            {
                _ID: self.ids,
                _LINE: self.lines,
                _DIGEST: self.digests,
                _INCOMPATIBLE: self.ids.is_in(doubtful),
            }
        )

    @cached_property
    def _cut(self) -> "tuple[pa.Buffer, Numbers]":
        """The bytes of all lines, one behind the other, and where each ends."""
        import numpy as np
        import polars as pl

        pieces = self.pieces.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, data = pieces.buffers()
        if not len(self):
            return data, np.zeros(1, dtype=np.int64)
        return data, np.frombuffer(offsets, dtype=np.int64, count=len(pieces) + 1)[np.append(self._first, -1)]


@dataclass(frozen=True)
class KeptLines:
    """The same, of the frame that was kept of them."""

    kept: "pl.DataFrame"

    def __len__(self) -> int:
        return len(self.kept)

    @property
    def ids(self) -> "pl.Series":
        """The ids, one for each line."""
        return self.kept[_ID]

    @property
    def data(self) -> bytes:
        """The bytes of all lines."""
        return b"".join(buffers(self.kept[_LINE]))

    @property
    def sizes(self) -> "Numbers":
        """The bytes of each line."""
        return sizes_of(self.kept[_LINE])

    @property
    def digests(self) -> "pl.Series":
        """The digests of the lines."""
        return self.kept[_DIGEST]

    @property
    def incompatible(self) -> list[str]:
        """The ids of entities whose rows are of schemata that do not go together."""
        return self.kept.filter(_INCOMPATIBLE)[_ID].to_list()


def render_entities(rows: "pl.DataFrame", dataset: str) -> EntityLines:
    """
    Entities as they stand in entities.ftm.json.

    All rows of an entity must stand together; the order of an entity's rows does not matter.
    """
    import numpy as np
    import polars as pl

    if not len(rows):
        nothing = pl.Series("line", [], dtype=pl.String)
        return EntityLines(nothing, nothing, [], np.array([], dtype=np.int64), nothing)
    entities = EntityRows(rows)
    found = entities.values()
    schema, incompatible = entities.schemata()
    props = json_escaped(entities.rows[s.PROP].gather(found.rows[found.fields]))
    first_props = props.gather(np.searchsorted(found.fields, found.first))
    heads = _heads(entities, entities.captions(schema, found), schema, first_props)
    seen = _times(entities)
    ends = _ends(entities, dataset, seen)

    # before a value stands a comma, or its property, or all that comes before an entity's first value
    before = np.zeros(len(found.rows), dtype=np.int64)
    before[found.fields] = 1 + np.arange(len(found.fields))
    before[found.first] = 1 + len(found.fields) + np.arange(len(entities))
    after = np.zeros(len(found.rows), dtype=np.int64)
    after[np.append(found.first[1:], len(after)) - 1] = 1 + np.arange(len(entities))
    opened = props.to_frame().select(concat(['"],"', pl.col(s.PROP), '":["'])).to_series()
    pieces = pl.select(
        pl.concat_str(
            choose([pl.Series(['","']), opened, heads], before),
            _values(entities, found.values, found.rows),
            choose([pl.Series([""]), ends], after),
        )
    ).to_series()
    return EntityLines(entities.ids, pieces, incompatible, found.first, seen)


def _values(entities: EntityRows, values: "pl.Series", rows: "Numbers") -> "pl.Series":
    """The values, escaped; nothing for entities that have none."""
    import polars as pl

    escaped = json_escaped(values)
    if not entities.bare.any():
        return escaped
    return pl.select(pl.when(pl.Series(~entities.base[rows])).then(escaped).otherwise(pl.lit(""))).to_series()


def _heads(entities: EntityRows, caption: "pl.Series", schema: "pl.Series", prop: "pl.Series") -> "pl.Series":
    """Each entity up to its first value."""
    import polars as pl

    opened = concat(['"', pl.lit(prop), '":["'])
    if entities.bare.any():
        opened = pl.when(pl.Series(entities.bare)).then(pl.lit("")).otherwise(opened)
    return pl.select(
        concat(
            [
                '{"id":"',
                pl.lit(json_escaped(entities.ids)),
                '","caption":"',
                pl.lit(json_escaped(caption)),
                '","schema":"',
                pl.lit(json_escaped(schema)),
                '","properties":{',
                opened,
            ]
        )
    ).to_series()


def _ends(entities: EntityRows, dataset: str, seen: "pl.Series") -> "pl.Series":
    """What follows the last value of each entity, with the end of the line."""
    import polars as pl

    closed: str | pl.Expr = '"]}'
    if entities.bare.any():
        closed = pl.when(pl.Series(entities.bare)).then(pl.lit("}")).otherwise(pl.lit('"]}'))
    pieces: list[str | pl.Expr] = [
        closed,
        f',"referents":[],"datasets":[{json_text(dataset)}]',
        _list(entities, s.ORIGIN),
        _list(entities, s.ROLE),
        pl.lit(seen),
    ]
    return pl.select(concat(pieces)).to_series()


def _times(entities: EntityRows) -> "pl.Series":
    """When each entity was first and last seen, and last changed if known; up to the end of the line."""
    import polars as pl

    first, last = entities.seen()
    changed = concat(['","last_change":"', pl.lit(times(entities.changed(), JSON_TIME))]).fill_null("")
    pieces: list[str | pl.Expr] = [
        ',"first_seen":"',
        pl.lit(times(first, JSON_TIME)),
        '","last_seen":"',
        pl.lit(times(last, JSON_TIME)),
        changed,
        '"}\n',
    ]
    return pl.select(concat(pieces)).to_series()


def _list(entities: EntityRows, name: str) -> "str | pl.Expr":
    """The different values of a column as a member of each entity; absent where there are none."""
    import polars as pl

    column = entities.rows[name]
    if constant(column):
        value = column[0]
        return "" if value is None else f',"{name}":[{json_text(value)}]'
    rows = (
        pl.DataFrame({"entity": entities.entity, "value": column})
        .drop_nulls()
        .unique()
        .sort("entity", "value")
    )
    quoted = rows.select("entity", concat(['"', pl.lit(json_escaped(rows["value"])), '"']).alias("value"))
    lists = quoted.group_by("entity").agg(pl.col("value").str.join(","))
    every = pl.DataFrame({"entity": range(len(entities))}, schema={"entity": lists.schema["entity"]})
    joined = every.join(lists, on="entity", how="left", maintain_order="left")
    return pl.lit(joined.select(concat([f',"{name}":[', pl.col("value"), "]"]).fill_null("")).to_series())
