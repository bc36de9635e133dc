"""What watches the lake: datasets that come, change and go, and whether what is shown is still true."""

import json
from collections.abc import Iterator, Sequence

import dagster as dg

from lakehouse_assets.defs.checks import IS_LATEST, dataset_results
from lakehouse_assets.defs.jobs import CHECK_OP
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.lake import Lake
from lakehouse_assets.operations.findings import CheckResult

# enough to tell one config from the next
_DIGITS = 12
_CATALOG = ""
"""Where the state of the catalogue stands among those of datasets, which all have a name."""

State = dict[str, str]


def checks_sensor(naming: Naming, job: dg.JobDefinition) -> dg.SensorDefinition:
    """Sees every five minutes which artifacts are no longer the latest, or are it again, and has it recorded."""

    @dg.sensor(
        name=naming.name("refresh_checks"),
        job=job,
        minimum_interval_seconds=300,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.resource},
        description=f"Looks whether what `{IS_LATEST}` says of everything is still true, and asks for one run that "
        "checks the datasets of which it is not.",
    )
    def refresh_checks(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        lake = open_lake(context, naming)
        seen: State = json.loads(context.cursor or "{}")
        now = {name: _signs(results) for name, results in _latest(lake, context, naming)}
        changed = [name for name in now if seen.get(name) != now[name]]
        if not changed:
            return dg.SkipReason(f"nothing changed in {len(now) - 1} datasets of {lake.uri}")
        config = {"datasets": [name for name in changed if name != _CATALOG], "checks": [IS_LATEST]}
        ops = {naming.name(CHECK_OP): {"config": config}}
        return dg.SensorResult(cursor=json.dumps(now), run_requests=[dg.RunRequest(run_config={"ops": ops})])

    return refresh_checks


def _latest(
    lake: Lake, context: dg.SensorEvaluationContext, naming: Naming
) -> Iterator[tuple[str, list[CheckResult]]]:
    """For each dataset, and the catalogue, whether its artifacts are the latest."""
    known = set(context.instance.get_dynamic_partitions(naming.partition_set))
    for name in lake.datasets():
        if name not in known:
            continue
        try:
            yield name, dataset_results(lake.dataset(name), [IS_LATEST])
        except LakehouseError as exc:
            context.log.warning(f"{name} is left out: {exc}")
    yield _CATALOG, [lake.check_catalog()]


def _signs(results: Sequence[CheckResult]) -> str:
    """The outcome of checks in a few characters, as a cursor should be small."""
    return "".join("+" if result.passed else "-" for result in results)
