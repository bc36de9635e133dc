"""All that Dagster shows and does of collections: the tables of rows, other lakes, and garbage."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse_assets.defs.collection_assets import collections_asset, registry_asset
from lakehouse_assets.defs.collection_sensor import collections_sensor
from lakehouse_assets.defs.garbage_assets import (
    garbage_assets,
    garbage_job,
    garbage_schedule,
    references_check,
)
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.sync_assets import sync_assets, sync_jobs
from lakehouse_assets.defs.sync_sensors import pull_sensor, remotes_sensor, sync_checks

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition


@dataclass(frozen=True)
class Collections:
    """The definitions; those of other lakes only where some are named."""

    assets: Sequence[dg.AssetsDefinition | dg.AssetSpec]
    checks: Sequence[dg.AssetChecksDefinition]
    jobs: "Sequence[UnresolvedAssetJobDefinition]"
    schedules: Sequence[dg.ScheduleDefinition]
    sensors: Sequence[dg.SensorDefinition]


def build_collections(naming: Naming, remotes: Collection[str], *, seconds: int) -> Collections:
    """What belongs to the collections of a lake, which is looked at every so many seconds."""
    garbage = garbage_job(naming)
    pull, push = sync_jobs(naming)
    return Collections(
        assets=[
            registry_asset(naming),
            collections_asset(naming),
            *garbage_assets(naming),
            *(sync_assets(naming) if remotes else []),
        ],
        checks=[references_check(naming), *(sync_checks(naming) if remotes else [])],
        jobs=[garbage, *([pull, push] if remotes else [])],
        schedules=[garbage_schedule(naming, garbage)],
        sensors=[
            collections_sensor(naming, seconds=seconds),
            *([remotes_sensor(naming), pull_sensor(naming, pull)] if remotes else []),
        ],
    )
