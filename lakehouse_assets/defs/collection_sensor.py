"""What watches the tables of rows: those that come, change, get another label and go, whoever wrote to them."""

import time
from collections.abc import Iterator, Mapping

import dagster as dg

from lakehouse_assets.collections import Entry, Repo
from lakehouse_assets.defs.collection_assets import (
    collection_event,
    is_told,
    registry_event,
)
from lakehouse_assets.defs.cursors import read_cursor, write_cursor
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.partition_sets import Partitions, known_partitions, partition_requests
from lakehouse_assets.defs.resources import not_mounted, open_lake
from lakehouse_assets.defs.shared_names import Shared
from lakehouse_assets.errors import LakehouseError

_REGISTRY = ""
"""Where the registry stands among the collections, which all have a name."""

_NO_REGISTRY = "-1"

# Dagster ends a look after a minute; what is left over is looked at the next time
_SECONDS = 20.0


def collections_sensor(naming: Naming, *, seconds: int) -> dg.SensorDefinition:
    """Has the tables shown as they lie in the lake, by looks so many seconds apart."""

    @dg.sensor(
        name=naming.name("watch_collections"),
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.resource},
        description="Adds a partition for each table of rows in the registry, and removes those that are gone. New "
        "versions of the registry and of each table are reported, without a run.",
    )
    def watch_collections(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        lake = open_lake(context, naming)
        if (reason := not_mounted(lake)) is not None:
            return dg.SkipReason(reason)
        seen, repo = read_cursor(context.cursor), lake.collections
        known = known_partitions(context.instance, naming.collections)
        version = str(repo.registry.version())
        signs = repo.signs()
        told = dict(_tell(context, naming, repo, signs, seen))
        now = {_name(entry): sign for entry, sign in signs.items()}
        events = [event for event in told.values() if event is not None]
        if version != _NO_REGISTRY and seen.get(_REGISTRY) != version:
            event = registry_event(naming, repo)
            events += [] if is_told(context.instance, naming, event) else [event]
        after = {
            name: now[name] if name in told else seen[name] for name in now if name in told or name in seen
        }
        requests = partition_requests(naming.collections, known, now)
        return dg.SensorResult(
            skip_reason=_summary(events, requests, len(now)),
            cursor=write_cursor({**after, _REGISTRY: version}),
            dynamic_partitions_requests=requests,
            asset_events=events,
        )

    return watch_collections


def _tell(
    context: dg.SensorEvaluationContext,
    naming: Naming,
    repo: Repo,
    signs: Mapping[Entry, str],
    seen: Mapping[str, str],
) -> Iterator[tuple[str, dg.AssetMaterialization | None]]:
    """The tables that look otherwise, each with what is to be told of it: nothing where that is known."""
    until = time.monotonic() + _SECONDS
    for entry, sign in signs.items():
        name = _name(entry)
        if seen.get(name) == sign:
            yield name, None
            continue
        if time.monotonic() > until:
            return
        try:
            event = collection_event(naming, repo.get(entry.label, entry.namespace))
        except LakehouseError as exc:
            context.log.warning(f"{name} is left out: {exc}")
            continue
        yield name, None if is_told(context.instance, naming, event) else event


def _name(entry: Entry) -> str:
    return Shared(entry.label, entry.namespace).partition


def _summary(events: list[dg.AssetMaterialization], requests: list[Partitions], count: int) -> str:
    """What a look came to, in a line."""
    parts = [event.partition or "the registry" for event in events]
    for request in requests:
        verb = "new" if isinstance(request, dg.AddDynamicPartitionsRequest) else "gone"
        parts.append(f"{verb}: {', '.join(request.partition_keys[:10])}")
    return "; ".join(parts[:12]) or f"nothing changed in {count} tables"
