"""Differences by themselves: to an export that is there, and left only digests."""

import logging
from typing import Literal

from lakehouse_assets import layout
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.operations.chains import Changed, advance, diffs_are_latest, digests_are_there
from lakehouse_assets.operations.delegating import asset_config
from lakehouse_assets.operations.exports import OPERATIONS, ExportIndexJob, ExportIndexOperation
from lakehouse_assets.remote.launch import Launch
from lakehouse_assets.storage.jobs import JobRun

log = logging.getLogger(__name__)


class DiffJob(DatasetJob):
    """
    Making the differences of an export lead to the file that is there.

    The first time there is nothing to compare with; with `initial` everything is added then. `diffs` says by kind what
    changed; `rows` is how many entries that are.
    """

    artifact: Literal["entities", "documents"] = "entities"
    initial: bool = False
    diffs: dict[str, Changed] = {}
    rows: int = 0
    skipped: bool = False
    seconds: float = 0.0


class DiffOperation(DatasetJobOperation[DiffJob]):
    """
    Compares an export with the one before.

    Where the export left no digests of its lines, or is not there at all, it is made first.
    """

    def get_target(self) -> str:
        """The chain itself keeps its tags."""
        return ""

    def is_fresh(self) -> bool:
        """Whether the differences lead to the file that is there."""
        artifact = self.job.artifact
        forms = layout.forms(EXPORTS[artifact].target)
        return any(map(self.parts.location.exists, forms)) and diffs_are_latest(self.parts, artifact)

    def skip(self) -> None:
        """Note that nothing changed."""
        super().skip()
        self.job.skipped = True

    def launch(self, force: bool) -> Launch:
        """The asset of Dagster that keeps the differences."""
        asset = f"{self.job.artifact}_diff"
        return Launch(assets=[asset], config={asset: asset_config(self.job)})

    def handle(self, run: JobRun[DiffJob], *args: object, **kwargs: object) -> None:
        """Write what changed; unless `update_index` is False, an index that lists it is written again."""
        job, artifact = run.job, self.job.artifact
        began = now_utc()
        target = EXPORTS[artifact].target
        if self.parts.records.get(target) is not None and digests_are_there(self.parts, artifact):
            with self.parts.leases.target(target) as lease:
                view = self.parts.view()
                job.diffs = advance(self.parts, view, artifact, check=lease.check, initial=job.initial)
        else:
            job.diffs = self._export()
        job.rows = sum(_count(changed) for changed in job.diffs.values())
        job.done = job.rows
        job.seconds = (now_utc() - began).total_seconds()
        if kwargs.get("update_index", True) and self.parts.location.exists(layout.INDEX):
            index = ExportIndexJob.make(dataset=job.dataset)
            ExportIndexOperation(index, repositories=self.parts).run()

    def _export(self) -> dict[str, Changed]:
        """Make the export again, which leaves the same bytes if nothing changed, and its differences with it."""
        job_class, operation = OPERATIONS[self.job.artifact]
        job = job_class.make(dataset=self.job.dataset, initial_diff=self.job.initial)
        done = operation(job, repositories=self.parts, progress=self.progress).run(
            force=True, update_index=False
        )
        found: dict[str, Changed] = done.diffs
        return found


def _count(changed: Changed) -> int:
    return int(changed["added"]) + int(changed["modified"]) + int(changed["deleted"])
