"""Jobs: what is launched for one dataset at a time."""

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.checks import IS_LATEST
from lakehouse_assets.defs.events import merge_observation
from lakehouse_assets.defs.failures import RETRY, explained
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.progress import LogProgress
from lakehouse_assets.defs.resources import open_lake

if TYPE_CHECKING:
    # dagster has no public name for what define_asset_job gives
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

MAKE = "make"
CATALOG = "make_catalog"
MERGE = "merge"


class MergeConfig(dg.Config):
    """How to merge."""

    force: bool = Field(default=False, description="Rewrite every partition, also those that are merged.")


def make_job(naming: Naming) -> "UnresolvedAssetJobDefinition":
    """Statements, exports and index of a dataset in one run; what is fresh is skipped."""
    assets = naming.keys([artifact.asset for artifact in artifacts.MADE])
    # the other checks read whole files: they run when somebody asks
    checks = [dg.AssetCheckKey(asset, IS_LATEST) for asset in assets]
    return dg.define_asset_job(
        naming.name(MAKE),
        selection=dg.AssetSelection.assets(*assets).without_checks() | dg.AssetSelection.checks(*checks),
        partitions_def=naming.datasets,
        description="Makes every export of a dataset that is not fresh, and its index. Files to import are "
        "named in the config of `statements`.",
        tags={"kind": "make"},
    )


def catalog_job(naming: Naming) -> "UnresolvedAssetJobDefinition":
    """The lake's catalogue."""
    return dg.define_asset_job(
        naming.name(CATALOG),
        selection=dg.AssetSelection.assets(naming.key(artifacts.CATALOG)),
        description="Writes the catalogue of the lake from the indexes of its datasets.",
        tags={"kind": "make"},
    )


def merge_job(naming: Naming) -> dg.JobDefinition:
    """
    Merging as a job of its own.

    It changes how the table lies on disk, not what it says: an observation is logged, nothing becomes stale.
    """

    @dg.op(name=naming.name("merge_statements"), required_resource_keys={naming.resource}, retry_policy=RETRY)
    def merge_statements(context: dg.OpExecutionContext, config: MergeConfig) -> None:
        with explained():
            dataset = open_lake(context, naming).dataset(context.partition_key)
            job = dataset.merge(force=config.force, progress=LogProgress(context.log))
        context.log_event(merge_observation(naming, job))

    @dg.job(
        name=naming.name(MERGE),
        partitions_def=naming.datasets,
        description="Rewrites the partitions of the statements that have rows to compare, sorted, so that "
        "reads are cheap. Answers stay the same.",
        tags={"kind": "maintenance"},
    )
    def merge() -> None:
        merge_statements()

    return merge
