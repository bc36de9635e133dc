"""Entities of many rows at once, as followthemoney's mapping makes them of one after the other."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse_assets.mapping.cleaning import TableCleaner
from lakehouse_assets.mapping.plan import MENTIONED, PROOF, EntityPlan, PropertyPlan, QueryPlan

if TYPE_CHECKING:
    import polars as pl

_NAME = "name"


@dataclass(frozen=True)
class Made:
    """
    The entities that one part of a mapping makes of some rows: the number of each one's row, and its id.

    `values` has a row for each value, sorted by entity: `entity` (its place here), `prop` (the place in `props`),
    `value`, and `original_value` where cleaning changed it.
    """

    name: str
    schema: str
    props: Sequence[str]
    numbers: "pl.Series"
    ids: "pl.Series"
    values: "pl.DataFrame"


def evaluate(
    plan: QueryPlan,
    numbers: "pl.Series",
    cells: "pl.DataFrame",
    *,
    proof: str,
    cleaner: TableCleaner,
    rejected: Counter[str],
) -> list[Made]:
    """
    The entities of rows whose cells are cleaned, each with the `proof` where its schema can have one.

    `numbers` are those of the rows. Values that are rejected are left out and counted by `Schema.property`.
    """
    rows = _Rows(cells, len(numbers), cleaner)
    found = [(entity, rows.make(entity)) for entity in plan.entities]
    for entity, one in found:
        rejected.update(one.rejected(entity))
    return [one.made(entity, numbers, proof) for entity, one in found]


@dataclass(frozen=True)
class _Found:
    """
    What was found of an entity: its id in each row, null where it is not made, and its values.

    Those have `row`, `prop`, `value` (null when rejected, empty when nothing was left of it) and `raw`.
    """

    ids: "pl.Series"
    values: "pl.DataFrame"

    def rejected(self, entity: EntityPlan) -> dict[str, int]:
        """How many values of each property were rejected; an empty one was never there."""
        import polars as pl

        refused = self.values.filter(pl.col("value").is_null() & (pl.col("raw") != ""))
        counts = refused.group_by("prop").len()
        return {f"{entity.schema}.{entity.props[prop]}": count for prop, count in counts.iter_rows()}

    def made(self, entity: EntityPlan, numbers: "pl.Series", proof: str) -> Made:
        """The entities alone, without the rows that have none."""
        import polars as pl

        has = self.ids.is_not_null()
        place = (has.cum_sum().cast(pl.Int64) - 1).cast(pl.UInt32, strict=False)
        values = self.values.filter(pl.col("value") != "")
        changed = pl.col("value") != pl.col("raw")
        values = values.select(
            place.gather(values["row"]).alias("entity"),
            "prop",
            "value",
            original_value=pl.when(changed).then("raw"),
        )
        if entity.has_proof:
            values = pl.concat([values, proofs(int(has.sum()), entity.props.index(PROOF), proof)])
        return Made(
            entity.name,
            entity.schema,
            entity.props,
            numbers.filter(has),
            self.ids.filter(has),
            values.sort("entity"),
        )


def proofs(entities: int, prop: int, proof: str) -> "pl.DataFrame":
    """The values that name what so many entities were made from."""
    import polars as pl

    return pl.select(
        entity=pl.int_range(entities, dtype=pl.UInt32),
        prop=pl.lit(prop, dtype=pl.UInt32),
        value=pl.lit(proof),
        original_value=pl.lit(None, dtype=pl.String),
    )


def _frame(
    rows: "pl.Series | list[int]", values: "pl.Series | list[str]", raw: "pl.Series | list[str]", prop: int
) -> "pl.DataFrame":
    import polars as pl

    schema = {"row": pl.UInt32, "value": pl.String, "raw": pl.String}
    frame = pl.DataFrame({"row": rows, "value": values, "raw": raw}, schema=schema)
    return frame.select("row", pl.lit(prop, dtype=pl.UInt32).alias("prop"), "value", "raw")


def in_order(columns: "list[pl.Series]") -> "list[pl.Series]":
    """
    The texts of each row, those of the first column the smallest: the order of its columns is no part of a key.

    Example:
        >>> [column.to_list() for column in in_order([pl.Series(["b", "a"]), pl.Series(["a", "b"])])]
        [['a', 'a'], ['b', 'b']]
    """
    for end in range(len(columns) - 1, 0, -1):
        for number in range(end):
            left, right = columns[number], columns[number + 1]
            swap = left > right
            columns[number], columns[number + 1] = right.zip_with(swap, left), left.zip_with(swap, right)
    return columns


class _Rows:
    """Some rows of a table, and the entities that were made of them so far."""

    def __init__(self, cells: "pl.DataFrame", height: int, cleaner: TableCleaner) -> None:
        import polars as pl

        self._cells = cells
        self._height = height
        self._numbers = pl.int_range(height, dtype=pl.UInt32, eager=True)
        self._cleaner = cleaner
        self._made: dict[str, _Found] = {}
        self._names: dict[str, pl.DataFrame] = {}

    def make(self, entity: EntityPlan) -> _Found:
        """Make one entity of each row that has its key and what it requires."""
        import polars as pl

        parts = list(self._parts(entity))
        values = pl.concat(parts) if parts else _frame([], [], [], 0)
        ids = self._ids(entity)
        for number, prop in enumerate(entity.properties):
            if prop.required:
                given = values.filter((pl.col("prop") == number) & pl.col("value").is_not_null())["row"]
                ids = ids.zip_with(self._numbers.is_in(given.implode()), pl.Series([None], dtype=pl.String))
        if ids.null_count():
            values = values.filter(ids.is_not_null().gather(values["row"]))
        found = _Found(ids, values)
        self._made[entity.name] = found
        self._names[entity.name] = self._names_of(entity, found)
        return found

    def _parts(self, entity: EntityPlan) -> "Iterator[pl.DataFrame]":
        """The values of each property; those of other entities, and their names, are clean already."""
        for number, prop in enumerate(entity.properties):
            if prop.entity is None:
                yield from self._given(prop, number)
            elif prop.entity in self._made:
                ids = self._made[prop.entity].ids
                there = ids.is_not_null()
                ids = ids.filter(there)
                yield _frame(self._numbers.filter(there), ids, ids, number)
                if entity.mentions:
                    names = self._names[prop.entity]
                    clean = self._cleaner.again(names["value"], _NAME)
                    yield _frame(names["row"], clean, names["value"], entity.props.index(MENTIONED))

    def _given(self, prop: PropertyPlan, number: int) -> "Iterator[pl.DataFrame]":
        """The values that a property takes from the row."""
        import polars as pl

        for texts in self._texts(prop):
            rows = self._numbers
            if prop.split is not None:
                pieces = pl.DataFrame({"row": rows, "raw": texts.str.split(prop.split)}).explode("raw")
                rows, texts = pieces["row"], pieces["raw"]
            if texts.null_count():
                given = texts.is_not_null()
                rows, texts = rows.filter(given), texts.filter(given)
            yield _frame(rows, self._cleaner.values(texts, prop.rule), texts, number)

    def _texts(self, prop: PropertyPlan) -> "Iterator[pl.Series]":
        """The texts of each row, as many columns of them as it has at most."""
        import polars as pl

        if prop.template is not None:
            parts = [
                self._column(part).fill_null("") if number % 2 else self._literal(part)
                for number, part in enumerate(prop.template)
            ]
            yield pl.select(pl.concat_str(parts)).to_series().str.strip_chars()
            return
        columns = [self._literal(text) for text in prop.literals]
        columns += [self._column(name) for name in prop.columns]
        if prop.join is None:
            yield from columns
        elif columns:
            yield pl.select(pl.concat_str(columns, separator=prop.join, ignore_nulls=True)).to_series()
        else:
            yield self._literal("")

    def _ids(self, entity: EntityPlan) -> "pl.Series":
        """The id of the entity in each row: a column, or the hash of its key; null where that is empty."""
        import polars as pl

        if entity.id_column is not None:
            return self._column(entity.id_column)
        keys = in_order([self._column(name).fill_null("") for name in entity.keys])
        joined = pl.select(pl.concat_str(keys)).to_series()
        texts = pl.select(pl.when(joined != "").then(pl.lit(entity.seed) + joined)).to_series()
        return self._cleaner.sql.sha1(texts)

    def _names_of(self, entity: EntityPlan, found: _Found) -> "pl.DataFrame":
        """The names of an entity, for those that lead to it."""
        import polars as pl

        props = [number for number, prop in enumerate(entity.properties) if prop.rule.kind == _NAME]
        if entity.mentions:
            props.append(entity.props.index(MENTIONED))
        names = found.values.filter(pl.col("prop").is_in(props) & (pl.col("value") != ""))
        return names.select("row", "value")

    def _column(self, name: str) -> "pl.Series":
        import polars as pl

        if name in self._cells.columns:
            return self._cells[name]
        return pl.repeat(None, self._height, dtype=pl.String, eager=True)

    def _literal(self, text: str) -> "pl.Series":
        import polars as pl

        return pl.repeat(text, self._height, dtype=pl.String, eager=True)
