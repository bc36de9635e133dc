"""The frame of every operation: fresh or not, job record, tags, errors."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Generic, Self, TypeVar

from lakehouse_assets.archive.store import Archive
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.delegating import delegate, take_over
from lakehouse_assets.operations.repositories import EntityRepository, Progress, Repositories
from lakehouse_assets.remote.launch import Launch
from lakehouse_assets.storage.jobs import JobRun, Jobs
from lakehouse_assets.storage.tags import Tags
from lakehouse_assets.storage.versions import Versions

if TYPE_CHECKING:
    from lakehouse_assets.lake import Dataset

log = logging.getLogger(__name__)

DJ = TypeVar("DJ", bound=DatasetJob)


class DatasetJobOperation(Generic[DJ]):
    """
    Something that is done to one dataset, and skipped when there is nothing to do.

    A subclass names its `target` and `dependencies` (tags), or overrides `get_target` and `get_dependencies` where
    they depend on the job, and does its work in `handle`. The target's tag gets the time the work began, after it
    succeeded: what arrives meanwhile leaves the target stale.

    Example:
        >>> class CountOperation(DatasetJobOperation[CountJob]):
        ...     target = "operations/count/last_run"
        ...     dependencies = ["statements/last_updated"]
        ...
        ...     def handle(self, run, *args, **kwargs):
        ...         run.job.done = sum(len(frame) for frame in self.store.reader.scan(["id"]))
        >>> CountOperation(CountJob.make(dataset="acme")).run().done
        344
    """

    target: ClassVar[str] = ""
    dependencies: ClassVar[Sequence[str]] = ()

    def __init__(
        self,
        job: DJ,
        archive: Archive | str | Path | None = None,
        entities: EntityRepository | None = None,
        documents: object | None = None,
        jobs: Jobs | None = None,
        tags: Tags | None = None,
        versions: Versions | None = None,
        uri: str | Path | None = None,
        *,
        repositories: Repositories | None = None,
        progress: Progress | None = None,
    ) -> None:
        """
        An operation for a job, on the dataset that the job names in the default lake, or in the one at `uri`.

        Parts that are given replace those of the dataset.
        """
        # the older call style gives the address as the second argument
        if isinstance(archive, str | Path):
            archive, uri = None, archive
        parts = repositories or _default(job.dataset, uri)
        self.parts = replace(
            parts,
            archive=archive or parts.archive,
            entities=entities or parts.entities,
            documents=documents or parts.documents,
            jobs=jobs or parts.jobs,
            tags=tags or parts.tags,
            versions=versions or parts.versions,
        )
        self.job = job
        self.progress = progress

    @classmethod
    def from_job(cls, job: DJ, dataset: "Dataset") -> Self:
        """The operation for a job on a dataset that is open already."""
        if job.dataset != dataset.name:
            msg = f"the job is for the dataset {job.dataset!r}, not for {dataset.name!r}"
            raise InvalidData(msg)
        return cls(job, repositories=dataset.repositories)

    @property
    def archive(self) -> Archive:
        """The dataset's source files."""
        return self.parts.archive

    @property
    def tags(self) -> Tags:
        """The dataset's tags."""
        return self.parts.tags

    @property
    def versions(self) -> Versions:
        """The dataset's versioned documents."""
        return self.parts.versions

    @property
    def jobs(self) -> Jobs:
        """The dataset's job records."""
        return self.parts.jobs

    @property
    def entities(self) -> EntityRepository:
        """The dataset's entities."""
        return self.parts.entities

    def get_target(self) -> str:
        """The tag that says when this was last done; empty for what is done whenever it is asked for."""
        return self.target

    def get_dependencies(self) -> Sequence[str]:
        """The tags that the target must be newer than."""
        return self.dependencies

    def is_fresh(self) -> bool:
        """Whether there is nothing to do."""
        target = self.get_target()
        return bool(target) and self.tags.is_latest(target, self.get_dependencies())

    def waits(self) -> bool:
        """Whether something has to be done first, so that nobody can tell yet whether it is fresh."""
        return False

    def prepare(self, **kwargs: object) -> None:
        """Do that; `kwargs` are those of the run."""

    def runs_here(self) -> bool:
        """Whether it is done in this process even if LAKEHOUSE_DAGSTER_URL names a Dagster: because of what is here."""
        return False

    def launch(self, force: bool) -> Launch:
        """What a Dagster runs in place of this."""
        msg = (
            f"no asset and no job of Dagster does what {type(self).__name__} does; unset LAKEHOUSE_DAGSTER_URL, "
            "or let its runs_here() give True"
        )
        raise InvalidData(msg)

    def collect(self) -> bool:
        """Take over the record that a Dagster left of the job; whether there is one, or nothing had to be done."""
        found = self.jobs.get(type(self.job), self.job.run_id)
        if found is not None:
            take_over(self.job, found)
            return True
        if not self.is_fresh():
            return False
        self.skip()
        self.job.stop()
        return True

    def handle(self, run: JobRun[DJ], *args: object, **kwargs: object) -> None:
        """Do the work; `kwargs` has `force`."""
        msg = f"{type(self).__name__} has no handle(run, ...): say there what it does"
        raise InvalidData(msg)

    def run(self, force: bool = False, *args: object, **kwargs: object) -> DJ:
        """
        Do the work unless it is fresh, and return the job.

        When it is fresh, nothing is read or written, and the job comes back stopped with `done` at 0. When
        LAKEHOUSE_DAGSTER_URL is set, the Dagster there does the work, and the job is what its record says.
        """
        if self.parts.settings.dagster_url and not self.runs_here():
            delegate(self, force=force)
            return self.job
        # what it consists of stays with it
        self.parts = self.parts.here()
        self.prepare(**kwargs)
        if not force and self.is_fresh():
            log.info("%s: %s is fresh", self.job.dataset, self.get_target())
            self.skip()
            self.job.stop()
            return self.job
        started = now_utc()
        with self.jobs.run(self.job) as run:
            self.handle(run, *args, force=force, **kwargs)
            if self.get_target():
                self.tags.set(self.get_target(), started)
        return self.job

    def skip(self) -> None:
        """Note in the job that nothing had to be done."""
        self.job.done = 0

    def report(self, done: int, pending: int, unit: str) -> None:
        """Tell whoever watches how far the work is."""
        if self.progress is not None:
            self.progress(done, pending, unit)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self.job.dataset})>"


def _default(name: str, uri: str | Path | None) -> Repositories:
    """The parts of a dataset by its name; the lake wires them, and is imported only here."""
    from lakehouse_assets.lake import Lake

    return Lake(uri).dataset(name).repositories
