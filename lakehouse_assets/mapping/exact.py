"""Entities of single rows by followthemoney's own mapping, for the few rows that whole columns would get wrong."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from lakehouse_assets.mapping.cleaning import TableCleaner
from lakehouse_assets.mapping.evaluate import Made, proofs
from lakehouse_assets.mapping.plan import PROOF, EntityPlan, QueryPlan

if TYPE_CHECKING:
    import polars as pl
    from followthemoney.proxy import EntityProxy

_LARGE = 1 << 20
"""Bytes of a row from which on followthemoney is asked: it takes no more than 50 MB of an entity."""

_ENTITY = "entity"


def needs_followthemoney(plan: QueryPlan, cells: "pl.DataFrame", height: int) -> "pl.Series":
    """
    The rows that are left to followthemoney.

    Those are rows with so much text that its limits may count, and those with a cell that a template would take for
    the name of another column.
    """
    import polars as pl

    if plan.is_exact:
        return pl.repeat(True, height, dtype=pl.Boolean, eager=True)
    large = pl.sum_horizontal(pl.col(name).str.len_bytes() for name in cells.columns) > _LARGE
    braces = [pl.col(name).str.contains("[{}]") for name in plan.template_columns if name in cells.columns]
    if not cells.columns:
        return pl.repeat(False, height, dtype=pl.Boolean, eager=True)
    return cells.select(pl.any_horizontal(large, *braces).fill_null(False)).to_series()


def evaluate_rows(
    plan: QueryPlan, numbers: "pl.Series", cells: "pl.DataFrame", *, proof: str, cleaner: TableCleaner
) -> Iterator[Made]:
    """The same as `evaluate` of rows one by one; rejected values are not counted."""
    found: dict[str, list[tuple[int, EntityProxy]]] = {entity.name: [] for entity in plan.entities}
    for number, record in zip(numbers, cells.iter_rows(named=True), strict=True):
        filled = {name: cell for name, cell in record.items() if cell is not None}
        for name, entity in plan.query.map(filled).items():
            found[name].append((number, entity))
    for made in plan.entities:
        yield _made(made, found[made.name], proof, cleaner)


def _made(
    plan: EntityPlan, entities: "list[tuple[int, EntityProxy]]", proof: str, cleaner: TableCleaner
) -> Made:
    import polars as pl

    values = [
        (place, plan.props.index(prop.name), prop.type.name, value)
        for place, (_, entity) in enumerate(entities)
        for prop, value in entity.itervalues()
    ]
    schema = {"entity": pl.UInt32, "prop": pl.UInt32, "kind": pl.String, "value": pl.String}
    frame = pl.DataFrame(values, schema=schema, orient="row")
    parts = [
        # what leads to an entity is its id, as it is
        part if kind == _ENTITY else part.with_columns(cleaner.again(part["value"], str(kind)))
        for (kind,), part in frame.partition_by("kind", as_dict=True).items()
    ]
    clean = pl.concat([frame.clear(), *parts]).drop("kind").filter(pl.col("value") != "")
    clean = clean.with_columns(original_value=pl.lit(None, dtype=pl.String))
    if plan.has_proof:
        clean = pl.concat([clean, proofs(len(entities), plan.props.index(PROOF), proof)])
    return Made(
        plan.name,
        plan.schema,
        plan.props,
        pl.Series([number for number, _ in entities], dtype=pl.Int64),
        pl.Series([entity.id for _, entity in entities], dtype=pl.String),
        clean.sort("entity"),
    )
