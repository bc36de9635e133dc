"""
Telling Dagster what happened outside it, so that its graph is true whoever did the work.

Events are reported without runs, and only where a data version differs from the one that Dagster knows.
"""

from collections.abc import Mapping

import dagster as dg

from lakehouse_assets.defs import artifacts, metadata
from lakehouse_assets.defs.archive import of_archive
from lakehouse_assets.defs.artifacts import Artifact
from lakehouse_assets.defs.crawls import of_crawls
from lakehouse_assets.defs.differences import of_differences
from lakehouse_assets.defs.events import (
    DATA_VERSION,
    MaintenanceJob,
    config_observation,
    maintenance_observation,
    materialization,
)
from lakehouse_assets.defs.mappings import of_mappings
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.operations import CrawlJob, ImportJob

_PLAIN = Naming()


def report_dataset(
    instance: dg.DagsterInstance,
    dataset: Dataset,
    *,
    job: ImportJob | None = None,
    crawl: CrawlJob | None = None,
    naming: Naming = _PLAIN,
) -> list[str]:
    """
    Bring Dagster's picture of a dataset up to date; returns the assets that had changed.

    `job` is the import that changed it, or `crawl` the crawl, if it was one: its counts are shown.

    Example:
        >>> with existing_instance(lake) as instance:
        ...     report_dataset(instance, lake.dataset("acme"))
        ['statements', 'entities_json']
    """
    found = [
        *report_config(instance, dataset, naming=naming),
        *report_archive(instance, dataset, crawl=crawl, naming=naming),
        *report_mappings(instance, dataset, naming=naming),
        *report_statements(instance, dataset, job=job, naming=naming),
    ]
    for artifact in artifacts.EXPORTS:
        found += report_export(instance, dataset, artifact, naming=naming)
    for artifact in artifacts.DIFFS:
        found += report_differences(instance, dataset, artifact, naming=naming)
    found += report_export(instance, dataset, artifacts.DATASET_INDEX, naming=naming)
    if artifacts.INDEX in found:
        found += report_catalog(instance, dataset.lake, naming=naming)
    return found


def report_config(instance: dg.DagsterInstance, dataset: Dataset, *, naming: Naming = _PLAIN) -> list[str]:
    """Observe config.yml; the dataset becomes a partition if it is none yet."""
    if not instance.has_dynamic_partition(naming.partition_set, dataset.name):
        instance.add_dynamic_partitions(naming.partition_set, [dataset.name])
    digest = dataset.config_digest()
    filters = dg.AssetRecordsFilter(naming.key(artifacts.CONFIG), asset_partitions=[dataset.name])
    records = instance.fetch_observations(filters, limit=1).records
    if records and _version(records[0].asset_observation) == digest:
        return []
    instance.report_runless_asset_event(config_observation(naming, dataset.name, digest))
    return [artifacts.CONFIG]


def report_archive(
    instance: dg.DagsterInstance, dataset: Dataset, *, crawl: CrawlJob | None = None, naming: Naming = _PLAIN
) -> list[str]:
    """Files came or went, or were looked for."""
    asset = artifacts.ARCHIVE
    if crawl is None and _known(instance, naming.key(asset), dataset.name) == dataset.archive.version():
        return []
    summary = dataset.archive.summary()
    found = {**of_archive(dataset, summary), **of_crawls(dataset, [crawl] if crawl is not None else [])}
    _report(instance, naming, asset, summary.listing.version, found, dataset.name)
    return [asset]


def report_mappings(instance: dg.DagsterInstance, dataset: Dataset, *, naming: Naming = _PLAIN) -> list[str]:
    """A mapping ran that was new or had changed."""
    asset, version = artifacts.MAPPINGS, dataset.mappings.version()
    if _known(instance, naming.key(asset), dataset.name) == version:
        return []
    _report(instance, naming, asset, version, of_mappings(dataset), dataset.name)
    return [asset]


def report_statements(
    instance: dg.DagsterInstance, dataset: Dataset, *, job: ImportJob | None = None, naming: Naming = _PLAIN
) -> list[str]:
    """The statements have another content, because of an import or of something else."""
    version = dataset.content_version()
    asset = artifacts.STATEMENTS
    if _known(instance, naming.key(asset), dataset.name) == version:
        return []
    _report(instance, naming, asset, version, metadata.of_statements(dataset, job), dataset.name)
    return [asset]


def report_export(
    instance: dg.DagsterInstance, dataset: Dataset, artifact: Artifact, *, naming: Naming = _PLAIN
) -> list[str]:
    """A file has other bytes; one of another program has no digest, and waits until it is made here."""
    state = dataset.freshness(artifact.name)
    if state.digest is None or _known(instance, naming.key(artifact.asset), dataset.name) == state.digest:
        return []
    found = metadata.of_freshness(dataset, artifact, state)
    _report(instance, naming, artifact.asset, state.digest, found, dataset.name)
    return [artifact.asset]


def report_differences(
    instance: dg.DagsterInstance, dataset: Dataset, artifact: Artifact, *, naming: Naming = _PLAIN
) -> list[str]:
    """Something changed since it was last told."""
    status = dataset.differences.status(artifact.name)
    if not status.states or _known(instance, naming.key(artifact.asset), dataset.name) == status.version:
        return []
    newest = {name: state.last.counts for name, state in status.states.items() if state.last is not None}
    found = of_differences(dataset, status, newest)
    _report(instance, naming, artifact.asset, status.version, found, dataset.name)
    return [artifact.asset]


def report_catalog(instance: dg.DagsterInstance, lake: Lake, *, naming: Naming = _PLAIN) -> list[str]:
    """The lake's catalogue has other bytes."""
    state = lake.catalog_freshness()
    asset = artifacts.CATALOG
    if state.digest is None or _known(instance, naming.key(asset), None) == state.digest:
        return []
    _report(instance, naming, asset, state.digest, metadata.of_catalog_state(lake, state), None)
    return [asset]


def report_maintenance(instance: dg.DagsterInstance, job: MaintenanceJob, *, naming: Naming = _PLAIN) -> None:
    """The statements were merged, compacted or vacuumed: nothing that is made from them becomes stale."""
    instance.report_runless_asset_event(maintenance_observation(naming, job))


def report_removal(instance: dg.DagsterInstance, name: str, *, naming: Naming = _PLAIN) -> None:
    """A dataset is gone; what is known of it stays in the history."""
    if instance.has_dynamic_partition(naming.partition_set, name):
        instance.delete_dynamic_partition(naming.partition_set, name)


def _report(
    instance: dg.DagsterInstance,
    naming: Naming,
    asset: str,
    version: str,
    found: Mapping[str, dg.MetadataValue],
    partition: str | None,
) -> None:
    event = materialization(
        naming, asset, version, found, partition=partition, description="made outside Dagster"
    )
    instance.report_runless_asset_event(event)


def _known(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str | None) -> str | None:
    """The data version that Dagster knows of an artifact."""
    filters = dg.AssetRecordsFilter(key, asset_partitions=[partition] if partition else None)
    records = instance.fetch_materializations(filters, limit=1).records
    return _version(records[0].asset_materialization) if records else None


def _version(event: dg.AssetMaterialization | dg.AssetObservation | None) -> str | None:
    return (event.tags or {}).get(DATA_VERSION) if event else None
