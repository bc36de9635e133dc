"""A mapping on its file: rows in, entities out, in batches."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets.mapping.cleaning import TableCleaner
from lakehouse_assets.mapping.config import DatasetMapping, FileOptions, TableQuery
from lakehouse_assets.mapping.evaluate import Made, evaluate
from lakehouse_assets.mapping.exact import evaluate_rows, needs_followthemoney
from lakehouse_assets.mapping.opening import open_table
from lakehouse_assets.mapping.plan import QueryPlan, plan_query
from lakehouse_assets.mapping.problems import build_query
from lakehouse_assets.mapping.tables import BadRow, Batch, Table

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MissingColumn:
    """A column that a mapping reads and the file does not have; `near` is the one that may be meant."""

    name: str
    near: str | None = None

    def __str__(self) -> str:
        return f"{self.name} (did you mean {self.near}?)" if self.near else self.name


@dataclass
class Tally:
    """
    What became of a file: rows that were read, those that are bad, entities by schema.

    `rejected` counts values by `Schema.property`, `description` says how the file is read, and `missing` names columns
    that it does not have. `read` tells how far it is read, from 0 to 1.
    """

    rows: int = 0
    bad_rows: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    missing: list[MissingColumn] = field(default_factory=list)
    description: list[Mapping[str, str]] = field(default_factory=list)
    read: float = 0.0


def run_mapping(
    mapping: DatasetMapping, path: Path, *, name: str, tally: Tally, on_bad: Callable[[BadRow], None]
) -> Iterator[Made]:
    """
    The entities that a mapping makes of a file, in batches; bad rows go to `on_bad`.

    Queries that read the file in the same way read it together.
    """
    reads: dict[str, tuple[FileOptions, list[TableQuery]]] = {}
    for query in mapping.queries:
        options = mapping.reads(query)
        reads.setdefault(options.model_dump_json(), (options, []))[1].append(query)
    cleaner = TableCleaner()
    for number, (options, queries) in enumerate(reads.values()):
        plans = [_plan(query, mapping.dataset) for query in queries]
        likely = {column for plan in plans for column in plan.columns}
        with open_table(path, options, likely=likely, name=name) as table:
            tally.description.append(table.description)
            tally.missing += missing_columns(plans, table)
            for batch in table.batches(likely):
                for bad in batch.bad:
                    on_bad(bad)
                tally.rows += len(batch.numbers) + len(batch.bad)
                tally.bad_rows += len(batch.bad)
                tally.read = (number + batch.read) / len(reads)
                yield from _mapped(plans, batch, mapping.content_hash, cleaner, tally)
    tally.read = 1.0


def missing_columns(plans: Sequence[QueryPlan], table: Table) -> list[MissingColumn]:
    """The columns that are read and not there."""
    wanted = {column for plan in plans for column in plan.columns}
    found = []
    for name in sorted(wanted - set(table.columns)):
        near = get_close_matches(name, table.columns, n=1, cutoff=0.6)
        found.append(MissingColumn(name, near[0] if near else None))
    return found


def look_at(
    mapping: DatasetMapping, path: Path, *, name: str
) -> tuple[list[Mapping[str, str]], list[MissingColumn]]:
    """How a file would be read, and the columns that a mapping misses in it; its rows are not read."""
    described, missing = [], []
    for query in mapping.queries:
        plan = _plan(query, mapping.dataset)
        with open_table(path, mapping.reads(query), likely=plan.columns, name=name) as table:
            missing += [found for found in missing_columns([plan], table) if found not in missing]
            if table.description not in described:
                described.append(table.description)
    return described, missing


def _plan(query: TableQuery, dataset: str) -> QueryPlan:
    literals = {name: entity.key_literal for name, entity in query.entities.items()}
    return plan_query(build_query(query, dataset), literals, dataset=dataset)


def _mapped(
    plans: Sequence[QueryPlan], batch: Batch, proof: str, cleaner: TableCleaner, tally: Tally
) -> Iterator[Made]:
    cells = batch.cells.select(cleaner.cells(column) for column in batch.cells)
    for plan in plans:
        passing = _passing(plan, cells, len(batch.numbers))
        exact = passing & needs_followthemoney(plan, cells, len(batch.numbers))
        for rows, is_exact in ((passing & ~exact, False), (exact, True)):
            if not rows.any():
                continue
            numbers, given = batch.numbers.filter(rows), cells.filter(rows)
            made = (
                evaluate_rows(plan, numbers, given, proof=proof, cleaner=cleaner)
                if is_exact
                else evaluate(plan, numbers, given, proof=proof, cleaner=cleaner, rejected=tally.rejected)
            )
            for entities in made:
                tally.entities[entities.schema] += len(entities.ids)
                yield entities


def _passing(plan: QueryPlan, cells: "pl.DataFrame", height: int) -> "pl.Series":
    """The rows that the filters of a query let through."""
    import polars as pl

    passing = pl.repeat(True, height, dtype=pl.Boolean, eager=True)
    nothing = pl.repeat(None, height, dtype=pl.String, eager=True)
    for filters, wanted in ((plan.filters, True), (plan.filters_not, False)):
        for column, values in filters:
            found = cells[column] if column in cells.columns else nothing
            fits = found.is_in([value for value in values if value is not None]).fill_null(None in values)
            passing &= fits if wanted else ~fits
    return passing
