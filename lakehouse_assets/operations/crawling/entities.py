"""From archived files to entities: gathered by some thousand, and imported in one commit."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lakehouse_assets.archive.entities import MadeEntity, document_of, folders_of
from lakehouse_assets.archive.sources.catalogue import Catalogue
from lakehouse_assets.errors import Locked
from lakehouse_assets.operations.crawling.intake import ORIGIN, Outcome
from lakehouse_assets.statements.columns import EntitySource, entity_table
from lakehouse_assets.statements.imports import Advance
from lakehouse_assets.statements.store import StatementStore

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

BATCH = 2000
"""Files whose entities are one commit: each costs some 0.2 s, memory, and after a crash reading again."""

_SECONDS = 120.0
# a merge of a large partition may keep others out for some time
_MOST_WAITING = 20 * BATCH


class Gathered:
    """
    Outcomes whose entities are not in the statements yet.

    The catalogue learns of a file after its entity was committed, never before: a crawl that is killed in between
    comes by the file again, and makes the entity then.
    """

    def __init__(self, store: StatementStore, *, make_entities: bool, journal: bool = False) -> None:
        """
        Without `make_entities` nothing is imported.

        With `journal` the entities wait there for a flush, and no lock keeps them from being confirmed.
        """
        self._store = store
        self._make_entities = make_entities
        self._journal = journal
        self._outcomes: list[Outcome] = []
        self._folders: set[str] = set()
        self._since = time.monotonic()

    def add(self, outcome: Outcome) -> None:
        """Take what became of a file."""
        self._outcomes.append(outcome)

    @property
    def is_due(self) -> bool:
        """Whether so many wait, or so long, that they should be committed."""
        waits = time.monotonic() - self._since
        return len(self._outcomes) >= BATCH or (bool(self._outcomes) and waits > _SECONDS)

    def commit(self, catalogue: Catalogue, *, last: bool) -> int:
        """
        Import the entities of all that wait, in one commit, and note the files; returns how many files.

        When others keep the statements locked for too long, all of it waits on, unless it is the `last` time.
        """
        try:
            self._import()
        except Locked as exc:
            if last or len(self._outcomes) > _MOST_WAITING:
                raise
            log.warning("%s files wait for their entities: %s", f"{len(self._outcomes):,}", exc)
            self._since = time.monotonic()
            return 0
        catalogue.add(
            [
                outcome.seen._replace(entity=self._make_entities and outcome.seen.archived)
                for outcome in self._outcomes
                if outcome.seen is not None
            ]
        )
        number = len(self._outcomes)
        self._outcomes.clear()
        self._since = time.monotonic()
        return number

    def _import(self) -> None:
        if not self._make_entities:
            return
        known = set(self._folders)
        made = [
            entity
            for outcome in self._outcomes
            if outcome.stored is not None
            for entity in (*folders_of(outcome.stored.key, known), document_of(outcome.stored))
        ]
        if not made:
            return
        self._store.import_lines(
            [EntitySource("the files crawled", lambda: _tables(made))],
            origin=ORIGIN,
            trusted=True,
            journal=self._journal,
            progress=_nothing,
        )
        self._folders = known


def _tables(made: Sequence[MadeEntity]) -> "Iterator[pa.Table]":
    """Entities in columns, a table for each schema: less memory by half than JSON that DuckDB reads."""
    import polars as pl

    by_schema: dict[str, list[tuple[int, MadeEntity]]] = {}
    for position, entity in enumerate(made):
        by_schema.setdefault(entity.schema, []).append((position, entity))
    for schema, entities in by_schema.items():
        props = sorted({name for _, entity in entities for name in entity.properties})
        places = {name: place for place, name in enumerate(props)}
        values = [
            (number, places[name], value)
            for number, (_, entity) in enumerate(entities)
            for name, found in entity.properties.items()
            for value in found
        ]
        yield entity_table(
            pl.Series([position for position, _ in entities], dtype=pl.Int64),
            pl.Series([entity.id for _, entity in entities], dtype=pl.String),
            schema,
            props,
            pl.DataFrame(
                values, schema={"entity": pl.UInt32, "prop": pl.UInt32, "value": pl.String}, orient="row"
            ).with_columns(original_value=pl.lit(None, dtype=pl.String)),
        )


def _nothing(advance: Advance) -> None:
    """The crawl itself tells how far it is."""
