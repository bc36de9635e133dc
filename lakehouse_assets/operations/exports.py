"""Making exports: each is skipped when what it would be made from is what it was made from."""

import logging
from dataclasses import replace
from typing import ClassVar

from lakehouse_assets import layout
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.model.dataset import DatasetConfig
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.assertions import insist
from lakehouse_assets.operations.base import DJ, DatasetJobOperation
from lakehouse_assets.operations.freshness import (
    INDEX_TAGS,
    STATEMENT_TAGS,
    Freshness,
    freshness_of,
    sources_of,
    tags_of,
)
from lakehouse_assets.storage.jobs import JobRun
from lakehouse_assets.storage.records import Written

log = logging.getLogger(__name__)


class ExportJob(DatasetJob):
    """
    An export; `rows`, `bytes` and `digest` (SHA-256) are those of the file at `path`, made now or before.

    With `assertions` off it is published even if pipeline.yml asserts something else of the statements;
    `failed_assertions` says what then did not hold.
    """

    target: str = ""
    dependencies: list[str] = list(STATEMENT_TAGS)
    rows: int = 0
    bytes: int = 0
    digest: str = ""
    path: str = ""
    seconds: float = 0.0
    skipped: bool = False
    notes: dict[str, int | list[str]] = {}
    assertions: bool = True
    failed_assertions: list[str] = []


class ExportStatementsJob(ExportJob):
    """The export of all statements as CSV."""

    target: str = layout.EXPORT_STATEMENTS


class ExportEntitiesJob(ExportJob):
    """The export of all entities as JSON lines."""

    target: str = layout.ENTITIES
    make_diff: bool = True


class ExportStatisticsJob(ExportJob):
    """The export of counts."""

    target: str = layout.STATISTICS


class ExportDocumentsJob(ExportJob):
    """The export of the list of documents."""

    target: str = layout.DOCUMENTS
    make_diff: bool = True
    public_url_prefix: str | None = None

    def get_public_prefix(self) -> str | None:
        """The address that the job asks for, with the dataset's name in it."""
        config = DatasetConfig.make(self.dataset)
        return config.public_prefix(override=self.public_url_prefix)


class ExportIndexJob(ExportJob):
    """The export of the dataset's index."""

    target: str = layout.INDEX
    dependencies: list[str] = list(INDEX_TAGS)
    public_url_prefix: str | None = None


class ExportOperation(DatasetJobOperation[DJ]):
    """An export: `export` names it in the registry."""

    export: ClassVar[str]

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        cls.target = EXPORTS[cls.export].target
        cls.dependencies = tags_of(EXPORTS[cls.export])

    def freshness(self) -> Freshness:
        """The state of the export."""
        return freshness_of(EXPORTS[self.export], self.parts, public_url_prefix=self._public_url_prefix())

    def is_fresh(self) -> bool:
        """Whether it was made from what is there now; moves its tag along where tags alone would say otherwise."""
        began = now_utc()
        state = self.freshness()
        if state.fresh and not self.tags.is_latest(self.get_target(), self.get_dependencies()):
            self.tags.set(self.get_target(), began)
        return state.fresh

    def skip(self) -> None:
        """Note in the job what lies there."""
        super().skip()
        state = self.freshness()
        job = self._job()
        job.skipped, job.path = True, state.path
        job.rows, job.bytes, job.digest = state.rows or 0, state.bytes or 0, state.digest or ""

    def handle(self, run: JobRun[DJ], *args: object, **kwargs: object) -> None:
        """Write the file; unless `update_index` is False, an index that lists it is written again."""
        export, job = EXPORTS[self.export], self._job()
        began = now_utc()
        job.failed_assertions = insist(self.parts, export.target, anyway=not job.assertions)
        with self.parts.leases.target(export.target) as lease:
            source = sources_of(export, self.parts, public_url_prefix=self._public_url_prefix())
            view = self.parts.view(public_url_prefix=self._public_url_prefix())
            view = replace(
                view, reader=view.reader.observed(lambda done, total: self._progress(run, done, total))
            )
            dataset = kwargs.get("dataset")
            if isinstance(dataset, DatasetConfig):
                view = view.with_config(dataset)
            results = export.write(view)
            lease.check()
            for result in results:
                written = Written(result.digest, result.bytes, result.rows, source, began, result.path)
                self.parts.records.put(result.key, written)
                if result.key != export.target:
                    self.tags.set(result.key, began)
                self._remove_other_forms(result.key, result.path)
        main = results[0]
        job.rows, job.bytes, job.digest, job.path = main.rows, main.bytes, main.digest, main.path
        job.notes = dict(main.notes)
        job.done, job.pending = job.rows, 0
        job.seconds = (now_utc() - began).total_seconds()
        self.parts.store.table.note_content_version()
        log.info("%s: wrote %s, %s rows in %.1f s", job.dataset, job.path, job.rows, job.seconds)
        if (
            export.name != "index"
            and kwargs.get("update_index", True)
            and self.parts.location.exists(layout.INDEX)
        ):
            self._update_index()

    def _remove_other_forms(self, key: str, path: str) -> None:
        """The file as it was compressed before would be taken for the export, and never be made again."""
        for other in layout.forms(key):
            if other != path and self.parts.location.delete(other):
                log.info("removed %s: %s took its place", self.parts.location.url(other), path)

    def _progress(self, run: JobRun[DJ], done: int, total: int) -> None:
        run.progress(done, total - done)
        self.report(done, total - done, "statements")

    def _update_index(self) -> None:
        # the tag first: the index must be newer than what it lists
        self.tags.set(self.get_target(), now_utc())
        job = ExportIndexJob.make(dataset=self.job.dataset, assertions=self._job().assertions)
        ExportIndexOperation(job, repositories=self.parts).run()

    def _public_url_prefix(self) -> str | None:
        return getattr(self.job, "public_url_prefix", None)

    def _job(self) -> ExportJob:
        assert isinstance(self.job, ExportJob)
        return self.job


class ExportStatementsOperation(ExportOperation[ExportStatementsJob]):
    """Writes exports/statements.csv."""

    export = "statements"


class ExportEntitiesOperation(ExportOperation[ExportEntitiesJob]):
    """Writes entities.ftm.json."""

    export = "entities"


class ExportStatisticsOperation(ExportOperation[ExportStatisticsJob]):
    """Writes exports/statistics.json."""

    export = "statistics"


class ExportDocumentsOperation(ExportOperation[ExportDocumentsJob]):
    """Writes exports/documents.csv and exports/documents.crawl.csv."""

    export = "documents"


class ExportIndexOperation(ExportOperation[ExportIndexJob]):
    """Writes index.json."""

    export = "index"


OPERATIONS: dict[str, tuple[type[ExportJob], type[ExportOperation]]] = {  # type: ignore[type-arg]
    "statements": (ExportStatementsJob, ExportStatementsOperation),
    "entities": (ExportEntitiesJob, ExportEntitiesOperation),
    "documents": (ExportDocumentsJob, ExportDocumentsOperation),
    "statistics": (ExportStatisticsJob, ExportStatisticsOperation),
    "index": (ExportIndexJob, ExportIndexOperation),
}
"""The job and the operation of each export, in the order in which `make` runs them."""
