"""Jobs that somebody else asks for: each is done by its operation."""

from collections.abc import Mapping
from typing import Any

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.operations.base import DJ, DatasetJobOperation
from lakehouse_assets.operations.compactions import CompactJob, CompactOperation
from lakehouse_assets.operations.deletes import DeleteJob, DeleteOperation
from lakehouse_assets.operations.diffs import DiffJob, DiffOperation
from lakehouse_assets.operations.exports import OPERATIONS
from lakehouse_assets.operations.flush import FlushJob, FlushOperation
from lakehouse_assets.operations.imports import ImportJob, ImportOperation
from lakehouse_assets.operations.mappings import MappingJob, MappingOperation
from lakehouse_assets.operations.merges import MergeJob, MergeOperation
from lakehouse_assets.operations.repositories import Progress, Repositories
from lakehouse_assets.operations.vacuums import VacuumJob, VacuumOperation

_OPERATIONS: dict[type[DatasetJob], type[DatasetJobOperation[Any]]] = {
    CompactJob: CompactOperation,
    DeleteJob: DeleteOperation,
    DiffJob: DiffOperation,
    FlushJob: FlushOperation,
    ImportJob: ImportOperation,
    MappingJob: MappingOperation,
    MergeJob: MergeOperation,
    VacuumJob: VacuumOperation,
    **dict(OPERATIONS.values()),
}


def read_job(document: Mapping[str, object]) -> DatasetJob:
    """The job that a document asks for, as `document_of` wrote it; InvalidData when there is none like it."""
    kinds = {kind.__name__: kind for kind in _OPERATIONS}
    fields = dict(document)
    name = fields.pop("name", None)
    if name not in kinds:
        msg = f"no job {name!r} that can be asked for; there are {', '.join(sorted(kinds))}"
        raise InvalidData(msg)
    return kinds[str(name)].make(**fields)


def run_job(
    job: DJ, parts: Repositories, *, force: bool = False, progress: Progress | None = None, **options: object
) -> DJ:
    """Do a job by its operation; InvalidData when it is for another dataset."""
    if job.dataset != parts.name:
        msg = f"the job is for the dataset {job.dataset!r}, not for {parts.name!r}"
        raise InvalidData(msg)
    operation = _OPERATIONS[type(job)](job, repositories=parts, progress=progress)
    done: DJ = operation.run(force, **options)
    return done
