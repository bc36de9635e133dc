"""What is done at times of a dataset's own."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg

from lakehouse_assets.defs.cursors import read_cursor, write_cursor
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.pipelines import pipelines_of
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.defs.schedules import NEEDS
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.model.pipeline import OFF
from lakehouse_assets.model.times import now_utc

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class _Entry(NamedTuple):
    """What a pipeline.yml says is to be done, and when; `last` is when it last was to be done."""

    dataset: Dataset
    what: str
    cron: str
    last: datetime

    @property
    def key(self) -> str:
        return f"{self.dataset.name}/{self.what}"

    @property
    def seen(self) -> str:
        return f"{self.last:%Y-%m-%dT%H:%M} {self.cron}"


def timetable_sensor(
    naming: Naming, *jobs: "dg.JobDefinition | UnresolvedAssetJobDefinition", seconds: int
) -> dg.SensorDefinition:
    """Asks for what the `schedules:` of each pipeline.yml say, at their times; what was missed is done once."""

    @dg.sensor(
        name=naming.name("keep_timetables"),
        jobs=list(jobs),
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.resource},
        description="Runs `make`, `compact`, `merge`, `vacuum` and `gc` for datasets whose pipeline.yml has times of "
        "its own for them, like `schedules: {make: '30 6 * * 1-5'}` (UTC), when there is something to do. The daily "
        "and weekly schedules leave these out.",
    )
    def keep_timetables(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        lake, seen = open_lake(context, naming), read_cursor(context.cursor)
        entries = list(_entries(context, naming, lake))
        requests = [
            dg.RunRequest(
                job_name=naming.name(entry.what),
                partition_key=entry.dataset.name,
                run_key=f"{entry.key}:{entry.last.isoformat()}",
            )
            for entry in entries
            # times that are new begin to count now
            if _is_over(entry, seen.get(entry.key)) and _needs(entry, context)
        ]
        cursor = write_cursor({entry.key: entry.seen for entry in entries})
        if not requests:
            return dg.SensorResult(skip_reason=f"none of {len(entries)} times has come", cursor=cursor)
        return dg.SensorResult(cursor=cursor, run_requests=requests)

    return keep_timetables


def _entries(context: dg.SensorEvaluationContext, naming: Naming, lake: Lake) -> Iterator[_Entry]:
    """All times that stand in a pipeline.yml; one that is none holds up no other."""
    now = now_utc()
    for dataset, pipeline in pipelines_of(context, naming, lake):
        for what in NEEDS:
            cron = getattr(pipeline.schedules, what)
            if cron in (None, OFF):
                continue
            try:
                last = last_time(cron, now)
            except dg.DagsterInvalidDefinitionError:
                context.log.warning(
                    f"{dataset.name}: there is no time like {cron!r}; mend `schedules:` in its pipeline.yml"
                )
                continue
            yield _Entry(dataset, what, cron, last)


def last_time(cron: str, now: datetime) -> datetime:
    """
    When a cron expression last came true, in UTC; DagsterInvalidDefinitionError when it never does.

    Example:
        >>> last_time("30 6 * * *", datetime(2026, 11, 21, 3, tzinfo=UTC)).isoformat()
        '2026-11-20T06:30:00+00:00'
    """
    window = _windows(cron).get_prev_partition_window(now)
    return window.end if window is not None else _LONG_AGO


@lru_cache(maxsize=4096)
def _windows(cron: str) -> dg.TimeWindowPartitionsDefinition:
    # the one public thing in Dagster that goes by cron expressions outside of schedules
    return dg.TimeWindowPartitionsDefinition(start=_LONG_AGO, fmt="%Y-%m-%dT%H:%M", cron_schedule=cron)


def _is_over(entry: _Entry, seen: str | None) -> bool:
    """Whether a time has come since the last look, and the expression is still the same."""
    return seen is not None and seen != entry.seen and seen.partition(" ")[2] == entry.cron


def _needs(entry: _Entry, context: dg.SensorEvaluationContext) -> bool:
    try:
        return NEEDS[entry.what](entry.dataset)
    except LakehouseError as exc:
        context.log.warning(f"{entry.dataset.name} is left out: {exc}")
        return False
