"""
Jobs that hand on to the next stage: deferred to a queue, worked later, here or elsewhere.

Example:
    >>> from lakehouse_assets.jobs import DatasetJob, stage
    >>> @stage("shout")
    ... def shout(job: DatasetJob) -> None:
    ...     with job.get_writer() as writer:
    ...         for entity in job.load_entities():
    ...             entity.add("alias", entity.caption.upper())
    ...             writer.put(entity)
    >>> DatasetJob.from_entity("acme", "files", "shout", entity).defer()
    'b5bb9d80…'
"""

from lakehouse_assets.jobs.context import current_lake as current_lake
from lakehouse_assets.jobs.context import current_queue as current_queue
from lakehouse_assets.jobs.context import surrounded as surrounded
from lakehouse_assets.jobs.file_queue import FileQueue as FileQueue
from lakehouse_assets.jobs.memory_queue import MemoryQueue as MemoryQueue
from lakehouse_assets.jobs.models import AnyJob as AnyJob
from lakehouse_assets.jobs.models import DatasetJob as DatasetJob
from lakehouse_assets.jobs.models import Job as Job
from lakehouse_assets.jobs.models import JobStatus as JobStatus
from lakehouse_assets.jobs.models import unpack as unpack
from lakehouse_assets.jobs.opening import open_queue as open_queue
from lakehouse_assets.jobs.queue import Batch as Batch
from lakehouse_assets.jobs.queue import Counts as Counts
from lakehouse_assets.jobs.queue import DeadLetter as DeadLetter
from lakehouse_assets.jobs.queue import JobQueue as JobQueue
from lakehouse_assets.jobs.references import FileReference as FileReference
from lakehouse_assets.jobs.stages import Stage as Stage
from lakehouse_assets.jobs.stages import StageSettings as StageSettings
from lakehouse_assets.jobs.stages import find_stage as find_stage
from lakehouse_assets.jobs.stages import load_stages as load_stages
from lakehouse_assets.jobs.stages import settings_of as settings_of
from lakehouse_assets.jobs.stages import stage as stage
from lakehouse_assets.jobs.stages import task as task
from lakehouse_assets.jobs.worker import Worked as Worked
from lakehouse_assets.jobs.worker import work as work
from lakehouse_assets.jobs.worker import work_queue as work_queue

__all__ = [
    "AnyJob",
    "Batch",
    "Counts",
    "DatasetJob",
    "DeadLetter",
    "FileQueue",
    "FileReference",
    "Job",
    "JobQueue",
    "JobStatus",
    "MemoryQueue",
    "Stage",
    "StageSettings",
    "Worked",
    "current_lake",
    "current_queue",
    "find_stage",
    "load_stages",
    "open_queue",
    "settings_of",
    "stage",
    "surrounded",
    "task",
    "unpack",
    "work",
    "work_queue",
]
