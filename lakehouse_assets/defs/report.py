"""
Telling Dagster what happened outside it, so that its graph is true whoever did the work.

Events are reported without runs, and only where a data version differs from the one that Dagster knows.
"""

import dagster as dg

from lakehouse_assets.defs import metadata
from lakehouse_assets.defs.artifacts import ARCHIVE, CATALOG, CONFIG, INDEX, LAKE_CATALOG
from lakehouse_assets.defs.events import MaintenanceJob, maintenance_observation
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.picture import Picture
from lakehouse_assets.defs.truth import MADE_OUTSIDE, Told, Truth, truths_of
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
    Bring Dagster's picture of a dataset up to date; returns the assets that were shown otherwise.

    `job` is the import that changed it, or `crawl` the crawl, if it was one: its counts are shown.

    Example:
        >>> with existing_instance(lake) as instance:
        ...     report_dataset(instance, lake.dataset("acme"))
        ['statements', 'entities_json']
    """
    found = report_config(instance, dataset, naming=naming)
    found += report_assets(instance, dataset, Told(imported=job, crawled=crawl), naming=naming)
    if INDEX in found:
        found += report_catalog(instance, dataset.lake, naming=naming)
    return found


def report_config(instance: dg.DagsterInstance, dataset: Dataset, *, naming: Naming = _PLAIN) -> list[str]:
    """Observe config.yml; the dataset becomes a partition if it is none yet."""
    if not instance.has_dynamic_partition(naming.partition_set, dataset.name):
        instance.add_dynamic_partitions(naming.partition_set, [dataset.name])
    told = Picture(instance, naming, dataset.name).tell_config(dataset.config_digest())
    return [CONFIG] if told else []


def report_assets(
    instance: dg.DagsterInstance, dataset: Dataset, told: Told, *, naming: Naming = _PLAIN
) -> list[str]:
    """
    Have all assets of a dataset shown in the versions that they have, and as stale where they are.

    What is behind is told first: automation makes again what is older than the things it is made from.
    """
    picture = Picture(instance, naming, dataset.name)
    truths = list(truths_of(dataset, told))
    found = set()
    for truth in truths:
        if truth.behind and not picture.has_version(truth):
            picture.tell(truth)
            found.add(truth.artifact.asset)
    for truth in truths:
        was_crawled = truth.artifact.asset == ARCHIVE and told.crawled is not None
        if was_crawled or not picture.is_true(truth):
            picture.tell(truth)
            found.add(truth.artifact.asset)
    return [truth.artifact.asset for truth in truths if truth.artifact.asset in found]


def report_catalog(instance: dg.DagsterInstance, lake: Lake, *, naming: Naming = _PLAIN) -> list[str]:
    """The lake's catalogue has other bytes, or other ones than it should have."""
    state = lake.catalog_freshness()
    truth = Truth(
        LAKE_CATALOG,
        state.digest,
        lambda: metadata.of_catalog_state(lake, state),
        behind=frozenset(() if state.fresh else LAKE_CATALOG.deps),
        why=MADE_OUTSIDE if state.fresh else state.why,
    )
    picture = Picture(instance, naming, None)
    if picture.is_true(truth):
        return []
    picture.tell(truth)
    return [CATALOG]


def report_maintenance(instance: dg.DagsterInstance, job: MaintenanceJob, *, naming: Naming = _PLAIN) -> None:
    """The statements were merged, compacted or vacuumed: nothing that is made from them becomes stale."""
    instance.report_runless_asset_event(maintenance_observation(naming, job))


def report_removal(instance: dg.DagsterInstance, name: str, *, naming: Naming = _PLAIN) -> None:
    """A dataset is gone; what is known of it stays in the history."""
    if instance.has_dynamic_partition(naming.partition_set, name):
        instance.delete_dynamic_partition(naming.partition_set, name)
