"""Deleting entities."""

import logging

from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.operations.delegating import asset_config
from lakehouse_assets.operations.flush import flush
from lakehouse_assets.remote.launch import Launch
from lakehouse_assets.storage.jobs import JobRun

log = logging.getLogger(__name__)


class DeleteJob(DatasetJob):
    """A deletion of entities by id, of all origins or one; `missing` names the ids that were not there."""

    ids: list[str] = []
    origin: str | None = None
    entities: int = 0
    rows: int = 0
    missing: list[str] = []


class DeleteOperation(DatasetJobOperation[DeleteJob]):
    """Hides entities from every read at once; a merge takes them off the disk after the grace period."""

    def launch(self, force: bool) -> Launch:
        """The asset of Dagster that it changes."""
        return Launch(assets=["statements"], config={"statements": asset_config(self.job)})

    def handle(self, run: JobRun[DeleteJob], *args: object, **kwargs: object) -> None:
        """Write tombstones, in one commit; what waits in the journal is there to be deleted, too."""
        job = run.job
        flush(self.parts)
        deleted = self.parts.store.delete(job.ids, origin=job.origin)
        job.done = job.entities = deleted.entities
        job.rows = deleted.rows
        job.missing = list(deleted.missing)
        log.info("%s: deleted %s entities, %s statements", job.dataset, job.entities, job.rows)
