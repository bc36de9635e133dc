"""What watches the lake: datasets that come, change and go, whoever wrote to them."""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

import dagster as dg

from lakehouse_assets import layout
from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.cursors import read_cursor, write_cursor
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.partition_sets import known_partitions, partition_requests
from lakehouse_assets.defs.picture import Picture
from lakehouse_assets.defs.report import report_assets, report_catalog
from lakehouse_assets.defs.resources import not_mounted, open_lake
from lakehouse_assets.defs.truth import Told
from lakehouse_assets.defs.working import datasets_at_work
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.lake import Dataset, Lake

_CATALOG = ""
"""Where the catalogue stands among the datasets, which all have a name."""

# Dagster ends a look after a minute; what is left over is looked at the next time
_SECONDS = 20.0
_SECONDS_TO_LOOK = 15.0
# a run tells itself what it made; one that takes longer is not waited for
_PATIENCE = timedelta(hours=1)
_MOST_NAMED = 10


def watch_sensor(naming: Naming, *, seconds: int) -> dg.SensorDefinition:
    """Has everything shown as it lies in the lake, by looks so many seconds apart."""

    @dg.sensor(
        name=naming.name("watch_lake"),
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.resource},
        description="Adds a partition for each folder of the lake with a config.yml, and removes those that are gone. "
        "Of what somebody else wrote, a command, a program, ftm-lakehouse or a hand, the new data versions are "
        "reported, without a run, so that what is made from it shows as stale.",
    )
    def watch_lake(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        lake = open_lake(context, naming)
        if (reason := not_mounted(lake)) is not None:
            return dg.SkipReason(reason)
        seen, known = read_cursor(context.cursor), known_partitions(context.instance, naming.datasets)
        names = lake.datasets()
        now = lake.signs(names, seconds=_SECONDS_TO_LOOK)
        changed = [name for name in now if name not in known or seen.get(name) != now[name]]
        told = _tell(context, naming, lake, changed)
        gone = _gone(lake, known.difference(names))
        after = {name: seen[name] for name in names if name in seen} | {name: now[name] for name in told}
        index_changed = gone or any(artifacts.INDEX in assets for assets in told.values())
        if index_changed or seen.get(_CATALOG) != _sign_of_catalog(lake):
            told |= {_CATALOG: report_catalog(context.instance, lake, naming=naming)}
        after[_CATALOG] = _sign_of_catalog(lake)
        return dg.SensorResult(
            skip_reason=_summary(told, gone, len(names), len(changed)),
            cursor=write_cursor(after),
            dynamic_partitions_requests=partition_requests(
                naming.datasets, known, known.difference(gone).union(filter(None, told))
            ),
        )

    return watch_lake


def _tell(
    context: dg.SensorEvaluationContext,
    naming: Naming,
    lake: Lake,
    names: Sequence[str],
) -> dict[str, list[str]]:
    """Have datasets shown as they are; the assets that were shown otherwise, of each that there was time for."""
    until = time.monotonic() + _SECONDS
    at_work = datasets_at_work(context.instance, within=_PATIENCE) if names else set()
    told = {}
    for name in names:
        if time.monotonic() > until:
            break
        # asked for now: its run may have been started since the look began
        if name in at_work and context.instance.has_dynamic_partition(naming.partition_set, name):
            continue
        try:
            # before it is a partition: else automation would make what only was not told yet
            told[name] = _tell_one(context.instance, lake.dataset(name), naming)
        except LakehouseError as exc:
            context.log.warning(f"{name} is left out: {exc}")
    return told


def _tell_one(instance: dg.DagsterInstance, dataset: Dataset, naming: Naming) -> list[str]:
    is_config = Picture(instance, naming, dataset.name).tell_config(dataset.config_digest())
    assets = report_assets(instance, dataset, Told(glance=True), naming=naming)
    return [artifacts.CONFIG, *assets] if is_config else assets


def _gone(lake: Lake, missed: Collection[str]) -> list[str]:
    """Those of the datasets that were missed that did not come back while the others were looked at."""
    return sorted(set(missed).difference(lake.datasets())) if missed else []


def _sign_of_catalog(lake: Lake) -> str:
    size, at = lake.location.size(layout.LAKE_INDEX), lake.location.modified(layout.LAKE_INDEX)
    return f"{size} {at.timestamp()}" if at is not None else ""


def _summary(told: Mapping[str, Sequence[str]], gone: Sequence[str], datasets: int, changed: int) -> str:
    """What a look came to, in a line."""
    parts = [f"{name or 'the lake'}: {', '.join(assets)}" for name, assets in told.items() if assets]
    if gone:
        parts.append(f"gone: {', '.join(gone[:_MOST_NAMED])}")
    left = changed - sum(1 for name in told if name)
    if left:
        parts.append(f"{left} datasets are left for the next look, runs are at work on them or time was up")
    more = f", and {len(parts) - _MOST_NAMED} more" if len(parts) > _MOST_NAMED else ""
    return "; ".join(parts[:_MOST_NAMED]) + more or f"nothing changed in {datasets} datasets"
