"""What watches other lakes: shows how they stand to this one, and has pulled what changed there if that is wanted."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse_assets.defs.collection_sensor import Partitions, partition_requests
from lakehouse_assets.defs.cursors import Seen, read_cursor, write_cursor
from lakehouse_assets.defs.failures import explained
from lakehouse_assets.defs.metadata import describe, of_check
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.defs.sync_assets import PULL, PULL_JOB, PUSH
from lakehouse_assets.defs.sync_looks import IN_SYNC, Look, Standing, in_sync, look, patient, sign
from lakehouse_assets.defs.sync_work import Direction
from lakehouse_assets.defs.working import RUNNING, WAITING, datasets_at_work
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.lake import Lake
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.findings import CheckResult

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

_SECONDS = 60
_UNREACHABLE = "unreachable"
_WAITS = " waits"
# Dagster submits some five in a second
_MOST_RUNS = 20
_DIGITS = 12

_ASSETS: dict[str, Direction] = {PULL: "pull", PUSH: "push"}


def remotes_sensor(naming: Naming) -> dg.SensorDefinition:
    """Shows how the collections of other lakes stand to those of this one."""

    @dg.sensor(
        name=naming.name("watch_remotes"),
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.resource},
        description="Looks at the lakes that LAKEHOUSE_REMOTES names: a partition of `sync_pull` for each collection "
        f"there, one of `sync_push` for each here, and what the checks `{IN_SYNC}` say. Nothing is brought by it. A "
        "lake in which nothing changed is not read: its registry and the names of the newest versions tell.",
    )
    def watch_remotes(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        lake = open_lake(context, naming)
        names = sorted(lake.settings.remotes)
        seen = read_cursor(context.cursor)
        signs = {name: _sign(context, lake, name) for name in names}
        here = sign(lake)
        now = {name: f"{here} {there}" for name, there in signs.items()}
        if {name: seen.get(name) for name in names} == now:
            return dg.SkipReason(f"nothing changed here, and in {', '.join(names)}")
        looks = [look(lake, name) for name in names]
        told, events = dict(now), []
        for asset, direction in _ASSETS.items():
            found = in_sync(looks, asset, direction)
            told[f"/{direction}"] = _digest(found)
            if seen.get(f"/{direction}") != told[f"/{direction}"]:
                events.append(_evaluation(naming, found))
        return dg.SensorResult(
            skip_reason=_summary(looks),
            cursor=write_cursor(told),
            dynamic_partitions_requests=_partitions(context.instance, naming, looks),
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
    def pull_remotes(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        lake, seen = open_lake(context, naming), read_cursor(context.cursor)
        after: Seen = {}
        waiting: list[tuple[Standing, str]] = []
        for name in sorted(lake.settings.remotes):
            there = _sign(context, lake, name)
            if there == _UNREACHABLE:
                after |= {name: seen[name]} if name in seen else {}
            elif seen.get(name) == there:
                after[name] = there
            else:
                found = look(lake, name)
                todo = [each for each in found.of("pull") if each.waits and not each.is_apart]
                after[name] = there + _WAITS if todo or found.failed else there
                waiting += [(each, there) for each in todo]
        requests = list(_requests(context.instance, naming, waiting))
        cursor = write_cursor(after)
        if not requests:
            return dg.SensorResult(skip_reason=f"{len(waiting)} collections wait to be pulled", cursor=cursor)
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
            found = in_sync([look(lake, name) for name in sorted(lake.settings.remotes)], asset, direction)
        return dg.AssetCheckResult(
            passed=found.passed,
            severity=dg.AssetCheckSeverity(found.severity),
            description=describe(found),
            metadata=of_check(found),
        )

    return run


def _evaluation(naming: Naming, found: CheckResult) -> dg.AssetCheckEvaluation:
    return dg.AssetCheckEvaluation(
        asset_key=naming.key(found.asset),
        check_name=found.check,
        passed=found.passed,
        severity=dg.AssetCheckSeverity(found.severity),
        description=describe(found),
        metadata=of_check(found),
    )


def _digest(found: CheckResult) -> str:
    return hashlib.sha256(f"{found.metadata}{found.table}".encode()).hexdigest()[:_DIGITS]


def _sign(context: dg.SensorEvaluationContext, lake: Lake, name: str) -> str:
    try:
        return sign(patient(lake, name))
    except LakehouseError as exc:
        context.log.warning(f"{name} is left out: {exc}")
        return _UNREACHABLE


def _partitions(instance: dg.DagsterInstance, naming: Naming, looks: Sequence[Look]) -> list[Partitions]:
    """What can be brought now; of a lake that does not answer, what could be before."""
    found: list[Partitions] = []
    silent = tuple(f"{each.remote}/" for each in looks if each.failed)
    for partitions, direction in ((naming.pulls, _ASSETS[PULL]), (naming.pushes, _ASSETS[PUSH])):
        names = {each.partition for one in looks for each in one.of(direction)}
        known = instance.get_dynamic_partitions(str(partitions.name))
        names |= {name for name in known if silent and name.startswith(silent)}
        found += partition_requests(instance, partitions, sorted(names))
    return found


def _requests(
    instance: dg.DagsterInstance, naming: Naming, waiting: Sequence[tuple[Standing, str]]
) -> Iterator[dg.RunRequest]:
    """A run for each collection that waits, and that no run is at work on."""
    at_work = datasets_at_work(instance, (*RUNNING, *WAITING)) if waiting else set()
    free = [(each, there) for each, there in waiting if each.partition not in at_work]
    for each, there in free[:_MOST_RUNS]:
        key = f"{each.partition}:{there}:{now_utc():%Y-%m-%dT%H}"
        yield dg.RunRequest(job_name=naming.name(PULL_JOB), partition_key=each.partition, run_key=key)


def _summary(looks: Sequence[Look]) -> str:
    """What a look came to, in a line."""
    parts = []
    for each in looks:
        waiting = sum(standing.waits for standing in each.of("pull"))
        parts.append(f"{each.remote}: {each.failed or f'{waiting} to be pulled'}")
    return "; ".join(parts)
