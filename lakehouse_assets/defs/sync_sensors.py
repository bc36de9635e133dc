"""What watches other lakes: shows how they stand to this one, and has pulled what changed there if that is wanted."""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse_assets.defs.checks import evaluation, result_of
from lakehouse_assets.defs.cursors import read_cursor, write_cursor
from lakehouse_assets.defs.failures import explained
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.partition_sets import known_partitions, partition_requests
from lakehouse_assets.defs.resources import not_mounted, open_lake
from lakehouse_assets.defs.sync_assets import PULL, PULL_JOB, PUSH
from lakehouse_assets.defs.sync_looks import IN_SYNC, Comparison, compare, in_sync
from lakehouse_assets.defs.sync_work import Direction
from lakehouse_assets.defs.working import RUNNING, WAITING, datasets_at_work
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.findings import CheckResult

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

_SECONDS = 60
# Dagster submits some five in a second
_MOST_RUNS = 20
_DIGITS = 12
# Dagster ends a look after a minute; what is left over is looked at the next time
_SECONDS_TO_LOOK = 25.0

_ASSETS: dict[str, Direction] = {PULL: "pull", PUSH: "push"}


def remotes_sensor(naming: Naming) -> dg.SensorDefinition:
    """Shows how the collections of other lakes stand to those of this one."""

    @dg.sensor(
        name=naming.name("watch_remotes"),
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.resource},
        description="Looks at the lakes that LAKEHOUSE_REMOTES names: a partition of `sync_pull` for each collection "
        f"there, one of `sync_push` for each here, and what the checks `{IN_SYNC}` say. Nothing is brought by it. "
        "Compared is only what looks otherwise than before, by its versions; archived files are not listed for it.",
    )
    def watch_remotes(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        lake, seen = open_lake(context, naming), read_cursor(context.cursor)
        if (reason := not_mounted(lake)) is not None:
            return dg.SkipReason(reason)
        sets: dict[Direction, dg.DynamicPartitionsDefinition] = {"pull": naming.pulls, "push": naming.pushes}
        known = {way: known_partitions(context.instance, partitions) for way, partitions in sets.items()}
        found = compare(lake, sorted(lake.settings.remotes), seen, seconds=_SECONDS_TO_LOOK)
        after, events = _cursor(found), []
        for asset, way in _ASSETS.items():
            result = in_sync(found, asset, way)
            # of an asset that was made since, Dagster shows no result any more
            after[f"/{way}"] = f"{_digest(result)} {_newest(context.instance, naming.key(asset))}"
            if seen.get(f"/{way}") != after[f"/{way}"]:
                events.append(evaluation(naming, result, partition=None))
        requests = [
            request
            for way, partitions in sets.items()
            for request in partition_requests(partitions, known[way], found.partitions(way))
        ]
        return dg.SensorResult(
            skip_reason=_summary(found),
            cursor=write_cursor(after),
            dynamic_partitions_requests=requests,
            asset_events=events,
        )

    return watch_remotes


def pull_sensor(naming: Naming, job: "UnresolvedAssetJobDefinition") -> dg.SensorDefinition:
    """Has pulled what changed in other lakes."""

    @dg.sensor(
        name=naming.name("pull_remotes"),
        job=job,
        minimum_interval_seconds=_SECONDS,
        # whoever names another lake to push to it may not want all of it here
        default_status=dg.DefaultSensorStatus.STOPPED,
        required_resource_keys={naming.resource},
        description="Turn it on to have everything pulled that the lakes of LAKEHOUSE_REMOTES have and this one has "
        "not, when it changes there: a run for each collection. What both sides changed is left to you: the check "
        f"`{IN_SYNC}` of `{PULL}` names it. A pull that fails is tried again once an hour.",
    )
    def pull_remotes(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        lake, seen = open_lake(context, naming), read_cursor(context.cursor)
        if (reason := not_mounted(lake)) is not None:
            return dg.SkipReason(reason)
        found = compare(lake, sorted(lake.settings.remotes), seen, seconds=_SECONDS_TO_LOOK)
        cursor = write_cursor(_cursor(found))
        requests = list(_requests(context.instance, naming, found))
        if not requests:
            return dg.SensorResult(skip_reason=_summary(found), cursor=cursor)
        known = set(context.instance.get_dynamic_partitions(str(naming.pulls.name)))
        new = sorted({str(each.partition_key) for each in requests} - known)
        return dg.SensorResult(
            run_requests=requests,
            cursor=cursor,
            dynamic_partitions_requests=[naming.pulls.build_add_request(new)] if new else [],
        )

    return pull_remotes


def sync_checks(naming: Naming) -> list[dg.AssetChecksDefinition]:
    """Whether nothing waits to be brought."""
    return [_check(naming, asset, direction) for asset, direction in _ASSETS.items()]


def _check(naming: Naming, asset: str, direction: Direction) -> dg.AssetChecksDefinition:
    waits = "pulled" if direction == "pull" else "pushed, of what was pushed before"

    # not partitioned: it speaks of all collections of all lakes, and names those that wait
    @dg.asset_check(
        asset=naming.key(asset),
        name=IN_SYNC,
        description=f"Does nothing wait to be {waits}? An error where both sides changed the same.",
        required_resource_keys={naming.resource},
    )
    def run(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        with explained():
            lake = open_lake(context, naming)
            return result_of(in_sync(compare(lake, sorted(lake.settings.remotes), {}), asset, direction))

    return run


def _digest(found: CheckResult) -> str:
    return hashlib.sha256(f"{found.metadata}{found.table}".encode()).hexdigest()[:_DIGITS]


def _newest(instance: dg.DagsterInstance, asset: dg.AssetKey) -> int:
    """Where the newest materialization of an asset stands in the event log, 0 when there is none."""
    records = instance.fetch_materializations(asset, limit=1).records
    return records[0].storage_id if records else 0


def _cursor(found: Comparison) -> dict[str, str]:
    return {pair.partition: pair.write() for pair in found.pairs}


def _requests(instance: dg.DagsterInstance, naming: Naming, found: Comparison) -> Iterator[dg.RunRequest]:
    """A run for each collection that waits to be pulled, and that no run is at work on."""
    waiting = [
        pair
        for pair in found.waiting("pull")
        if not pair.states["pull"].is_apart and pair.remote not in found.failed
    ]
    at_work = datasets_at_work(instance, (*RUNNING, *WAITING)) if waiting else set()
    for pair in [pair for pair in waiting if pair.partition not in at_work][:_MOST_RUNS]:
        key = f"{pair.partition}:{pair.sign}:{now_utc():%Y-%m-%dT%H}"
        yield dg.RunRequest(job_name=naming.name(PULL_JOB), partition_key=pair.partition, run_key=key)


def _summary(found: Comparison) -> str:
    """What a look came to, in a line."""
    parts = [f"{len(found.waiting('pull'))} of {len(found.partitions('pull'))} wait to be pulled"]
    parts += [f"{remote} is left out: {why}" for remote, why in found.failed.items()]
    if found.left:
        parts.append(f"{found.left} are left for the next look")
    return "; ".join(parts)
