"""The entities of a dataset: reading them one by one, by question, and adding more."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from lakehouse_assets.exports.entities import COLUMNS, render_entities
from lakehouse_assets.exports.statistics import count_statistics
from lakehouse_assets.model.names import check_origin
from lakehouse_assets.model.statistics import Statistics
from lakehouse_assets.operations.flush import FlushJob
from lakehouse_assets.operations.given import given_sources
from lakehouse_assets.operations.imports import ImportJob
from lakehouse_assets.operations.queries import Query, matching_rows
from lakehouse_assets.operations.writer import JournalWriter
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.inputs import Source
from lakehouse_assets.statements.store import StatementStore

if TYPE_CHECKING:
    import polars as pl
    from followthemoney.proxy import EntityProxy
    from followthemoney.statement.entity import StatementEntity
    from followthemoney.statement.statement import Statement


class Import(Protocol):
    """Imports what sources hold."""

    def __call__(self, sources: Sequence[Source], **fields: object) -> ImportJob:
        """Run an import; `fields` are those of its job."""


class Entities:
    """
    Reads and adds entities; every answer is as if a merge had just run.

    Example:
        >>> dataset.entities.get("acme-1").caption
        'Acme Inc.'
        >>> [entity.id for entity in dataset.entities.query(schema="Company", country="de")]
        ['acme-1']
    """

    def __init__(
        self,
        store: StatementStore,
        dataset: str,
        import_sources: Import,
        flush: Callable[[], FlushJob],
        *,
        temp_directory: str | None = None,
    ) -> None:
        self.store = store
        self._dataset = dataset
        self._import = import_sources
        self._flush = flush
        self._temp_directory = temp_directory

    def add_many(
        self, entities: "Iterable[EntityProxy | Mapping[str, object]]", origin: str = s.DEFAULT_ORIGIN
    ) -> int:
        """Import entities, in one commit; returns how many. `Dataset.import_entities` has more options."""
        return self._import(given_sources(entities), origin=origin).entities

    def writer(
        self,
        origin: str = s.DEFAULT_ORIGIN,
        *,
        trusted: bool = False,
        role: str | None = None,
        last_seen: datetime | None = None,
    ) -> JournalWriter:
        """
        A writer that takes entities one by one and confirms them when it is closed; the next flush makes them visible.

        The options are those of `Dataset.import_entities`.
        """

        def confirm(sources: Sequence[Source]) -> ImportJob:
            mode = "trusted" if trusted else "safe"
            fields = {"origin": origin, "mode": mode, "role": role, "last_seen": last_seen}
            return self._import(sources, journal=True, **fields)

        check_origin(origin)
        return JournalWriter(confirm, self._temp_directory)

    def flush(self) -> FlushJob:
        """Make visible what writers confirmed."""
        return self._flush()

    def get(self, entity_id: str) -> "StatementEntity | None":
        """One entity with its statements, None when there is none of that id."""
        for entity in self._entities(self.store.reader.entities([entity_id])):
            return entity
        return None

    def get_json(self, ids: Collection[str]) -> dict[str, bytes]:
        """Entities by id, each as a line of JSON; those that are not there are left out."""
        rows = self.store.reader.entities(ids).sort(s.ENTITY_ID, maintain_order=True)
        found = render_entities(rows, self._dataset)
        return {
            entity_id: line.encode().rstrip(b"\n")
            for entity_id, line in zip(found.ids, found.lines, strict=True)
        }

    def query(
        self,
        *,
        schema: str | None = None,
        where: Mapping[str, str] | None = None,
        origin: str | None = None,
        bucket: str | None = None,
        changed_since: datetime | None = None,
        **properties: str,
    ) -> "Iterator[StatementEntity]":
        """
        Entities that fit all that is asked: of a schema, with values of properties, with rows of an origin or bucket,
        with a statement first seen at or after a time. Each comes whole, with all its origins.
        """
        query = Query(schema, {**(where or {}), **properties}, origin, bucket, changed_since)
        found = matching_rows(self.store.reader, query, s.COLUMNS)
        return (entity for rows in found for entity in self._entities(rows))

    def query_json(self, query: Query) -> Iterator[bytes]:
        """The entities that fit, each as a line of JSON without its end."""
        for rows in matching_rows(self.store.reader, query, COLUMNS):
            for line in render_entities(rows, self._dataset).lines:
                yield line.encode().rstrip(b"\n")

    def get_statistics(self) -> Statistics:
        """The counts of exports/statistics.json, as they are now."""
        return count_statistics(self.store.reader)

    def _entities(self, rows: "pl.DataFrame") -> "Iterator[StatementEntity]":
        from followthemoney.dataset import Dataset
        from followthemoney.statement.entity import StatementEntity

        dataset = Dataset({"name": self._dataset, "title": self._dataset})
        for _, statements in rows.group_by(s.ENTITY_ID, maintain_order=True):
            yield StatementEntity.from_statements(
                dataset, (_statement(row) for row in statements.iter_rows(named=True))
            )


def _statement(row: dict[str, Any]) -> "Statement":
    """A row of the table as followthemoney knows it."""
    from followthemoney.statement.statement import Statement

    return Statement(
        id=row[s.ID],
        entity_id=row[s.ENTITY_ID],
        prop=row[s.PROP],
        schema=row[s.SCHEMA],
        value=row[s.VALUE],
        dataset=row[s.DATASET],
        lang=row[s.LANG],
        original_value=row[s.ORIGINAL_VALUE],
        external=row[s.EXTERNAL],
        origin=row[s.ORIGIN],
        first_seen=row[s.FIRST_SEEN].isoformat(timespec="microseconds"),
        last_seen=row[s.LAST_SEEN].isoformat(timespec="microseconds"),
    )
