"""What is done by the clock."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse_assets.defs.artifacts import FILES
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.model.pipeline import OFF

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

DAILY = "0 3 * * *"


def make_schedule(naming: Naming, job: "UnresolvedAssetJobDefinition") -> dg.ScheduleDefinition:
    """Once a day, one run for each dataset that has something stale."""

    @dg.schedule(
        name=naming.name("daily_make"),
        job=job,
        cron_schedule=DAILY,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        required_resource_keys={naming.resource},
        description="Makes the datasets in which something is stale. `schedules: {make: off}` in a dataset's "
        "pipeline.yml leaves it out.",
    )
    def daily_make(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        lake = open_lake(context, naming)
        known = set(context.instance.get_dynamic_partitions(naming.partition_set))
        stale = [name for name in lake.datasets() if name in known and _is_due(lake, name, context.log)]
        if not stale:
            yield dg.SkipReason("every dataset is fresh")
        at = context.scheduled_execution_time.isoformat()
        for name in stale:
            yield dg.RunRequest(run_key=f"{name}:{at}", partition_key=name)

    return daily_make


def _is_due(lake: Lake, name: str, log: logging.Logger) -> bool:
    """Whether something of a dataset has to be made; a dataset that cannot be read holds up no other."""
    try:
        dataset = lake.dataset(name)
        return dataset.pipeline.schedules.make != OFF and _is_stale(dataset)
    except LakehouseError as exc:
        log.warning(f"{name} is left out: {exc}")
        return False


def _is_stale(dataset: Dataset) -> bool:
    return not all(dataset.freshness(artifact.name).fresh for artifact in FILES)
