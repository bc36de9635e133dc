"""Telling Dagster of jobs that are deferred, so that its sensor looks at the queue at once."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.jobs import Batch, FileQueue

if TYPE_CHECKING:
    from lakehouse_assets.lake import Lake

log = logging.getLogger(__name__)

REF = "ref"
"""What the metadata of an announcement holds, and that of no other observation of a queue."""

_PLAIN = Naming()


class EventLogQueue(FileQueue):
    """
    The queue in a lake's files that announces what is deferred in Dagster's event log.

    The files are what counts: jobs that could not be announced are found by the next look, a minute later.

    Example:
        >>> with open_instance(lake) as instance:
        ...     queue = EventLogQueue(lake, instance.report_runless_asset_event)
        ...     queue.defer(DatasetJob(dataset="acme", queue="files", task="extract"))
    """

    def __init__(
        self,
        lake: "Lake",
        report: Callable[[dg.AssetObservation], object],
        *,
        naming: Naming = _PLAIN,
        pause: float = 0,
        at_work: str | None = None,
    ) -> None:
        """
        The queue of a lake, as files of it.

        Args:
            lake: The lake.
            report: `instance.report_runless_asset_event`, in a run `context.log_event`.
            naming: How Dagster calls what is the lake's.
            pause: So many seconds lie between two announcements of a queue; `flush` makes up for what was left out.
            at_work: A queue that is worked here, of which nobody needs to be told.
        """
        super().__init__(lake)
        self._report = report
        self._naming = naming
        self._pause = pause
        self._at_work = at_work
        self._told: dict[str, float] = {}
        self._untold: dict[str, Batch] = {}

    def announce(self, batch: Batch) -> None:
        """Tell Dagster of a batch, now or with the next ones."""
        if batch.queue == self._at_work:
            return
        held = self._untold.pop(batch.queue, None)
        batch = replace(batch, count=batch.count + held.count) if held is not None else batch
        if time.monotonic() - self._told.get(batch.queue, -self._pause) < self._pause:
            self._untold[batch.queue] = batch
        else:
            self._tell(batch)

    def flush(self) -> None:
        """Tell Dagster of what it was not told of yet."""
        while self._untold:
            self._tell(self._untold.popitem()[1])

    def _tell(self, batch: Batch) -> None:
        self._told[batch.queue] = time.monotonic()
        try:
            self._report(announcement(self._naming, batch))
        except Exception as exc:
            # whatever its database raises: the jobs are deferred, and are found without it
            log.warning("Dagster was not told of jobs in the queue %s: %s", batch.queue, exc)


def announcement(naming: Naming, batch: Batch) -> dg.AssetObservation:
    """The event that tells of a batch."""
    metadata: dict[str, dg.MetadataValue] = {
        REF: dg.MetadataValue.text(batch.ref),
        "task": dg.MetadataValue.text(batch.task),
        "count": dg.MetadataValue.int(batch.count),
        "priority": dg.MetadataValue.int(batch.priority),
    }
    if batch.dataset is not None:
        metadata["dataset"] = dg.MetadataValue.text(batch.dataset)
    if batch.not_before is not None:
        metadata["not_before"] = dg.MetadataValue.timestamp(batch.not_before.timestamp())
    what = f"{batch.count:,} jobs for {batch.task}" if batch.count != 1 else f"a job for {batch.task}"
    return dg.AssetObservation(naming.queue(batch.queue), description=f"{what} deferred", metadata=metadata)


def newest_announcement(
    instance: dg.DagsterInstance, naming: Naming, queue: str, *, after: int
) -> int | None:
    """The number of the newest announcement of a queue; None when there is none after this one."""
    filters = dg.AssetRecordsFilter(naming.queue(queue), after_storage_id=after)
    for record in instance.fetch_observations(filters, limit=_MOST_OTHERS).records:
        observation = record.event_log_entry.asset_observation
        if observation is not None and REF in observation.metadata:
            return record.storage_id
    return None


# what else is told of a queue, a minute or a run apart
_MOST_OTHERS = 20
