"""What happened to the lake, as events that need no run."""

from collections.abc import Mapping

import dagster as dg

from lakehouse_assets.defs import metadata as shown
from lakehouse_assets.defs.artifacts import CONFIG, STATEMENTS
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.operations import CompactJob, MergeJob, VacuumJob

DATA_VERSION = "dagster/data_version"
CODE_VERSION = "dagster/code_version"
INPUT_VERSION = "dagster/input_data_version"
INPUT_EVENT = "dagster/input_event_pointer"
"""The tags by which Dagster knows from what something was made; the last two with the key of an asset behind them."""

MaintenanceJob = CompactJob | MergeJob | VacuumJob


def config_observation(naming: Naming, dataset: str, digest: str) -> dg.AssetObservation:
    """A dataset's config.yml was looked at."""
    return dg.AssetObservation(naming.key(CONFIG), partition=dataset, tags={DATA_VERSION: digest})


def materialization(
    naming: Naming,
    asset: str,
    version: str,
    metadata: Mapping[str, dg.MetadataValue],
    *,
    partition: str | None,
    description: str | None = None,
    origins: Mapping[str, str] | None = None,
) -> dg.AssetMaterialization:
    """An artifact was made outside Dagster; `origins` are tags that say from which versions of what."""
    return dg.AssetMaterialization(
        naming.key(asset),
        partition=partition,
        description=description,
        metadata=metadata,
        tags={DATA_VERSION: version, **(origins or {})},
    )


def maintenance_observation(naming: Naming, job: MaintenanceJob) -> dg.AssetObservation:
    """The statements lie otherwise on disk, which changes neither their content nor their data version."""
    if isinstance(job, CompactJob):
        done, metadata = "compacted", shown.of_compaction(job)
    elif isinstance(job, MergeJob):
        done, metadata = "merged", shown.of_merge(job)
    else:
        done, metadata = "vacuumed", shown.of_vacuum(job)
    return dg.AssetObservation(
        naming.key(STATEMENTS), partition=job.dataset, description=done, metadata=metadata
    )
