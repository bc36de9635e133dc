"""Jobs: what is launched for one dataset at a time."""

from datetime import timedelta
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.checks import ASSERTIONS, CHECKS, IS_LATEST, dataset_results, evaluation
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.defs.working import datasets_at_work
from lakehouse_assets.errors import LakehouseError

if TYPE_CHECKING:
    # dagster has no public name for what define_asset_job gives
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

MAKE = "make"
CATALOG = "make_catalog"
CHECK = "check"
CHECK_OP = "check_datasets"

# a run that takes longer is not waited for
_PATIENCE = timedelta(hours=1)


class CheckConfig(dg.Config):
    """What to check."""

    datasets: list[str] = Field(default=[], description="Names of datasets; all of them by default.")
    checks: list[str] = Field(
        default=[check.name for check in CHECKS],
        description="Names of checks. `intact` and `reconciles` read whole files.",
    )


def make_job(naming: Naming) -> "UnresolvedAssetJobDefinition":
    """Statements, exports and index of a dataset in one run; what is fresh is skipped."""
    assets = naming.keys([artifact.asset for artifact in artifacts.MADE])
    # the other checks read whole files: they run when somebody asks
    checks = [dg.AssetCheckKey(asset, IS_LATEST) for asset in assets]
    # what keeps the exports from being published stands on the statements' page; it is counted once for all of them
    checks.append(dg.AssetCheckKey(naming.key(artifacts.STATEMENTS), ASSERTIONS))
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


def check_job(naming: Naming) -> dg.JobDefinition:
    """
    Checks of many datasets in one run.

    Dagster has no partitioned job of checks alone, and takes the result of a partitioned check outside of runs only
    once: the second one meets a unique index.
    """

    @dg.op(name=naming.name(CHECK_OP), required_resource_keys={naming.resource})
    def check_datasets(context: dg.OpExecutionContext, config: CheckConfig) -> None:
        lake = open_lake(context, naming)
        for name in config.datasets or lake.datasets():
            try:
                results = dataset_results(lake.dataset(name), config.checks)
            except LakehouseError as exc:
                context.log.error(f"{name} cannot be checked: {exc}")
                continue
            if name in datasets_at_work(context.instance, within=_PATIENCE):
                # such a run tells itself what is the latest; what was found before it ended would be told after that
                results = [result for result in results if result.check != IS_LATEST]
            for result in results:
                _log(context, evaluation(naming, result, partition=name))
        if IS_LATEST in config.checks:
            _log(context, evaluation(naming, lake.check_catalog(), partition=None))

    @dg.job(
        name=naming.name(CHECK),
        description="Checks datasets, all by default, and the catalogue: each result stands on its asset's page.",
        tags={"kind": "check"},
    )
    def check() -> None:
        check_datasets()

    return check


def _log(context: dg.OpExecutionContext, event: dg.AssetCheckEvaluation) -> None:
    # taken, though not named among the events that an op may log
    context.log_event(event)  # type: ignore[arg-type]
