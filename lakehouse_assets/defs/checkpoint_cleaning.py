"""What deletes checkpoints: the end of a run, and once a day a look for what was forgotten."""

from collections.abc import Callable
from datetime import timedelta

import dagster as dg
from pydantic import Field

from lakehouse_assets.checkpoints import CheckpointScope, Swept, Tree
from lakehouse_assets.defs.correlation import correlation_id, last_word, unfinished_runs
from lakehouse_assets.defs.failures import explained
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.numbers import human_size
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.lake import Lake
from lakehouse_assets.model.times import now_utc

SWEEP = "sweep_checkpoints"
DAILY = "30 2 * * *"

_ENDS = {
    "successes": dg.DagsterRunStatus.SUCCESS,
    "failures": dg.DagsterRunStatus.FAILURE,
    "cancellations": dg.DagsterRunStatus.CANCELED,
}


class SweepConfig(dg.Config):
    """What to delete."""

    retention_days: float | None = Field(
        default=None,
        ge=0,
        description="How long checkpoints stay that nothing was written to; by default "
        "LAKEHOUSE_CHECKPOINT_RETENTION_DAYS, or 7.",
    )
    dry_run: bool = Field(default=False, description="Only tell what would be deleted.")


def cleaning_sensors(naming: Naming) -> list[dg.SensorDefinition]:
    """One for each way in which a run ends: Dagster has none for all of them."""
    return [_sensor(naming, name, status) for name, status in _ENDS.items()]


def _sensor(naming: Naming, name: str, status: dg.DagsterRunStatus) -> dg.RunStatusSensorDefinition:
    def clean(context: dg.RunStatusSensorContext) -> None:
        clean_after(open_lake(context, naming), context.instance, context.dagster_run)

    what = (
        "its own, and those it shares with the runs it re-executes" if name == "successes" else "its own only"
    )
    return dg.RunStatusSensorDefinition(
        name=naming.name(f"clean_checkpoints_of_{name}"),
        run_status=status,
        run_status_sensor_fn=clean,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.resource},
        description=f"Deletes the checkpoints of a run that ended so: {what}.",
    )


def clean_after(lake: Lake, instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Delete what nobody reads again after the end of a run; of one that failed a retry reads what it shares."""
    store = lake.checkpoints
    store.cleanup_run(run.run_id)
    correlation = correlation_id(run)
    if run.is_success and not unfinished_runs(instance, correlation):
        store.cleanup_correlation(correlation)


def sweep_job(naming: Naming) -> dg.JobDefinition:
    """Deletes checkpoints that nobody will read again."""

    @dg.op(name=naming.name("delete_old_checkpoints"), required_resource_keys={naming.resource})
    def delete_old_checkpoints(context: dg.OpExecutionContext, config: SweepConfig) -> None:
        with explained():
            swept = sweep(
                open_lake(context, naming),
                context.instance,
                days=config.retention_days,
                dry_run=config.dry_run,
            )
        verb = "would delete" if config.dry_run else "deleted"
        context.log.info(
            f"{verb} {human_size(swept.bytes)} of checkpoints of {len(swept.trees)} runs, and {len(swept.left_behind)} "
            "files that were never finished"
        )
        context.add_output_metadata(
            {"runs": len(swept.trees), "bytes": swept.bytes, "left_behind": len(swept.left_behind)}
        )

    @dg.job(
        name=naming.name(SWEEP),
        description="Deletes the checkpoints of runs that ended long ago, or have said nothing for as long, and files "
        "and uploads that killed writers left behind.",
        tags={"kind": "maintenance"},
    )
    def sweep_checkpoints() -> None:
        delete_old_checkpoints()

    return sweep_checkpoints


def sweep_schedule(naming: Naming, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    """Once a day."""
    return dg.ScheduleDefinition(
        name=naming.name("daily_sweep_of_checkpoints"),
        job=job,
        cron_schedule=DAILY,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Runs `sweep_checkpoints`: the sensors delete what ended, this deletes what they missed.",
    )


def sweep(
    lake: Lake, instance: dg.DagsterInstance, *, days: float | None = None, dry_run: bool = False
) -> Swept:
    """
    Delete the checkpoints of a lake that nothing was written to for so many days, by default those of the settings.

    What the instance knows to be at work stays, unless it has said nothing for as long.
    """
    kept = timedelta(days=lake.settings.checkpoint_retention_days if days is None else days)
    return lake.checkpoints.sweep(older=kept, is_needed=_is_needed(instance, kept), dry_run=dry_run)


def _is_needed(instance: dg.DagsterInstance, kept: timedelta) -> Callable[[Tree], bool]:
    before = now_utc() - kept

    def look(tree: Tree) -> bool:
        if tree.scope is CheckpointScope.RUN:
            run = instance.get_run_by_id(tree.id)
            runs = [run] if run is not None and not run.is_finished else []
        else:
            runs = unfinished_runs(instance, tree.id)
        return any(last_word(instance, run) > before for run in runs)

    return look
