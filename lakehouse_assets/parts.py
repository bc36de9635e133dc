"""What a dataset consists of: documents, statements, entities, files, mappings, and how they are wired."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.archive.store import Archive
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.dataset import DatasetConfig
from lakehouse_assets.model.names import check_dataset_name
from lakehouse_assets.model.pipeline import PipelineConfig
from lakehouse_assets.operations import (
    ImportJob,
    ImportOperation,
)
from lakehouse_assets.operations.crawling.listed import ListedSources
from lakehouse_assets.operations.differences import Differences
from lakehouse_assets.operations.documents import Documents
from lakehouse_assets.operations.entities import Entities
from lakehouse_assets.operations.flush import flush
from lakehouse_assets.operations.mapping_files import MappingFiles
from lakehouse_assets.operations.repositories import Progress, Repositories
from lakehouse_assets.state import StateStore
from lakehouse_assets.statements.inputs import Source
from lakehouse_assets.statements.reader import Reader
from lakehouse_assets.statements.store import StatementStore
from lakehouse_assets.storage.jobs import Jobs
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.records import Records
from lakehouse_assets.storage.tags import Tags
from lakehouse_assets.storage.versions import Versions

if TYPE_CHECKING:
    from lakehouse_assets.lake import Lake


class DatasetParts:
    """The parts of one dataset of a lake."""

    def __init__(self, lake: "Lake", name: str) -> None:
        """Use `Lake.dataset`, which checks that it is there."""
        self.lake = lake
        self.name = check_dataset_name(name)
        self.location = lake.location / name
        settings = lake.settings
        self.tags = Tags(self.location)
        self.versions = Versions(self.location, self.tags)
        self.records = Records(self.location)
        self.jobs = Jobs(self.location)
        self.leases = Leases(
            self.location, timeout=settings.lock_timeout, lease_seconds=settings.lease_seconds
        )

    @property
    def uri(self) -> str:
        """Where the dataset lies."""
        return self.location.uri

    @property
    def config(self) -> DatasetConfig:
        """What config.yml says now."""
        place = self.location.url(layout.CONFIG)
        return DatasetConfig.load(self.location.read(layout.CONFIG), place, uri=self.uri)

    def configure(self, **changes: object) -> DatasetConfig:
        """Change config.yml: filled values replace, lists are united, mappings are merged."""
        config = self.config.merge(**changes)
        if config.name != self.name:
            msg = f"a dataset cannot be renamed ({self.name!r} to {config.name!r}): its statements' ids hold the name"
            raise InvalidData(msg)
        if config.shards != self.config.shards and self.statements.table.exists():
            msg = f"{self.name} has statements, so its number of shards cannot change any more"
            raise InvalidData(msg)
        self.versions.make(layout.CONFIG, config)
        return config

    @property
    def pipeline(self) -> PipelineConfig:
        """What pipeline.yml says now; the defaults without one."""
        data = self.location.read_or_none(layout.PIPELINE)
        return _pipeline(data, self.location.url(layout.PIPELINE)) if data else PipelineConfig()

    @property
    def sources(self) -> ListedSources:
        """The sources that pipeline.yml lists now: `look_at`, `left`, `states`."""
        return ListedSources(self.location, self.lake.settings, self.pipeline.crawl)

    @cached_property
    def states(self) -> StateStore:
        """How far jobs got that work on this dataset: bookmarks, by the name of the job."""
        return self.lake.open_states(self.location / layout.STATE)

    @cached_property
    def statements(self) -> StatementStore:
        """The statement store."""
        return StatementStore(
            self.location,
            dataset=self.name,
            settings=self.lake.settings,
            leases=self.leases,
            tags=self.tags,
            shards=self.config.shards,
        )

    @cached_property
    def entities(self) -> Entities:
        """The entities: `get`, `query`, `add_many`, `writer`, `get_statistics`."""
        return Entities(
            self.statements,
            self.name,
            self._import_sources,
            lambda: flush(self.repositories),
            temp_directory=self.lake.settings.temp_directory,
        )

    @cached_property
    def archive(self) -> Archive:
        """The source files: `store`, `open`, `get_file`, `files`, `verify`."""
        return Archive(self.location, dataset=self.name, tags=self.tags)

    @property
    def documents(self) -> Documents:
        """The list of files: `stream`, `export_csv`, `export_diff`."""
        return Documents(self.repositories)

    @property
    def differences(self) -> Differences:
        """What changed from one export to the next."""
        return Differences(self.repositories)

    @property
    def mappings(self) -> MappingFiles:
        """What becomes of archived tables: `get`, `list`, `put`, `add`, `run_one`."""
        return MappingFiles(self.repositories)

    @property
    def repositories(self) -> Repositories:
        """The parts that operations work on."""
        return Repositories(
            name=self.name,
            location=self.location,
            settings=self.lake.settings,
            config=lambda: self.config,
            entities=self.entities,
            tags=self.tags,
            versions=self.versions,
            records=self.records,
            jobs=self.jobs,
            leases=self.leases,
            archive=self.archive,
            states=self.states,
            others=self._others,
        )

    def _others(self) -> Iterator[tuple[str, Callable[[], Reader]]]:
        """The other datasets of the lake, which may be unreadable, and their statements."""
        for name in self.lake.datasets():
            if name != self.name:
                yield name, partial(_reader, self.lake, name)

    def _import_sources(self, sources: Sequence[Source], **fields: object) -> ImportJob:
        job = ImportJob.make(dataset=self.name, files=[sources[0].name], **fields)
        return self.run_import(job, sources, None)

    def run_import(
        self, job: ImportJob, sources: Sequence[Source] | None, progress: Progress | None
    ) -> ImportJob:
        """Import what a job names, or what the sources hold in place of its files."""
        operation = ImportOperation(job, repositories=self.repositories, progress=progress)
        operation.sources = sources
        return operation.run()

    def __repr__(self) -> str:
        return f"<Dataset({self.uri})>"


@lru_cache(maxsize=4096)
def _pipeline(data: bytes, place: str) -> PipelineConfig:
    # sensors ask for those of all datasets several times a minute, and YAML takes its time
    return PipelineConfig.load(data, place)


def _reader(lake: "Lake", name: str) -> Reader:
    return lake.dataset(name).statements.reader
