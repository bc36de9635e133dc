"""Flushing: what programs wrote into the journal becomes part of the statements."""

import logging

from lakehouse_assets import layout
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.operations.delegating import asset_config
from lakehouse_assets.operations.repositories import Progress, Repositories
from lakehouse_assets.remote.launch import Launch
from lakehouse_assets.storage.jobs import JobRun

log = logging.getLogger(__name__)


class FlushJob(DatasetJob):
    """A flush; `segments`, `rows` and `bytes` are what it moved, `done` counts the segments, too."""

    segments: int = 0
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    skipped: bool = False
    content_version: str | None = None


class FlushOperation(DatasetJobOperation[FlushJob]):
    """Moves what waits in the journal into the statements, in one commit, exactly once."""

    target = layout.TAG_JOURNAL_FLUSHED
    dependencies = (layout.TAG_JOURNAL_UPDATED,)

    def is_fresh(self) -> bool:
        """Whether nothing waits."""
        return not self.parts.store.journal.waiting()

    def skip(self) -> None:
        """Note that nothing waited."""
        super().skip()
        self.job.skipped = True

    def launch(self, force: bool) -> Launch:
        """The asset of Dagster that it changes."""
        return Launch(assets=["statements"], config={"statements": asset_config(self.job)})

    def handle(self, run: JobRun[FlushJob], *args: object, **kwargs: object) -> None:
        """Move everything; Conflict when others are always faster."""
        job = run.job
        began = now_utc()

        def progress(done: int, total: int) -> None:
            run.progress(pending=total - done)
            self.report(done, total - done, "statements")

        flushed = self.parts.store.flush(progress=progress)
        job.done = job.segments = flushed.segments
        job.pending, job.rows, job.bytes = 0, flushed.rows, flushed.bytes
        job.content_version = self.parts.store.content_version()
        job.seconds = (now_utc() - began).total_seconds()
        log.info(
            "%s: flushed %s segments, %s statements in %.1f s",
            job.dataset, job.segments, job.rows, job.seconds,
        )  # fmt: skip


def flush(parts: Repositories, *, force: bool = False, progress: Progress | None = None) -> FlushJob:
    """Flush a dataset; where nothing waits, that is one look at one folder."""
    job = FlushJob.make(dataset=parts.name)
    return FlushOperation(job, repositories=parts, progress=progress).run(force=force)
