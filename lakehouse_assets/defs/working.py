"""Which datasets runs are at work on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import dagster as dg

from lakehouse_assets.model.times import now_utc

PARTITION = "dagster/partition"
SENSOR = "dagster/sensor_name"

WAITING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED)
RUNNING = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)


def datasets_at_work(
    instance: dg.DagsterInstance,
    statuses: Sequence[dg.DagsterRunStatus] = RUNNING,
    *,
    within: timedelta | None = None,
    sensor: str | None = None,
) -> set[str]:
    """
    The datasets with runs in one of these states, also of other lakes.

    If given, only of those that were made `within` some time, or that a `sensor` asked for.
    """
    since: datetime | None = now_utc() - within if within is not None else None
    tags = {SENSOR: sensor} if sensor is not None else {}
    runs = instance.get_runs(dg.RunsFilter(statuses=list(statuses), created_after=since, tags=tags))
    return {run.tags[PARTITION] for run in runs if PARTITION in run.tags}
