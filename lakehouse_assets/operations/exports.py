"""Making exports: each is skipped when what it would be made from is what it was made from."""

import logging
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from lakehouse_assets import layout
from lakehouse_assets.diffs.deltas import update_deltas
from lakehouse_assets.exports.base import DatasetView
from lakehouse_assets.exports.keeping import KeptParts
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.model.dataset import DatasetConfig
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.assertions import insist
from lakehouse_assets.operations.base import DJ, DatasetJobOperation
from lakehouse_assets.operations.chains import Changed, advance, diffs_are_latest, digests_are_there, tidy
from lakehouse_assets.operations.delegating import asset_config
from lakehouse_assets.operations.flush import flush
from lakehouse_assets.operations.freshness import (
    INDEX_TAGS,
    STATEMENT_TAGS,
    Freshness,
    freshness_of,
    sources_of,
    tags_of,
)
from lakehouse_assets.remote.launch import Launch
from lakehouse_assets.storage.jobs import JobRun
from lakehouse_assets.storage.lease import Lease
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


class DiffedExportJob(ExportJob):
    """
    An export of which the differences are kept, unless `make_diff` is off.

    The first time there is nothing to compare with; `initial_diff` then adds everything. With `defer_diff` only
    digests are left, for a `DiffJob`. `diffs` says by kind what changed.
    """

    make_diff: bool = True
    initial_diff: bool = False
    defer_diff: bool = False
    diffs: dict[str, Changed] = {}


class ExportEntitiesJob(DiffedExportJob):
    """The export of all entities as JSON lines."""

    target: str = layout.ENTITIES


class ExportStatisticsJob(ExportJob):
    """The export of counts."""

    target: str = layout.STATISTICS


class ExportDocumentsJob(DiffedExportJob):
    """The export of the list of documents."""

    target: str = layout.DOCUMENTS
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

    export: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.export:
            return
        cls.target = EXPORTS[cls.export].target
        cls.dependencies = tags_of(EXPORTS[cls.export])

    def waits(self) -> bool:
        """Whether something waits in the journal."""
        return bool(self.parts.store.journal.waiting())

    def prepare(self, **kwargs: object) -> None:
        """Flush the journal, unless `flush` is False."""
        if kwargs.get("flush", True):
            flush(self.parts)

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

    def launch(self, force: bool) -> Launch:
        """The asset of Dagster that is this file."""
        asset = EXPORTS[self.export].asset
        return Launch(assets=[asset], config={asset: asset_config(self.job, force=force)})

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
            view = self._view(run, kwargs.get("dataset"), kwargs.get("kept"))
            # the file may be what it should be, and only what follows it is not
            job.skipped = not kwargs.get("force") and self._is_written()
            if not job.skipped:
                self._write(view, lease, began)
            self._conclude(view, lease)
        job.done, job.pending = job.rows, 0
        job.seconds = (now_utc() - began).total_seconds()
        self.parts.store.table.note_content_version()
        if (
            export.name != "index"
            and kwargs.get("update_index", True)
            and self.parts.location.exists(layout.INDEX)
        ):
            self._update_index()

    def _view(self, run: JobRun[DJ], dataset: object, kept: object) -> DatasetView:
        """The dataset as the export sees it, by the config and with the kept parts that were given, if any."""
        view = self.parts.view(
            public_url_prefix=self._public_url_prefix(), keep_digests=self._keeps_digests()
        )
        observed = view.reader.observed(lambda done, total: self._progress(run, done, total))
        view = replace(view, reader=observed, kept=kept if isinstance(kept, KeptParts) else None)
        return view.with_config(dataset) if isinstance(dataset, DatasetConfig) else view

    def _write(self, view: DatasetView, lease: Lease, began: datetime) -> None:
        export, job = EXPORTS[self.export], self._job()
        source = sources_of(export, self.parts, public_url_prefix=self._public_url_prefix())
        results = export.write(view)
        lease.check()
        # the main file's last: its record alone says whether the export is fresh
        for result in reversed(results):
            written = Written(result.digest, result.bytes, result.rows, source, began, result.path)
            self.parts.records.put(result.key, written)
            if result.key != export.target:
                self.tags.set(result.key, began)
            self._remove_other_forms(result.key, result.path)
        main = results[0]
        job.rows, job.bytes, job.digest, job.path = main.rows, main.bytes, main.digest, main.path
        job.notes = dict(main.notes)
        log.info("%s: wrote %s, %s rows", job.dataset, job.path, job.rows)

    def _keeps_digests(self) -> bool:
        """Whether the export leaves digests of its lines."""
        return False

    def _is_written(self) -> bool:
        """Whether the file itself needs nothing, and only what belongs to it is stale."""
        return False

    def _conclude(self, view: DatasetView, lease: Lease) -> None:
        """Do what follows the file, while its lease is held."""

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
        ExportIndexOperation(job, repositories=self.parts).run(flush=False)

    def _public_url_prefix(self) -> str | None:
        return getattr(self.job, "public_url_prefix", None)

    def _job(self) -> ExportJob:
        assert isinstance(self.job, ExportJob)
        return self.job


class ExportStatementsOperation(ExportOperation[ExportStatementsJob]):
    """Writes exports/statements.csv."""

    export = "statements"


class DiffedExportOperation(ExportOperation[DJ]):
    """An export of which the differences are kept: it is fresh when they lead to it."""

    def is_fresh(self) -> bool:
        """Whether the file is, and its differences are; moves its tag along as other exports do."""
        return super().is_fresh() and self._is_concluded()

    def _is_concluded(self) -> bool:
        job = self._diffed()
        if not job.make_diff:
            return True
        if job.defer_diff:
            return digests_are_there(self.parts, self.export)
        return diffs_are_latest(self.parts, self.export)

    def _keeps_digests(self) -> bool:
        return self._diffed().make_diff

    def _is_written(self) -> bool:
        state = self.freshness()
        job = self._job()
        job.rows, job.bytes, job.digest, job.path = (
            state.rows or 0,
            state.bytes or 0,
            state.digest or "",
            state.path,
        )
        return state.fresh and digests_are_there(self.parts, self.export)

    def _conclude(self, view: DatasetView, lease: Lease) -> None:
        job = self._diffed()
        if job.make_diff and not job.defer_diff:
            job.diffs = advance(self.parts, view, self.export, check=lease.check, initial=job.initial_diff)
        elif job.make_diff:
            tidy(self.parts, view, self.export)

    def _diffed(self) -> DiffedExportJob:
        assert isinstance(self.job, DiffedExportJob)
        return self.job


class ExportEntitiesOperation(DiffedExportOperation[ExportEntitiesJob]):
    """Writes entities.ftm.json."""

    export = "entities"


class ExportStatisticsOperation(ExportOperation[ExportStatisticsJob]):
    """Writes exports/statistics.json."""

    export = "statistics"


class ExportDocumentsOperation(DiffedExportOperation[ExportDocumentsJob]):
    """Writes exports/documents.csv and exports/documents.crawl.csv."""

    export = "documents"


class ExportIndexOperation(ExportOperation[ExportIndexJob]):
    """Writes index.json, and before it the list of differences anew, which holds public addresses, too."""

    export = "index"

    def _write(self, view: DatasetView, lease: Lease, began: datetime) -> None:
        update_deltas(view)
        super()._write(view, lease, began)


OPERATIONS: dict[str, tuple[type[ExportJob], type[ExportOperation]]] = {  # type: ignore[type-arg]
    "statements": (ExportStatementsJob, ExportStatementsOperation),
    "entities": (ExportEntitiesJob, ExportEntitiesOperation),
    "documents": (ExportDocumentsJob, ExportDocumentsOperation),
    "statistics": (ExportStatisticsJob, ExportStatisticsOperation),
    "index": (ExportIndexJob, ExportIndexOperation),
}
"""The job and the operation of each export, in the order in which `make` runs them."""
