"""What is done by the clock."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from lakehouse_assets.defs.artifacts import FILES
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.operations import (
    CompactJob,
    CompactOperation,
    DatasetJobOperation,
    MergeJob,
    MergeOperation,
    VacuumJob,
    VacuumOperation,
)

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

DAILY = "0 3 * * *"
WEEKLY = {"compact": "0 4 * * 3", "merge": "0 4 * * 0", "vacuum": "0 5 * * 0"}
"""Compacting in the middle of the week; merging at its end, and then what that leaves over is deleted."""

_NOTHING = {
    "make": "every dataset is fresh",
    "compact": "no dataset has small files to put together",
    "merge": "every dataset is merged",
    "vacuum": "no dataset has files to delete",
}

_OPERATIONS: dict[str, tuple[type[DatasetJob], type[DatasetJobOperation[Any]]]] = {
    "compact": (CompactJob, CompactOperation),
    "merge": (MergeJob, MergeOperation),
    "vacuum": (VacuumJob, VacuumOperation),
}


def make_schedule(naming: Naming, job: "UnresolvedAssetJobDefinition") -> dg.ScheduleDefinition:
    """Once a day, one run for each dataset that has something stale."""

    @dg.schedule(
        name=naming.name("daily_make"),
        job=job,
        cron_schedule=DAILY,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        required_resource_keys={naming.resource},
        description="Makes the datasets in which something is stale. `schedules: {make: off}` in a dataset's "
        "pipeline.yml leaves it out, and so does a time of its own.",
    )
    def daily_make(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        yield from _requests(context, naming, "make")

    return daily_make


def maintenance_schedules(naming: Naming, *jobs: dg.JobDefinition) -> list[dg.ScheduleDefinition]:
    """Once a week each, one run for each dataset that has something to compact, merge or vacuum."""
    return [_weekly(naming, job, what, cron) for job, (what, cron) in zip(jobs, WEEKLY.items(), strict=True)]


def _weekly(naming: Naming, job: dg.JobDefinition, what: str, cron: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=naming.name(f"weekly_{what}"),
        job=job,
        cron_schedule=cron,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        required_resource_keys={naming.resource},
        description=f"Runs `{what}` for the datasets that need it. `schedules: {{{what}: off}}` in a dataset's "
        "pipeline.yml leaves it out, and so does a time of its own.",
    )
    def weekly(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        yield from _requests(context, naming, what)

    return weekly


def _requests(
    context: dg.ScheduleEvaluationContext, naming: Naming, what: str
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """A run for each dataset that is due, or why there is none."""
    lake = open_lake(context, naming)
    known = set(context.instance.get_dynamic_partitions(naming.partition_set))
    due = [name for name in lake.datasets() if name in known and _is_due(lake, name, what, context.log)]
    if not due:
        yield dg.SkipReason(_NOTHING[what])
    at = context.scheduled_execution_time.isoformat()
    for name in due:
        yield dg.RunRequest(run_key=f"{name}:{at}", partition_key=name)


def _is_due(lake: Lake, name: str, what: str, log: logging.Logger) -> bool:
    """Whether something is to be done for a dataset, at no time of its own; unreadable, it holds up no other."""
    try:
        dataset = lake.dataset(name)
        return getattr(dataset.pipeline.schedules, what) is None and NEEDS[what](dataset)
    except LakehouseError as exc:
        log.warning(f"{name} is left out: {exc}")
        return False


def _is_stale(dataset: Dataset) -> bool:
    if dataset.statements.journal.waiting():
        return True
    return not all(dataset.freshness(artifact.name).fresh for artifact in FILES)


def _needs(what: str, dataset: Dataset) -> bool:
    job, operation = _OPERATIONS[what]
    return not operation.from_job(job.make(dataset=dataset.name), dataset).is_fresh()


def _always(_: Dataset) -> bool:
    """Whether there is garbage takes as long to tell as to mark it: too long for a sensor."""
    return True


NEEDS: dict[str, Callable[[Dataset], bool]] = {
    "make": _is_stale,
    **{what: partial(_needs, what) for what in _OPERATIONS},
    "gc": _always,
}
"""What is done by the clock, with what tells whether a dataset needs it."""
