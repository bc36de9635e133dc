"""Garbage as assets: what nobody needs is marked by one, and deleted by the other when the mark is old enough."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from lakehouse_assets import layout
from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.checks import result_of
from lakehouse_assets.defs.collection_assets import GROUP
from lakehouse_assets.defs.correlation import last_word
from lakehouse_assets.defs.declaring import Result
from lakehouse_assets.defs.failures import RETRY, explained
from lakehouse_assets.defs.metadata import Metadata
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.numbers import human_size
from lakehouse_assets.defs.preview import Cell, table
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.defs.working import RUNNING
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.lake import Lake
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.garbage import Collected, Marked

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

MARK = "gc_mark"
SWEEP = "gc_sweep"
JOB = "collect_garbage"
DANGLING = "no_dangling_references"
DAILY = "30 1 * * *"

# a run that has said nothing for so long does not go on: its host died
_SILENT = timedelta(days=7)
_MOST_NAMED = 20


class MarkConfig(dg.Config):
    """Where to look."""

    names: list[str] = Field(default=[], description="Only these datasets and collections; all by default.")
    without: list[str] = Field(default=[], description="Not these datasets.")


class SweepConfig(MarkConfig):
    """What to delete."""

    grace_days: float | None = Field(
        default=None,
        ge=0,
        description="How long files stay that nobody needs; by default LAKEHOUSE_GC_GRACE_DAYS, or 7.",
    )
    dry_run: bool = Field(default=False, description="Only tell what would be deleted.")


def garbage_assets(naming: Naming) -> list[dg.AssetsDefinition]:
    """The two steps."""
    return [_mark(naming), _sweep(naming)]


def garbage_job(naming: Naming) -> "UnresolvedAssetJobDefinition":
    """Both steps in one run."""
    return dg.define_asset_job(
        naming.name(JOB),
        selection=dg.AssetSelection.assets(naming.key(MARK), naming.key(SWEEP)),
        description="Marks what nobody needs any more, deletes what was marked long enough ago, and looks whether "
        "everything is there that is needed.",
        tags={"kind": "maintenance"},
    )


def garbage_schedule(naming: Naming, job: "UnresolvedAssetJobDefinition") -> dg.ScheduleDefinition:
    """Once a day."""

    @dg.schedule(
        name=naming.name("daily_gc"),
        job=job,
        cron_schedule=DAILY,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        required_resource_keys={naming.resource},
        description=f"Runs `{JOB}`: what is marked today is deleted in a week, if nobody needs it then. `schedules: "
        "{gc: off}` in a dataset's pipeline.yml leaves the dataset out, and so does a time of its own.",
    )
    def daily_gc(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        lake = open_lake(context, naming)
        without = [name for name in lake.datasets() if not _is_daily(lake, name, context)]
        config = {"config": {"without": without}}
        return dg.RunRequest(run_config={"ops": {naming.op(MARK): config, naming.op(SWEEP): config}})

    return daily_gc


def _is_daily(lake: Lake, name: str, context: dg.ScheduleEvaluationContext) -> bool:
    """Whether a dataset has no time of its own; one that is unreadable is left alone."""
    try:
        return lake.dataset(name).pipeline.schedules.gc is None
    except LakehouseError as exc:
        context.log.warning(f"{name} is left out: {exc}")
        return False


def _mark(naming: Naming) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.key(MARK),
        required_resource_keys={naming.resource},
        description="**What nobody needs any more, written down:** archived contents that nothing names, files of "
        "versions that were trimmed away, datasets and collections that were deleted, and what killed writers left. "
        "Nothing is deleted or moved by it.\n\n"
        f"Lies at `{layout.LAKE_GC}` in the lake.",
        metadata={"path": layout.LAKE_GC},
        group_name=GROUP,
        kinds={"parquet"},
        owners=artifacts.OWNERS,
        tags={"kind": "maintenance"},
        code_version="1",
        retry_policy=RETRY,
    )
    def gc_mark(context: dg.AssetExecutionContext, config: MarkConfig) -> Result:
        with explained():
            lake = open_lake(context, naming)
            found = lake.gc_mark(names=config.names or None, without=config.without)
        return dg.MaterializeResult(metadata=of_marked(found))

    return gc_mark


def _sweep(naming: Naming) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.key(SWEEP),
        deps=[naming.key(MARK)],
        required_resource_keys={naming.resource},
        description="**What was marked, deleted:** if the mark is older than the time of grace, nobody needs the file "
        "by now, and no run is at work that began before the mark. What is none of ours is named and stays.\n\n"
        f"Lies at `{layout.LAKE_GC}` in the lake.",
        metadata={"path": layout.LAKE_GC},
        group_name=GROUP,
        kinds={"parquet"},
        owners=artifacts.OWNERS,
        tags={"kind": "maintenance"},
        code_version="1",
        retry_policy=RETRY,
    )
    def gc_sweep(context: dg.AssetExecutionContext, config: SweepConfig) -> Result:
        before = oldest_active(context.instance, but=context.run_id)
        with explained():
            found = sweep(open_lake(context, naming), config, before)
        return dg.MaterializeResult(metadata=of_swept(found, before, dry_run=config.dry_run))

    return gc_sweep


def sweep(lake: Lake, config: SweepConfig, before: datetime | None) -> Collected:
    """Delete what may be deleted while a run is at work that began at a time."""
    days = lake.settings.gc_grace_days if config.grace_days is None else config.grace_days
    grace, names = timedelta(days=days), config.names or None
    if before is not None:
        # nor what was only found needless since: a run may have been about to need it
        grace = max(grace, now_utc() - before)
    if config.dry_run:
        return lake.gc(grace, names=names, without=config.without, before=before, dry_run=True)
    return lake.gc_sweep(grace, names=names, without=config.without, before=before)


def references_check(naming: Naming) -> dg.AssetChecksDefinition:
    """Whether nothing was deleted that is needed."""

    @dg.asset_check(
        asset=naming.key(SWEEP),
        name=DANGLING,
        description="Is everything there that datasets and collections refer to? Of archived contents a gigabyte is "
        "read, too, another part each time.",
        required_resource_keys={naming.resource},
    )
    def run(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        with explained():
            return result_of(open_lake(context, naming).check_references())

    return run


def oldest_active(instance: dg.DagsterInstance, *, but: str | None = None) -> datetime | None:
    """
    When the oldest of the runs began that are at work (UTC), None when none is; `but` is the id of one left out.

    Runs that have said nothing for a week are taken for dead.
    """
    since = now_utc() - _SILENT
    records = instance.get_run_records(dg.RunsFilter(statuses=list(RUNNING)))
    began = [
        record.create_timestamp
        for record in records
        if record.dagster_run.run_id != but and last_word(instance, record.dagster_run) > since
    ]
    return min(began, default=None)


def of_marked(found: Marked) -> Metadata:
    """What was marked now, and before."""
    return {
        "marked": dg.MetadataValue.int(len(found.marked)),
        "marked_before": dg.MetadataValue.int(found.before),
        "bytes": dg.MetadataValue.int(found.bytes),
        "size": dg.MetadataValue.text(human_size(found.bytes)),
        "unknown": dg.MetadataValue.int(len(found.unknown)),
        **_named("marked_files", found.marked),
        **_named("unknown_files", found.unknown),
    }


def of_swept(found: Collected, before: datetime | None, *, dry_run: bool) -> Metadata:
    """What was deleted."""
    told: Metadata = {
        "deleted": dg.MetadataValue.int(len(found.deleted)),
        "bytes": dg.MetadataValue.int(found.bytes),
        "size": dg.MetadataValue.text(human_size(found.bytes)),
        "unknown": dg.MetadataValue.int(len(found.unknown)),
        "dry_run": dg.MetadataValue.bool(dry_run),
        **_named("deleted_files", found.deleted),
    }
    if before is not None:
        told["oldest_run_at_work"] = dg.MetadataValue.timestamp(before.timestamp())
    return told


def _named(name: str, keys: Sequence[str]) -> Metadata:
    rows: list[dict[str, Cell]] = [{"file": key} for key in keys[:_MOST_NAMED]]
    return dict(table(name, rows))
