"""The job that works what waits in a queue, in one run and one process: a run for each job would cost a second."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from lakehouse_assets.defs.failures import explained
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.progress import LogProgress
from lakehouse_assets.defs.queue_assets import of_worked
from lakehouse_assets.defs.queue_events import EventLogQueue
from lakehouse_assets.defs.report import report_assets
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.defs.truth import Told
from lakehouse_assets.jobs import Batch, FileQueue, JobQueue, Worked, open_queue, work
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.repositories import Progress

if TYPE_CHECKING:
    from lakehouse_assets.lake import Lake

WORK = "work_jobs"
WORK_OP = "work_queue"

# a dataset's other runs wait meanwhile
_SECONDS = 600
# jobs that stages hand on are announced so often, in seconds
_ANNOUNCE = 2.0
# jobs of a higher priority that came meanwhile are seen so often, in seconds
_LOOK = 5.0


class WorkConfig(dg.Config):
    """What to work."""

    queue: str = Field(description="The name of a queue.")
    dataset: str | None = Field(
        default=None,
        description="Only jobs for this dataset; an empty name means those for none. All by default.",
    )
    seconds: float = Field(
        default=_SECONDS,
        ge=0,
        description="No batch is begun after so many seconds; the next run goes on.",
    )


def work_job(naming: Naming) -> dg.JobDefinition:
    """Works what waits in a queue."""

    @dg.op(name=naming.name(WORK_OP), required_resource_keys={naming.resource})
    def work_queue(context: dg.OpExecutionContext, config: WorkConfig) -> None:
        with explained():
            lake = open_lake(context, naming)
            queue = _announcing(open_queue(lake), config, lake, context, naming)
            try:
                worked = drain(
                    queue,
                    lake,
                    config.queue,
                    dataset=config.dataset,
                    seconds=config.seconds,
                    progress=LogProgress(context.log),
                )
            finally:
                if isinstance(queue, EventLogQueue):
                    queue.flush()
            if isinstance(queue, FileQueue):
                queue.sweep(config.queue)
            _tell(context, naming, lake, config.queue, worked)

    @dg.job(
        name=naming.name(WORK),
        description="Works the jobs that wait in a queue until nothing is left that is due. The sensor of the same "
        "name asks for it. A job that fails does not fail the run: it is tried again later, and stands among the dead "
        "letters in the end.",
        tags={"kind": "jobs"},
        # also where the project has another one: it would start a second process
        executor_def=dg.in_process_executor,
    )
    def work_jobs() -> None:
        work_queue()

    return work_jobs


def _announcing(
    queue: JobQueue, config: WorkConfig, lake: "Lake", context: dg.OpExecutionContext, naming: Naming
) -> JobQueue:
    """The same queue, one that tells Dagster of what is handed on to others if it lies in the lake."""
    if not isinstance(queue, FileQueue):
        return queue
    return EventLogQueue(lake, context.log_event, naming=naming, pause=_ANNOUNCE, at_work=config.queue)


def drain(
    queue: JobQueue,
    lake: "Lake",
    name: str,
    *,
    dataset: str | None = None,
    seconds: float = _SECONDS,
    progress: Progress | None = None,
) -> Worked:
    """
    Work what is due of a queue, and what becomes due or is handed on meanwhile, until nothing is left.

    `dataset` leaves out the jobs of others; "" stands for jobs of none. No batch is begun after so many `seconds`.
    """
    until = time.monotonic() + seconds
    total, jobs = Worked(), 0
    while True:
        batches = _Due(queue, name, dataset, until)
        worked = work(queue, batches, lake=lake)
        total += worked
        jobs += worked.jobs
        if progress is not None:
            progress(jobs, batches.left, "jobs")
        if not worked.jobs or time.monotonic() > until:
            return total


class _Due:
    """The batches that are due, each once, the most urgent first: looked for again while others are worked."""

    def __init__(self, queue: JobQueue, name: str, dataset: str | None, until: float) -> None:
        self.left = 0
        self._queue = queue
        self._name = name
        self._dataset = dataset
        self._until = until

    def __iter__(self) -> Iterator[str]:
        begun: set[str] = set()
        while waiting := [batch for batch in self._look() if batch.ref not in begun]:
            looked_at = time.monotonic()
            self.left = sum(batch.count for batch in waiting)
            for batch in waiting:
                now = time.monotonic()
                if now > self._until:
                    return
                if now > looked_at + _LOOK:
                    break
                begun.add(batch.ref)
                self.left -= batch.count
                yield batch.ref

    def _look(self) -> list[Batch]:
        now = now_utc()
        found = [batch for batch in self._queue.waiting(self._name) if batch.is_due(now)]
        if self._dataset is None:
            return found
        return [batch for batch in found if (batch.dataset or "") == self._dataset]


def _tell(context: dg.OpExecutionContext, naming: Naming, lake: "Lake", queue: str, worked: Worked) -> None:
    """Show what was worked on the pages of the run, of the queue, and of what was written to."""
    metadata = of_worked(worked)
    context.add_output_metadata(metadata)
    if worked.jobs:
        context.log_event(
            dg.AssetObservation(
                naming.queue(queue), description=f"{worked.jobs:,} jobs worked", metadata=metadata
            )
        )
    for name in worked.statements:
        if context.instance.has_dynamic_partition(naming.partition_set, name):
            report_assets(context.instance, lake.dataset(name), Told(glance=True), naming=naming)
