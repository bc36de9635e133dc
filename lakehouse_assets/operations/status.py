"""A dataset at one glance."""

from collections.abc import Mapping
from dataclasses import dataclass

from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.operations.checks import count_entities
from lakehouse_assets.operations.freshness import Freshness, freshness_of
from lakehouse_assets.operations.repositories import Repositories
from lakehouse_assets.statements import schema as s
from lakehouse_assets.storage.holders import Holder


@dataclass(frozen=True)
class DatasetStatus:
    """A dataset at one glance; `lease` names everybody who holds a lock."""

    dataset: str
    entities: int
    statements: int
    content_version: str
    dirty_partitions: list[str]
    journal_rows: int
    artifacts: Mapping[str, Freshness]
    lease: list[Holder]


def dataset_status(parts: Repositories) -> DatasetStatus:
    """Counts, freshness of all exports, partitions to merge, and locks."""
    store = parts.store
    version = store.content_version()
    artifacts = {
        name: freshness_of(export, parts, content_version=version) for name, export in EXPORTS.items()
    }
    entities, statements = artifacts["entities"], artifacts["statements"]
    states = store.reader.partitions()
    return DatasetStatus(
        dataset=parts.name,
        entities=entities.rows if entities.fresh and entities.rows is not None else count_entities(parts),
        statements=statements.rows
        if statements.fresh and statements.rows is not None
        else sum(len(rows) for rows in store.reader.scan([s.ENTITY_ID])),
        content_version=version,
        dirty_partitions=[str(state.partition) for state in states if store.is_dirty(state)],
        journal_rows=sum(segment.rows for segment in store.journal.waiting()),
        artifacts=artifacts,
        lease=parts.leases.holders(),
    )
