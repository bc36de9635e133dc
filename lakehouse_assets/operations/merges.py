"""Merging: partitions rewritten to the rows that count."""

import logging

from lakehouse_assets import layout
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.operations.delegating import asset_config
from lakehouse_assets.remote.launch import Launch
from lakehouse_assets.storage.jobs import JobRun

log = logging.getLogger(__name__)


class MergeJob(DatasetJob):
    """A merge; `partitions` names those that were rewritten, as shard/bucket/origin."""

    partitions: list[str] = []
    rows_before: int = 0
    rows_after: int = 0
    skipped: bool = False
    seconds: float = 0.0


class MergeOperation(DatasetJobOperation[MergeJob]):
    """
    Rewrites what an import, a deletion or another program left to compare.

    It changes what reads cost, never what they answer, so it makes nothing stale.
    """

    target = layout.TAG_STATEMENTS_MERGED
    dependencies = (layout.TAG_STATEMENTS_UPDATED,)

    def is_fresh(self) -> bool:
        """Whether no partition would change, and the tags say so to other programs, too."""
        store = self.parts.store
        if any(store.is_dirty(state) for state in store.reader.partitions()):
            return False
        # the tags of a lake that another program merged say it by another name
        done = self.tags.get(self.target) or self.tags.get(layout.TAG_STATEMENTS_OPTIMIZED)
        updated = self.tags.get(layout.TAG_STATEMENTS_UPDATED)
        return updated is None or (done is not None and done > updated)

    def skip(self) -> None:
        """Note that there was nothing to merge."""
        super().skip()
        self.job.skipped = True

    def launch(self, force: bool) -> Launch:
        """The job of Dagster that does it."""
        return Launch(job="merge", config={"merge_statements": asset_config(self.job, force=force)})

    def handle(self, run: JobRun[MergeJob], *args: object, **kwargs: object) -> None:
        """Merge each partition that needs it, in one commit each."""
        job = run.job
        began = now_utc()

        def progress(done: int, total: int) -> None:
            run.progress(pending=len(job.partitions))
            self.report(done, total - done, "statements")

        merged = self.parts.store.merge(force=bool(kwargs.get("force")), progress=progress)
        job.partitions = merged.partitions
        job.done, job.pending = len(merged.partitions), 0
        job.rows_before, job.rows_after = merged.rows_before, merged.rows_after
        job.seconds = (now_utc() - began).total_seconds()
        log.info(
            "%s: merged %s partitions, %s rows to %s in %.1f s",
            job.dataset, job.done, job.rows_before, job.rows_after, job.seconds,
        )  # fmt: skip
