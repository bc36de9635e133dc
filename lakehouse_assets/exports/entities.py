"""
Rows to entities: one line of JSON each.

There is no Python object per entity. A line is cut into pieces, one per value: the first carries the head of the
entity, the first of a property its name, the last the end. All pieces of a frame, one behind the other, are the
lines; they are built by a few operations on whole columns, and nothing is grouped or joined.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lakehouse_assets.exports.schemata import caption_props, common_schema, labels
from lakehouse_assets.exports.text import JSON_TIME, constant, json_escaped, times
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.reader import Reader

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]
    Flags = np.ndarray[tuple[int], np.dtype[np.bool_]]

COLUMNS = [s.ENTITY_ID, s.ORIGIN, s.SCHEMA, s.PROP, s.VALUE, s.FIRST_SEEN, s.LAST_SEEN, s.ROLE]
"""What must be read."""

_NEVER = -(2**63)
_FOREVER = 2**63 - 1


def entity_frames(reader: Reader, columns: Sequence[str]) -> "Iterator[pl.DataFrame]":
    """
    Frames of rows with all rows of an entity together, each entity once: with its first bucket.

    Few entities have rows in several buckets; those are looked up one by one.
    """
    import polars as pl

    shared = reader.shared_ids()
    if not shared:
        yield from reader.scan(columns)
        return
    several = pl.Series(shared, dtype=pl.String)
    for rows in reader.scan([*columns, *(name for name in (s.ENTITY_ID, s.BUCKET) if name not in columns)]):
        among = rows[s.ENTITY_ID].is_in(several.implode())
        if not among.any():
            yield rows.select(columns)
            continue
        whole = _gathered(reader, rows.filter(among), columns)
        yield pl.concat([rows.filter(~among).select(columns), whole]).sort(
            s.ENTITY_ID, maintain_order=True
        )


def _gathered(reader: Reader, rows: "pl.DataFrame", columns: Sequence[str]) -> "pl.DataFrame":
    """All rows, wherever they lie, of those entities whose first bucket this is."""
    import polars as pl

    bucket = rows[s.BUCKET][0]
    ids = rows[s.ENTITY_ID].unique().to_list()
    needed = list(dict.fromkeys([*columns, s.ENTITY_ID, s.BUCKET]))
    found = reader.entity(ids, needed)
    first = pl.col(s.BUCKET).min().over(s.ENTITY_ID)
    return found.filter(first == bucket).select(columns)


@dataclass(frozen=True)
class EntityLines:
    """Entities as JSON: `pieces` one behind the other are the lines, each with its end."""

    ids: "pl.Series"
    pieces: "pl.Series"
    incompatible: list[str]
    """Ids of entities whose rows are of schemata that no schema has in common."""

    _first: "Numbers"
    _times: "pl.Series"

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lines(self) -> "pl.Series":
        """One line per entity, each with its end."""
        import numpy as np
        import polars as pl
        import pyarrow as pa

        array = self.pieces.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        _, offsets, data = array.buffers()
        ends = np.append(np.frombuffer(offsets, dtype=np.int64)[self._first], data.size if data else 0)
        found = pa.LargeStringArray.from_buffers(len(self), pa.py_buffer(ends), data)
        return pl.Series("line", found)

    @property
    def contents(self) -> "pl.Series":
        """The lines up to their times, as bytes: two entities with the same content say the same."""
        import polars as pl

        lines = self.lines.cast(pl.Binary)
        return lines.bin.head(lines.bin.size() - self._times.str.len_bytes())


def render_entities(rows: "pl.DataFrame", dataset: str) -> EntityLines:
    """
    Entities as they stand in entities.ftm.json.

    All rows of an entity must stand together; their order does not matter.
    """
    return _Renderer(_by_prop(rows), dataset).render()


def _by_prop(rows: "pl.DataFrame") -> "pl.DataFrame":
    """The rows sorted by property inside each entity, as they nearly always are."""
    import polars as pl

    starts = _changes(rows[s.ENTITY_ID])
    disorder = (rows[s.PROP] < rows[s.PROP].shift(1)).fill_null(False) & ~starts
    if not disorder.any():
        return rows
    return rows.with_columns(starts.cum_sum().alias("entity")).sort("entity", s.PROP).select(pl.exclude("entity"))


def _changes(column: "pl.Series") -> "pl.Series":
    """Where a value differs from the one before it; the first always does."""
    return column.ne_missing(column.shift(1))


class _Renderer:
    """The work on one frame. Entities are numbered as they come; `starts` are their first rows."""

    def __init__(self, rows: "pl.DataFrame", dataset: str) -> None:
        import numpy as np

        self.rows = rows
        self.dataset = dataset
        begins = _changes(rows[s.ENTITY_ID])
        self.begins = begins.to_numpy()
        self.starts = np.flatnonzero(self.begins)
        self.entity = np.cumsum(self.begins) - 1
        self.field_begins = (begins | _changes(rows[s.PROP])).to_numpy()
        self.base = (rows[s.PROP] == s.BASE_PROP).to_numpy()
        self.bare = np.logical_and.reduceat(self.base, self.starts) if len(rows) else self.base
        """Entities without a value: all that is known of them is that they are there."""

    def render(self) -> EntityLines:
        import numpy as np
        import polars as pl

        if not len(self.rows):
            empty = pl.Series("line", [], dtype=pl.String)
            return EntityLines(empty, empty, [], np.array([], dtype=np.int64), empty)
        ids = self.rows[s.ENTITY_ID].gather(self.starts)
        values, kept = self._distinct_values()
        entity = self.entity[kept]
        first = np.flatnonzero(np.diff(entity, prepend=-1))
        last = np.append(first[1:], len(kept)) - 1
        field = np.flatnonzero(np.diff(np.cumsum(self.field_begins)[kept], prepend=-1))
        props = json_escaped(self.rows[s.PROP].gather(kept[field]))

        schema, incompatible = self._schemata(ids)
        caption = self._captions(schema, entity[field], props, values.gather(field))
        opened = props.to_frame().select(pl.concat_str(pl.lit('"],"'), s.PROP, pl.lit('":["'))).to_series()
        at_first = np.searchsorted(field, first)
        heads = self._heads(ids, caption, schema, props.gather(at_first))
        ends, seen = self._ends()

        # rows of which piece is what: 0 goes on with a property, then those that open one, then those that open an entity
        before = np.zeros(len(kept), dtype=np.int64)
        before[field] = 1 + np.arange(len(field))
        before[first] = 1 + len(field) + np.arange(len(first))
        after = np.zeros(len(kept), dtype=np.int64)
        after[last] = 1 + np.arange(len(last))
        pieces = pl.DataFrame(
            {
                "before": _choose([pl.Series(['","']), opened, heads], before),
                "value": values,
                "after": _choose([pl.Series([""]), ends], after),
            }
        )
        text = pieces.select(pl.concat_str("before", "value", "after")).to_series()
        return EntityLines(ids, text, incompatible, first, seen)

    def _distinct_values(self) -> "tuple[pl.Series, Numbers]":
        """Escaped values, each once per property and sorted, and the rows that they stand for."""
        import numpy as np
        import polars as pl

        values = self.rows[s.VALUE]
        several = ~(self.field_begins & np.append(self.field_begins[1:], True))
        several &= ~self.base
        among = np.flatnonzero(several)
        keep = ~self.base
        if len(among):
            group = pl.Series("group", np.cumsum(self.field_begins)[among])
            part = pl.DataFrame({"group": group, "value": values.gather(among)})
            part = part[part.select(pl.arg_sort_by("group", "value")).to_series()]
            same = (part["value"] == part["value"].shift(1)) & (part["group"] == part["group"].shift(1))
            keep[among[same.fill_null(False).to_numpy()]] = False
            index = np.arange(len(values))
            index[among] = len(values) + np.arange(len(among))
            values = _choose([values, part["value"]], index)
        # an entity without values keeps a row, for its piece to stand on
        keep[self.starts[self.bare]] = True
        kept = np.flatnonzero(keep)
        found = json_escaped(values.gather(kept))
        if self.bare.any():
            found = pl.select(pl.when(pl.Series(self.base[kept])).then(pl.lit("")).otherwise(found)).to_series()
        return found.alias("value"), kept

    def _schemata(self, ids: "pl.Series") -> "tuple[pl.Series, list[str]]":
        """The schema of each entity, and the ids of those whose rows do not go together."""
        import numpy as np
        import polars as pl

        column = self.rows[s.SCHEMA]
        schema = column.gather(self.starts)
        mixed = np.unique(self.entity[_changes(column).to_numpy() & ~self.begins])
        if not len(mixed):
            return schema, []
        among = np.isin(self.entity, mixed)
        counts = (
            pl.DataFrame({"entity": self.entity[among], "schema": column.filter(pl.Series(among))})
            .group_by("entity", "schema")
            .len()
        )
        sets = counts.sort("entity", "schema").group_by("entity", maintain_order=True)
        found = sets.agg(
            pl.col("schema").str.join("\n").alias("names"),
            pl.col("schema").sort_by(["len", "schema"], descending=[True, False]).first().alias("most"),
        )
        choices = [common_schema(frozenset(names.split("\n"))) for names in found["names"]]
        best = pl.Series([name for name, _ in choices], dtype=pl.String)
        chosen = pl.select(pl.coalesce(best, found["most"])).to_series()
        index = np.arange(len(schema))
        index[mixed] = len(schema) + np.arange(len(mixed))
        apart = pl.Series([not compatible for _, compatible in choices], dtype=pl.Boolean)
        return _choose([schema, chosen], index), ids.gather(mixed[apart.to_numpy()]).to_list()

    def _captions(
        self, schema: "pl.Series", entity: "Numbers", props: "pl.Series", smallest: "pl.Series"
    ) -> "pl.Series":
        """What each entity is called, escaped; `smallest` is the first value of each property."""
        import polars as pl

        ranks = caption_props()
        named = pl.DataFrame({"entity": entity, "prop": props, "value": smallest})
        named = named.filter(pl.col("prop").is_in(ranks["prop"].unique().implode()))
        named = named.with_columns(schema.gather(named["entity"]).alias("schema"))
        named = named.join(ranks, on=["schema", "prop"]).sort("entity", "rank")
        named = named.unique("entity", keep="first")
        known = schema.alias("schema").to_frame().join(labels(), on="schema", how="left", maintain_order="left")
        # a schema that the model does not know has no label
        plain = json_escaped(known.select(pl.coalesce("label", "schema").alias("label")).to_series())
        if not len(named):
            return plain
        import numpy as np

        index = np.arange(len(schema))
        index[named["entity"].to_numpy()] = len(schema) + np.arange(len(named))
        return _choose([plain, named["value"]], index)

    def _heads(self, ids: "pl.Series", caption: "pl.Series", schema: "pl.Series", prop: "pl.Series") -> "pl.Series":
        """Each entity up to its first value."""
        import polars as pl

        frame = pl.DataFrame(
            {"id": json_escaped(ids), "caption": caption, "schema": json_escaped(schema), "prop": prop}
        )
        opened: pl.Expr = pl.concat_str(pl.lit('"'), "prop", pl.lit('":["'))
        if self.bare.any():
            opened = pl.when(pl.Series(self.bare)).then(pl.lit("")).otherwise(opened)
        return frame.select(
            pl.concat_str(
                pl.lit('{"id":"'),
                "id",
                pl.lit('","caption":"'),
                "caption",
                pl.lit('","schema":"'),
                "schema",
                pl.lit('","properties":{'),
                opened,
            )
        ).to_series()

    def _ends(self) -> "tuple[pl.Series, pl.Series]":
        """What follows the last value of each entity, and that part of it that are times."""
        import polars as pl

        closed = pl.lit('"]}')
        if self.bare.any():
            closed = pl.when(pl.Series(self.bare)).then(pl.lit("}")).otherwise(closed)
        dataset = json_escaped(pl.Series([self.dataset]))[0]
        seen = self._seen()
        ends = pl.select(
            pl.concat_str(
                closed,
                pl.lit(f',"referents":[],"datasets":["{dataset}"]'),
                self._list(s.ORIGIN),
                self._list(s.ROLE),
                seen,
            )
        ).to_series()
        return ends, seen

    def _seen(self) -> "pl.Series":
        """When each entity was first and last seen, and last changed; with the end of the line."""
        import numpy as np
        import polars as pl

        first, last = self._micros(s.FIRST_SEEN), self._micros(s.LAST_SEEN)
        # the row of the entity itself counts for these only where there is no other
        no_value = self.base & ~self.bare[self.entity]
        first_seen = np.minimum.reduceat(np.where(no_value, _FOREVER, first), self.starts)
        last_seen = np.maximum.reduceat(np.where(no_value, _NEVER, last), self.starts)
        changed = np.maximum.reduceat(np.where(self.base, first, _NEVER), self.starts)
        last_change = pl.Series(changed, dtype=pl.Int64)
        last_change = last_change.set(last_change == _NEVER, None)  # type: ignore[arg-type]
        return pl.select(
            pl.concat_str(
                pl.lit(',"first_seen":"'),
                _stamps(pl.Series(first_seen)),
                pl.lit('","last_seen":"'),
                _stamps(pl.Series(last_seen)),
                (pl.lit('","last_change":"') + pl.lit(_stamps(last_change))).fill_null(""),
                pl.lit('"}\n'),
            )
        ).to_series()

    def _micros(self, name: str) -> "Numbers":
        column: Numbers = self.rows[name].to_physical().to_numpy()
        return column

    def _list(self, name: str) -> "pl.Expr":
        """The different values of a column per entity as a member of a JSON object; none without any."""
        import polars as pl

        column = self.rows[name]
        if constant(column):
            value = column[0]
            return pl.lit("" if value is None else _member(name, f'"{_json(value)}"'))
        frame = pl.DataFrame({"entity": self.entity, "value": column}).unique().drop_nulls().sort("entity", "value")
        quoted = pl.concat_str(pl.lit('"'), json_escaped(frame["value"]), pl.lit('"'))
        lists = frame.select("entity", quoted.alias("value")).group_by("entity").agg(pl.col("value").str.join(","))
        entities = pl.DataFrame({"entity": pl.int_range(len(self.starts), eager=True)})
        joined = entities.join(lists, on="entity", how="left", maintain_order="left")
        return pl.lit(
            joined.select((pl.lit(f',"{name}":[') + pl.col("value") + pl.lit("]")).fill_null("")).to_series()
        )


def _member(name: str, values: str) -> str:
    return f',"{name}":[{values}]'


def _json(text: str) -> str:
    import polars as pl

    return str(json_escaped(pl.Series([text]))[0])


def _stamps(micros: "pl.Series") -> "pl.Series":
    import polars as pl

    return times(micros.cast(pl.Datetime("us", "UTC")), JSON_TIME)


def _choose(parts: "Sequence[pl.Series]", index: "Numbers") -> "pl.Series":
    """Elements of several series by number, as if the series stood one behind the other."""
    import polars as pl

    return pl.concat([part.alias("text") for part in parts], rechunk=True).gather(index)
