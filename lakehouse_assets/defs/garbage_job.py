"""Garbage of one dataset at a time of its own."""

import dagster as dg
from pydantic import Field

from lakehouse_assets.defs.failures import RETRY, explained
from lakehouse_assets.defs.garbage_assets import of_swept, oldest_active
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.resources import open_lake

GC = "gc"


class GarbageConfig(dg.Config):
    """What to delete."""

    grace_days: float | None = Field(
        default=None,
        ge=0,
        description="How long files stay that nobody needs; by default LAKEHOUSE_GC_GRACE_DAYS, or 7.",
    )
    dry_run: bool = Field(default=False, description="Only tell what would be done.")


def gc_job(naming: Naming) -> dg.JobDefinition:
    """Marking and deleting as a job for one dataset."""

    @dg.op(name=naming.name("gc_dataset"), required_resource_keys={naming.resource}, retry_policy=RETRY)
    def gc_dataset(context: dg.OpExecutionContext, config: GarbageConfig) -> None:
        before = oldest_active(context.instance, but=context.run_id)
        grace = None if config.grace_days is None else config.grace_days * 86400
        with explained():
            lake = open_lake(context, naming)
            found = lake.gc(grace, names=[context.partition_key], dry_run=config.dry_run, before=before)
        marked = {"marked": dg.MetadataValue.int(len(found.marked))}
        context.add_output_metadata({**of_swept(found, before, dry_run=config.dry_run), **marked})

    @dg.job(
        name=naming.name(GC),
        partitions_def=naming.datasets,
        description="Marks what nobody needs any more in a dataset, and deletes what was marked long enough ago.",
        tags={"kind": "maintenance"},
    )
    def gc() -> None:
        gc_dataset()

    return gc
