"""Checks of assets: they read the lake, not what Dagster remembers, and show the numbers they compared."""

from collections.abc import Collection
from dataclasses import dataclass

import dagster as dg

from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.failures import explained
from lakehouse_assets.defs.metadata import describe, of_check
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.defs.states import UNFINISHED
from lakehouse_assets.lake import Dataset
from lakehouse_assets.operations.findings import CheckResult

IS_LATEST = "is_latest"
ASSERTIONS = "assertions"


@dataclass(frozen=True)
class Check:
    """A check and the assets that it looks at."""

    name: str
    description: str
    assets: tuple[str, ...]


_FILES = tuple(artifact.asset for artifact in (*artifacts.EXPORTS, *artifacts.DIFFS, artifacts.DATASET_INDEX))

CHECKS = (
    Check(
        IS_LATEST,
        "Was it made from what the lake holds now? Fails, as a warning, when it has to be made again.",
        (artifacts.ARCHIVE, artifacts.MAPPINGS, artifacts.JOURNAL, artifacts.STATEMENTS, *_FILES),
    ),
    Check(
        "intact",
        "Are the bytes on disk those that were written? Reads and hashes whole files; of a large archive a part, "
        "another one each time.",
        (artifacts.ARCHIVE, artifacts.MAPPINGS, artifacts.JOURNAL, *_FILES),
    ),
    Check(
        UNFINISHED,
        "Was each source crawled to its end, or is it being crawled now? What was left half done is gone on with by "
        "the next crawl.",
        (artifacts.ARCHIVE,),
    ),
    Check("reconciles", "Do the store, the file and the index count the same?", _FILES),
    Check(
        "canonical",
        "Is there one row per claim where the table counts as merged? Other programs would count more.",
        (artifacts.STATEMENTS,),
    ),
    Check(
        ASSERTIONS,
        "Does everything hold that the dataset's pipeline.yml asserts? What fails here keeps every export from "
        "being published.",
        (artifacts.STATEMENTS,),
    ),
    Check(
        "references",
        "Does each reference lead to an entity of some dataset of the lake? Reads the ids of the whole lake.",
        (artifacts.STATEMENTS,),
    ),
)
"""The checks of each dataset."""


def build_checks(naming: Naming) -> list[dg.AssetChecksDefinition]:
    """All checks of a lake."""
    checks = [_check(naming, check, asset) for check in CHECKS for asset in check.assets]
    return [*checks, _catalog_check(naming)]


def dataset_results(dataset: Dataset, names: Collection[str]) -> list[CheckResult]:
    """What the checks of these names find in a dataset."""
    wanted = [check for check in CHECKS if check.name in names]
    return [dataset.check(asset, check.name) for check in wanted for asset in check.assets]


def evaluation(naming: Naming, result: CheckResult, *, partition: str | None) -> dg.AssetCheckEvaluation:
    """A result as an event."""
    return dg.AssetCheckEvaluation(
        asset_key=naming.key(result.asset),
        check_name=result.check,
        passed=result.passed,
        severity=dg.AssetCheckSeverity(result.severity),
        description=describe(result),
        metadata=of_check(result),
        partition=partition,
    )


def _check(naming: Naming, check: Check, asset: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=naming.key(asset),
        name=check.name,
        description=check.description,
        # without it the last dataset that was checked would speak for all
        partitions_def=naming.datasets,
        required_resource_keys={naming.resource},
    )
    def run(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        with explained():
            dataset = open_lake(context, naming).dataset(context.partition_key)
            return result_of(dataset.check(asset, check.name))

    return run


def _catalog_check(naming: Naming) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=naming.key(artifacts.CATALOG),
        name=IS_LATEST,
        description="Does it list every dataset as its own index does now?",
        required_resource_keys={naming.resource},
    )
    def run(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        with explained():
            return result_of(open_lake(context, naming).check_catalog())

    return run


def result_of(found: CheckResult) -> dg.AssetCheckResult:
    """A result as a check gives it back."""
    return dg.AssetCheckResult(
        passed=found.passed,
        severity=dg.AssetCheckSeverity(found.severity),
        description=describe(found),
        metadata=of_check(found),
    )
