"""
Maintenance: jobs for one dataset at a time that change how the table lies on disk, not what it says.

Each logs an observation of the statements, so that nothing becomes stale.
"""

import dagster as dg
from pydantic import Field

from lakehouse_assets.defs.asked import AskedConfig, run_asked
from lakehouse_assets.defs.events import maintenance_observation
from lakehouse_assets.defs.failures import RETRY, explained
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.progress import LogProgress
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.operations import CompactJob, MergeJob, VacuumJob

COMPACT = "compact"
MERGE = "merge"
VACUUM = "vacuum"

_TAGS = {"kind": "maintenance"}


class CompactConfig(AskedConfig):
    """How to compact."""

    force: bool = Field(default=False, description="Rewrite all files, also large ones.")


class MergeConfig(AskedConfig):
    """How to merge."""

    force: bool = Field(default=False, description="Rewrite every partition, also those that are merged.")


class VacuumConfig(AskedConfig):
    """What to delete."""

    retention_hours: int = Field(
        default=0, ge=0, description="For how many hours files stay that a merge or a compaction replaced."
    )
    dry_run: bool = Field(default=False, description="Only count the files that would be deleted.")
    force: bool = Field(default=False, description="Look again, also right after a vacuum.")


def compact_job(naming: Naming) -> dg.JobDefinition:
    """Compacting as a job of its own."""

    @dg.op(
        name=naming.name("compact_statements"), required_resource_keys={naming.resource}, retry_policy=RETRY
    )
    def compact_statements(context: dg.OpExecutionContext, config: CompactConfig) -> None:
        with explained():
            dataset = open_lake(context, naming).dataset(context.partition_key)
            job = run_asked(dataset, config, context.log, CompactJob, force=config.force) or dataset.compact(
                force=config.force, progress=LogProgress(context.log)
            )
        context.log_event(maintenance_observation(naming, job))

    @dg.job(
        name=naming.name(COMPACT),
        partitions_def=naming.datasets,
        description="Puts small files of the statements together, sorted. No row changes.",
        tags=_TAGS,
    )
    def compact() -> None:
        compact_statements()

    return compact


def merge_job(naming: Naming) -> dg.JobDefinition:
    """Merging as a job of its own."""

    @dg.op(name=naming.name("merge_statements"), required_resource_keys={naming.resource}, retry_policy=RETRY)
    def merge_statements(context: dg.OpExecutionContext, config: MergeConfig) -> None:
        with explained():
            dataset = open_lake(context, naming).dataset(context.partition_key)
            job = run_asked(dataset, config, context.log, MergeJob, force=config.force) or dataset.merge(
                force=config.force, progress=LogProgress(context.log)
            )
        context.log_event(maintenance_observation(naming, job))

    @dg.job(
        name=naming.name(MERGE),
        partitions_def=naming.datasets,
        description="Rewrites the partitions of the statements that have rows to compare, sorted, so that "
        "reads are cheap. Answers stay the same.",
        tags=_TAGS,
    )
    def merge() -> None:
        merge_statements()

    return merge


def vacuum_job(naming: Naming) -> dg.JobDefinition:
    """Vacuuming as a job of its own."""

    @dg.op(
        name=naming.name("vacuum_statements"), required_resource_keys={naming.resource}, retry_policy=RETRY
    )
    def vacuum_statements(context: dg.OpExecutionContext, config: VacuumConfig) -> None:
        with explained():
            dataset = open_lake(context, naming).dataset(context.partition_key)
            job = run_asked(dataset, config, context.log, VacuumJob, force=config.force) or dataset.vacuum(
                retention_hours=config.retention_hours, dry_run=config.dry_run, force=config.force
            )
        context.log_event(maintenance_observation(naming, job))

    @dg.job(
        name=naming.name(VACUUM),
        partitions_def=naming.datasets,
        description="Deletes the data files of the statements that no live version needs. Versions that somebody "
        "is reading stay; answers stay the same.",
        tags=_TAGS,
    )
    def vacuum() -> None:
        vacuum_statements()

    return vacuum
