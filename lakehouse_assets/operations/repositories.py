"""What an operation works on: the parts of a dataset, each of which can be replaced."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from lakehouse_assets.archive.store import Archive
from lakehouse_assets.exports.base import DatasetView
from lakehouse_assets.model.dataset import DatasetConfig
from lakehouse_assets.settings import Settings
from lakehouse_assets.state import StateStore
from lakehouse_assets.statements.reader import Reader
from lakehouse_assets.statements.store import StatementStore
from lakehouse_assets.storage.jobs import Jobs
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.records import Records
from lakehouse_assets.storage.tags import Tags
from lakehouse_assets.storage.versions import Versions

if TYPE_CHECKING:
    from followthemoney.proxy import EntityProxy
    from followthemoney.statement.entity import StatementEntity


class Progress(Protocol):
    """Hears how far a long operation is; `unit` names what is counted."""

    def __call__(self, done: int, pending: int, unit: str) -> None:
        """Take note; called often, so it should be quick."""


class EntityRepository(Protocol):
    """The entities of a dataset."""

    store: StatementStore

    def add_many(self, entities: "Iterable[EntityProxy]", origin: str = ...) -> int:
        """Import entities; returns how many."""

    def get(self, entity_id: str) -> "StatementEntity | None":
        """One entity, as it is now."""

    def query(
        self,
        *,
        schema: str | None = None,
        where: Mapping[str, str] | None = None,
        origin: str | None = None,
        bucket: str | None = None,
        changed_since: datetime | None = None,
    ) -> "Iterator[StatementEntity]":
        """All entities that fit."""


@dataclass(frozen=True)
class Repositories:
    """
    The parts of one dataset. `config` reads config.yml anew; `view` is what exports read.

    `others` names the lake's other datasets, each with what opens a reader of its statements. `documents` is there
    for operations that are given some; nothing here needs it.
    """

    name: str
    location: Location
    settings: Settings
    config: Callable[[], DatasetConfig]
    entities: EntityRepository
    tags: Tags
    versions: Versions
    records: Records
    jobs: Jobs
    leases: Leases
    archive: Archive
    states: StateStore
    others: Callable[[], Iterable[tuple[str, Callable[[], Reader]]]] = tuple
    documents: object | None = None

    @property
    def store(self) -> StatementStore:
        """The statements behind the entities."""
        return self.entities.store

    def here(self) -> "Repositories":
        """The same parts, for operations that run in this process even if a Dagster could do it."""
        return replace(self, settings=self.settings.here())

    def view(self, *, public_url_prefix: str | None = None, keep_digests: bool = False) -> DatasetView:
        """What exports are made from, with the public address of the job, the config or the settings."""
        config = self.config()
        prefix = config.public_prefix(override=public_url_prefix, default=self.settings.public_url_prefix)
        return DatasetView(
            location=self.location,
            dataset=self.name,
            config=config,
            reader=self.store.reader,
            versions=self.versions,
            records=self.records,
            tags=self.tags,
            keep_digests=keep_digests,
            temp_directory=self.settings.temp_directory,
            public_url_prefix=prefix,
        )
