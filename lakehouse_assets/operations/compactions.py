"""Compaction: small files put together."""

import logging

from lakehouse_assets import layout
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.operations.delegating import asset_config
from lakehouse_assets.remote.launch import Launch
from lakehouse_assets.statements.compact import compact, find_packs
from lakehouse_assets.storage.jobs import JobRun

log = logging.getLogger(__name__)


class CompactJob(DatasetJob):
    """A compaction; `partitions` names those that were rewritten, `rows` and `bytes` are what the new files hold."""

    partitions: list[str] = []
    files_before: int = 0
    files_after: int = 0
    rows: int = 0
    bytes: int = 0
    skipped: bool = False
    seconds: float = 0.0


class CompactOperation(DatasetJobOperation[CompactJob]):
    """
    Puts the small files of each partition together; forced, all its files.

    No row changes, so it makes nothing stale. A merge does the same on its way.
    """

    target = layout.TAG_STATEMENTS_COMPACTED
    dependencies = (layout.TAG_STATEMENTS_UPDATED,)

    def is_fresh(self) -> bool:
        """Whether no partition has small files to put together, and the tags say so, too."""
        if find_packs(self.parts.store.reader):
            return False
        done, updated = self.tags.get(self.target), self.tags.get(layout.TAG_STATEMENTS_UPDATED)
        return updated is None or (done is not None and done > updated)

    def skip(self) -> None:
        """Note that there was nothing to compact."""
        super().skip()
        self.job.skipped = True

    def launch(self, force: bool) -> Launch:
        """The job of Dagster that does it."""
        return Launch(job="compact", config={"compact_statements": asset_config(self.job, force=force)})

    def handle(self, run: JobRun[CompactJob], *args: object, **kwargs: object) -> None:
        """Compact each partition that needs it, in one commit each."""
        job = run.job
        began = now_utc()

        def progress(done: int, total: int) -> None:
            run.progress(pending=total - done)
            self.report(done, total - done, "statements")

        done = compact(
            self.parts.store.reader, self.parts.leases, force=bool(kwargs.get("force")), progress=progress
        )
        job.partitions = done.partitions
        job.done, job.pending = len(done.partitions), 0
        job.files_before, job.files_after = done.files_before, done.files_after
        job.rows, job.bytes = done.rows, done.bytes
        job.seconds = (now_utc() - began).total_seconds()
        log.info(
            "%s: compacted %s partitions, %s files to %s in %.1f s",
            job.dataset, job.done, job.files_before, job.files_after, job.seconds,
        )  # fmt: skip
