"""Jobs in run config: what another program asks for that delegates its operations to this Dagster."""

from typing import Any, TypeVar

import dagster as dg
from pydantic import Field

from lakehouse_assets.defs.progress import LogProgress
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.lake import Dataset
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.operations.asked import read_job

J = TypeVar("J", bound=DatasetJob)


class AskedConfig(dg.Config):
    """What is done for another program."""

    job: dict[str, Any] = Field(
        default={},
        description="What another program asks for that has LAKEHOUSE_DAGSTER_URL set: a job with the name of its "
        "class and the run_id that its record gets. It stands in place of the other fields, `force` aside.",
    )


def asked_job(config: AskedConfig, *kinds: type[J]) -> J | None:
    """The job that a run's config asks for, if it does; InvalidData when it is of another kind."""
    if not config.job:
        return None
    job = read_job(config.job)
    for kind in kinds:
        if isinstance(job, kind):
            return job
    names = " or ".join(kind.__name__ for kind in kinds)
    msg = f"{type(job).__name__} is not done here, but {names}; launch the run that does it"
    raise InvalidData(msg)


def asked_fields(config: AskedConfig, kind: type[DatasetJob]) -> dict[str, Any]:
    """What the job of a run's config has set, its dataset aside; empty without one."""
    job = asked_job(config, kind)
    return job.model_dump(exclude={"name", "dataset"}, exclude_unset=True) if job is not None else {}


def run_asked(
    dataset: Dataset, config: AskedConfig, log: dg.DagsterLogManager, *kinds: type[J], force: bool = False
) -> J | None:
    """Do what a run's config asks for, if it does."""
    job = asked_job(config, *kinds)
    return dataset.run(job, force=force, progress=LogProgress(log)) if job is not None else None
