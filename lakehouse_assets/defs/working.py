"""Which datasets runs are at work on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import dagster as dg

from lakehouse_assets.model.times import now_utc

PARTITION = "dagster/partition"
SENSOR = "dagster/sensor_name"

_BROUGHT = "/dataset/"
"""What stands between a lake and a dataset in the name of the partition that brings it."""

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
    The datasets, and other partitions, with runs in one of these states, also of other lakes.

    A dataset that is brought from another lake is among them. If given, only of those that were made `within` some
    time, or that a `sensor` asked for.
    """
    since: datetime | None = now_utc() - within if within is not None else None
    tags = {SENSOR: sensor} if sensor is not None else {}
    runs = instance.get_runs(dg.RunsFilter(statuses=list(statuses), created_after=since, tags=tags))
    found = {run.tags[PARTITION] for run in runs if PARTITION in run.tags}
    return found | {name.rpartition(_BROUGHT)[2] for name in found if _BROUGHT in name}
