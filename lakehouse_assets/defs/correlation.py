"""Which runs belong together: a run and all its re-executions."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse_assets.defs.working import RUNNING, WAITING
from lakehouse_assets.errors import NotFound

if TYPE_CHECKING:
    from dagster._core.definitions.reconstruct import ReconstructableJob

ROOT = "dagster/root_run_id"
PARENT = "dagster/parent_run_id"

# what Dagster says of the run that failed, and not of the next
_OF_THE_FAILED = frozenset({"dagster/failure_reason", "dagster/will_retry", "dagster/did_retry"})
_INTERNAL = ".dagster/"


def correlation_id(run: dg.DagsterRun) -> str:
    """The id that a run shares with those it is a re-execution of: that of the first of them."""
    # whoever re-executes may forget the tag, or give nothing but the tag
    return run.root_run_id or run.tags.get(ROOT) or run.run_id


def unfinished_runs(instance: dg.DagsterInstance, correlation: str) -> list[dg.DagsterRun]:
    """The runs of a correlation that wait or are at work."""
    statuses = [*WAITING, *RUNNING]
    found = instance.get_runs(dg.RunsFilter(tags={ROOT: correlation}, statuses=statuses))
    first = instance.get_run_by_id(correlation)
    if first is not None and not first.is_finished:
        found = [first, *(run for run in found if run.run_id != first.run_id)]
    return list(found)


def last_word(instance: dg.DagsterInstance, run: dg.DagsterRun) -> datetime:
    """When a run last said anything; where its host died, it never ends."""
    records = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    if records:
        return datetime.fromtimestamp(records[0].timestamp, UTC)
    record = instance.get_run_record_by_id(run.run_id)
    return record.create_timestamp if record is not None else datetime.min.replace(tzinfo=UTC)


def reexecute_from_failure(
    job: "ReconstructableJob", run_id: str, instance: dg.DagsterInstance
) -> dg.JobExecutionResult:
    """
    Run again what failed of a run and what follows, in this process, as the button in the web UI does.

    Unlike `execute_job` alone it keeps partition, tags and config of the run, and makes it known as one of those that
    belong together. The result is to be used as a context manager.

    Args:
        job: `dagster.reconstructable(function)`, where the function gives the job.
        run_id: The run that failed.
        instance: The instance that has it.
    """
    parent = instance.get_run_by_id(run_id)
    if parent is None:
        msg = f"no run {run_id} in this Dagster; take the id of the failed run from its page"
        raise NotFound(msg)
    kept = {
        name: value
        for name, value in parent.tags.items()
        if name not in _OF_THE_FAILED and not name.startswith(_INTERNAL)
    }
    return dg.execute_job(
        job,
        instance=instance,
        run_config=parent.run_config,
        tags={**kept, PARENT: run_id, ROOT: correlation_id(parent)},
        reexecution_options=dg.ReexecutionOptions.from_failure(run_id, instance),
    )
