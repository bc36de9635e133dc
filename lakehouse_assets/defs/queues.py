"""All that Dagster shows and does of the jobs of a lake: its queues, the job that works them, and what asks for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dagster as dg

from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.queue_assets import queue_asset, queue_checks
from lakehouse_assets.defs.queue_sensor import work_sensor
from lakehouse_assets.defs.queue_work import work_job
from lakehouse_assets.jobs import FileQueue, load_stages
from lakehouse_assets.jobs.stages import find_stage, stage_names
from lakehouse_assets.lake import Lake
from lakehouse_assets.storage.location import Location


@dataclass(frozen=True)
class Queues:
    """The definitions; none where no stage is known that could work a job."""

    assets: Sequence[dg.AssetSpec] = ()
    checks: Sequence[dg.AssetChecksDefinition] = ()
    jobs: Sequence[dg.JobDefinition] = ()
    sensors: Sequence[dg.SensorDefinition] = ()


def build_queues(naming: Naming, uri: str, modules: Sequence[str]) -> Queues:
    """
    What belongs to the jobs of a lake whose stages are in these modules.

    A queue is an asset if a stage names it, or if the lake, being on disk, has it already. Others are worked, too, and
    become assets when the code location is loaded anew.
    """
    load_stages(modules)
    if not modules:
        return Queues()
    names = sorted({*_named(modules), *_on_disk(uri)})
    job = work_job(naming)
    return Queues(
        assets=[queue_asset(naming, name) for name in names],
        checks=[check for name in names for check in queue_checks(naming, name)],
        jobs=[job],
        sensors=[work_sensor(naming, job, names)],
    )


def _named(modules: Sequence[str]) -> Iterator[str]:
    """The queues that stages name."""
    for name in stage_names():
        stage = find_stage(name)
        is_ours = any(f"{stage.function.__module__}.".startswith(f"{module}.") for module in modules)
        if is_ours and stage.settings.queue is not None:
            yield stage.settings.queue


def _on_disk(uri: str) -> list[str]:
    """The queues that a lake has; not asked of an object store, which would take seconds each time this is loaded."""
    return FileQueue(Lake(uri)).queues() if Location(uri).path is not None else []
