"""Vacuum: data files that nobody needs any more are deleted."""

import logging

from pydantic import Field

from lakehouse_assets import layout
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.operations.delegating import asset_config
from lakehouse_assets.remote.launch import Launch
from lakehouse_assets.statements.vacuum import find_unneeded, sweep, vacuum
from lakehouse_assets.storage.jobs import JobRun

log = logging.getLogger(__name__)


class VacuumJob(DatasetJob):
    """
    A vacuum; `files` and `bytes` count the data files that were deleted, or would be by a `dry_run`.

    `swept` counts temp files and open uploads of interrupted writers.
    """

    retention_hours: int = Field(default=0, ge=0)
    dry_run: bool = False
    files: int = 0
    bytes: int = 0
    swept: int = 0
    skipped: bool = False
    seconds: float = 0.0


class VacuumOperation(DatasetJobOperation[VacuumJob]):
    """
    Deletes the data files that no version needs which is live, held by a long read, or young enough to be kept.

    It changes no answer, and makes nothing stale; older versions cannot be looked at any more.
    """

    target = layout.TAG_STATEMENTS_VACUUMED
    dependencies = (
        layout.TAG_STATEMENTS_COMPACTED,
        layout.TAG_STATEMENTS_MERGED,
        layout.TAG_STATEMENTS_OPTIMIZED,
    )

    def get_target(self) -> str:
        """A dry run vacuums nothing, and leaves the tag alone."""
        return "" if self.job.dry_run else self.target

    def is_fresh(self) -> bool:
        """Whether there is no file to delete, and the tags say so, too."""
        store = self.parts.store
        if self.job.dry_run or find_unneeded(
            store.table, self.parts.leases, retention_hours=self.job.retention_hours
        ):
            return False
        done = self.tags.get(self.target)
        rewritten = [self.tags.get(tag) for tag in self.dependencies]
        return all(when is None or (done is not None and done > when) for when in rewritten)

    def skip(self) -> None:
        """Note that there was no data file to delete; what dead writers left over goes all the same."""
        super().skip()
        self.job.skipped = True
        self.job.swept = len(sweep(self.parts.location, self.parts.leases))

    def launch(self, force: bool) -> Launch:
        """The job of Dagster that does it."""
        return Launch(job="vacuum", config={"vacuum_statements": asset_config(self.job, force=force)})

    def handle(self, run: JobRun[VacuumJob], *args: object, **kwargs: object) -> None:
        """Delete what is not needed."""
        job = run.job
        began = now_utc()
        done = vacuum(
            self.parts.location,
            self.parts.store.table,
            self.parts.leases,
            retention_hours=job.retention_hours,
            dry_run=job.dry_run,
        )
        job.done = job.files = len(done.files)
        job.bytes, job.swept = done.bytes, len(done.swept)
        job.seconds = (now_utc() - began).total_seconds()
        log.info(
            "%s: %s %s files, %s bytes, in %.1f s",
            job.dataset, "would delete" if job.dry_run else "deleted", job.files, job.bytes, job.seconds,
        )  # fmt: skip
