"""What sees whether everything is the latest, has it recorded, and has made again what stays behind."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg

from lakehouse_assets import layout
from lakehouse_assets.defs.checks import IS_LATEST, dataset_results
from lakehouse_assets.defs.cursors import read_cursor, write_cursor
from lakehouse_assets.defs.jobs import CHECK, CHECK_OP, MAKE
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.defs.working import RUNNING, WAITING, datasets_at_work
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.lake import Lake
from lakehouse_assets.model.pipeline import OFF
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.findings import CheckResult

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

_CATALOG = ""
"""Where the state of the catalogue stands among those of datasets, which all have a name."""

# Dagster ends a look after a minute; what is left over is looked at the next time
_SECONDS = 20.0
_SECONDS_TO_LOOK = 15.0


class _State(NamedTuple):
    """What a dataset looked like from outside, and which of its artifacts were the latest then: + or -."""

    sign: str
    outcome: str

    @property
    def is_behind(self) -> bool:
        return "-" in self.outcome


def checks_sensor(
    naming: Naming, check: dg.JobDefinition, make: "UnresolvedAssetJobDefinition"
) -> dg.SensorDefinition:
    """Sees every five minutes what is no longer the latest, or is it again, and sees to what stays behind."""

    @dg.sensor(
        name=naming.name("refresh_checks"),
        jobs=[check, make],
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.resource},
        description=f"Looks whether what `{IS_LATEST}` says of everything is still true, and asks for one run that "
        "checks the datasets of which it is not. What automation has not made again by the next look is made again by "
        "a run of its own, once a day for one state of a dataset: a file that somebody deleted, a request that was "
        "lost. `schedules: {make: off}` in a dataset's pipeline.yml leaves that out.",
    )
    def refresh_checks(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        lake = open_lake(context, naming)
        seen = _seen(context.cursor)
        now = _states(context, naming, lake, seen)
        changed = [
            name for name, state in now.items() if name not in seen or seen[name].outcome != state.outcome
        ]
        lasting = [
            name for name, state in now.items() if name and state.is_behind and seen.get(name) == state
        ]
        requests = [_check(naming, changed)] if changed else []
        requests += _make(context, naming, lake, lasting, now)
        cursor = write_cursor({name: f"{state.sign} {state.outcome}" for name, state in now.items()})
        if not requests:
            reason = f"nothing changed in {len(now) - 1} datasets of {lake.uri}"
            return dg.SensorResult(skip_reason=reason, cursor=cursor)
        return dg.SensorResult(cursor=cursor, run_requests=requests)

    return refresh_checks


def _seen(cursor: str | None) -> dict[str, _State]:
    found = {name: text.split() for name, text in read_cursor(cursor).items()}
    return {name: _State(*parts) for name, parts in found.items() if len(parts) == len(_State._fields)}


def _states(
    context: dg.SensorEvaluationContext, naming: Naming, lake: Lake, seen: Mapping[str, _State]
) -> dict[str, _State]:
    """The datasets and the catalogue; checked is only what looks otherwise than before."""
    known = set(context.instance.get_dynamic_partitions(naming.partition_set))
    names = [name for name in lake.datasets() if name in known]
    found = {name: seen[name] for name in names if name in seen}
    signs = lake.signs(names, seconds=_SECONDS_TO_LOOK)
    until = time.monotonic() + _SECONDS
    for name, sign in signs.items():
        if name in seen and (seen[name].sign == sign or time.monotonic() > until):
            continue
        if time.monotonic() < until:
            try:
                found[name] = _State(sign, _outcome(dataset_results(lake.dataset(name), [IS_LATEST])))
            except LakehouseError as exc:
                context.log.warning(f"{name} is left out: {exc}")
    found[_CATALOG] = _State("-", _outcome([lake.check_catalog()]))
    return found


def _check(naming: Naming, names: Sequence[str]) -> dg.RunRequest:
    """A run that records what the checks say now."""
    config = {"datasets": [name for name in names if name != _CATALOG], "checks": [IS_LATEST]}
    ops = {naming.name(CHECK_OP): {"config": config}}
    return dg.RunRequest(job_name=naming.name(CHECK), run_config={"ops": ops})


def _make(
    context: dg.SensorEvaluationContext,
    naming: Naming,
    lake: Lake,
    names: Sequence[str],
    states: Mapping[str, _State],
) -> Iterator[dg.RunRequest]:
    """A run for each dataset that stays behind, and that no run is at work on."""
    at_work = datasets_at_work(context.instance, (*RUNNING, *WAITING)) if names else set()
    for name in names:
        if name in at_work:
            continue
        try:
            dataset = lake.dataset(name)
            if dataset.pipeline.schedules.make != OFF:
                # a run that fails, because of an assertion, say, is not asked for over and over
                commit = "".join(dataset.location.names(layout.TABLE_LOG)[-1:])
                state = f"{states[name].outcome}:{commit}:{now_utc():%Y-%m-%d}"
                yield dg.RunRequest(job_name=naming.name(MAKE), partition_key=name, run_key=f"{name}:{state}")
        except LakehouseError as exc:
            context.log.warning(f"{name} is left out: {exc}")


def _outcome(results: Sequence[CheckResult]) -> str:
    """What checks came to in a few characters, as a cursor should be small."""
    return "".join("+" if result.passed else "-" for result in results)
