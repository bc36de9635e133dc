"""What watches the lake: datasets that come, change and go, and whether what is shown is still true."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from lakehouse_assets.defs.checks import IS_LATEST, dataset_results
from lakehouse_assets.defs.events import config_observation
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


def datasets_sensor(naming: Naming) -> dg.SensorDefinition:
    """Keeps the partitions equal to the datasets of the lake, and sees when a config.yml changed."""

    @dg.sensor(
        name=naming.name("find_datasets"),
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.resource},
        description="Adds a partition for each folder of the lake with a config.yml, removes those that are "
        "gone, and observes each config.yml that changed.",
    )
    def find_datasets(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        lake = open_lake(context, naming)
        if lake.location.path is not None and not lake.location.path.is_dir():
            # a disk that is not mounted is no lake without datasets
            return dg.SkipReason(f"no folder {lake.location.path}")
        seen: State = json.loads(context.cursor or "{}")
        now = _configs(lake, context.log)
        known = set(context.instance.get_dynamic_partitions(naming.partition_set))
        new, gone = sorted(now.keys() - known), sorted(known - now.keys())
        changed = [name for name, digest in now.items() if name in new or seen.get(name) != digest[:_DIGITS]]
        if not changed and not gone:
            return dg.SkipReason(f"nothing changed in {len(now)} datasets of {lake.uri}")
        return dg.SensorResult(
            cursor=json.dumps({name: digest[:_DIGITS] for name, digest in now.items()}),
            dynamic_partitions_requests=_requests(naming, new, gone),
            asset_events=[config_observation(naming, name, now[name]) for name in changed],
        )

    return find_datasets


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


def _configs(lake: Lake, log: logging.Logger) -> Mapping[str, str]:
    """The digest of each dataset's config.yml; one that cannot be read holds up no other."""
    found = {}
    for name in lake.datasets():
        try:
            found[name] = lake.dataset(name).config_digest()
        except LakehouseError as exc:
            log.warning(f"{name} is left out: {exc}")
    return found


def _requests(
    naming: Naming, new: Sequence[str], gone: Sequence[str]
) -> list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest]:
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if new:
        requests.append(naming.datasets.build_add_request(new))
    if gone:
        requests.append(naming.datasets.build_delete_request(gone))
    return requests


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
