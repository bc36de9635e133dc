"""Telling the lake's Dagster instance what a command did, if there is one."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lakehouse_assets.cli import output
from lakehouse_assets.defs.home import find_home

if TYPE_CHECKING:
    from dagster import AssetObservation, DagsterInstance

    from lakehouse_assets.defs.naming import Naming
    from lakehouse_assets.jobs import JobQueue
    from lakehouse_assets.lake import Dataset, Lake
    from lakehouse_assets.operations import CompactJob, CrawlJob, ImportJob, MergeJob, VacuumJob

log = logging.getLogger(__name__)


def report(dataset: "Dataset", *, job: "ImportJob | None" = None, crawl: "CrawlJob | None" = None) -> None:
    """Bring Dagster's picture of a dataset up to date."""

    def tell(instance: "DagsterInstance") -> None:
        from lakehouse_assets.defs.report import report_dataset

        report_dataset(instance, dataset, job=job, crawl=crawl, naming=_naming(dataset.lake))

    _tell(dataset.lake, tell)


def report_maintenance(dataset: "Dataset", job: "CompactJob | MergeJob | VacuumJob") -> None:
    """Tell of a merge, a compaction or a vacuum, which make nothing stale; a Dagster that did it knows."""
    if dataset.lake.settings.dagster_url:
        return

    def tell(instance: "DagsterInstance") -> None:
        from lakehouse_assets.defs.report import report_maintenance

        report_maintenance(instance, job, naming=_naming(dataset.lake))

    _tell(dataset.lake, tell)


def report_catalog(lake: "Lake") -> None:
    """Tell of the lake's catalogue."""

    def tell(instance: "DagsterInstance") -> None:
        from lakehouse_assets.defs.report import report_catalog

        report_catalog(instance, lake, naming=_naming(lake))

    _tell(lake, tell)


@contextmanager
def announced(queue: "JobQueue") -> "Iterator[JobQueue]":
    """
    The same queue, for a block, of which Dagster is told what is deferred.

    Only of one in a bucket: on local disk Dagster sees it by itself, and loading it takes a second.
    """
    from lakehouse_assets.jobs import FileQueue

    if not isinstance(queue, FileQueue) or queue.location.path is not None:
        yield queue
        return
    lake, home = queue.lake, find_home(queue.lake)
    if home is None or not home.exists():
        yield queue
        return
    from lakehouse_assets.defs.queue_events import EventLogQueue

    events: list[AssetObservation] = []
    yield EventLogQueue(lake, events.append, naming=_naming(lake))

    def tell(instance: "DagsterInstance") -> None:
        for event in events:
            instance.report_runless_asset_event(event)

    _tell(lake, tell)


def _naming(lake: "Lake") -> "Naming":
    """How that instance calls what is the lake's."""
    from lakehouse_assets.defs.naming import Naming

    return Naming(tuple(filter(None, lake.settings.dagster_prefix.split("/"))))


def _tell(lake: "Lake", tell: "Callable[[DagsterInstance], None]") -> None:
    """
    Tell the lake's instance if it is there already; none is made.

    What was done stays done: a Dagster that cannot be told is a warning.
    """
    try:
        home = find_home(lake)
        if home is None or not home.exists():
            return
        from lakehouse_assets.defs.instance import existing_instance

        instance = existing_instance(lake)
        if instance is not None:
            with instance:
                tell(instance)
    except Exception as exc:
        # whatever its database, its configuration or a plugin of it raises
        output.warn(f"Dagster was not told: {type(exc).__name__}: {exc}")
        log.debug("Dagster was not told", exc_info=True)
