"""Telling the lake's Dagster instance what a command did, if there is one."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.cli import output

if TYPE_CHECKING:
    from dagster import DagsterInstance

    from lakehouse_assets.lake import Dataset, Lake
    from lakehouse_assets.operations import ImportJob, MergeJob

log = logging.getLogger(__name__)

_INSTANCE_FILE = Path("dagster.yaml")


def report(dataset: "Dataset", *, job: "ImportJob | None" = None) -> None:
    """Bring Dagster's picture of a dataset up to date."""

    def tell(instance: "DagsterInstance") -> None:
        from lakehouse_assets.defs.report import report_dataset

        report_dataset(instance, dataset, job=job)

    _tell(dataset.lake, tell)


def report_merge(dataset: "Dataset", job: "MergeJob") -> None:
    """Tell of a merge, which makes nothing stale."""

    def tell(instance: "DagsterInstance") -> None:
        from lakehouse_assets.defs.report import report_merge

        report_merge(instance, job)

    _tell(dataset.lake, tell)


def report_catalog(lake: "Lake") -> None:
    """Tell of the lake's catalogue."""

    def tell(instance: "DagsterInstance") -> None:
        from lakehouse_assets.defs.report import report_catalog

        report_catalog(instance, lake)

    _tell(lake, tell)


def _tell(lake: "Lake", tell: "Callable[[DagsterInstance], None]") -> None:
    """
    Tell the lake's instance if it is there already; none is made.

    What was done stays done: a Dagster that cannot be told is a warning.
    """
    if not _may_exist(lake):
        return
    try:
        from lakehouse_assets.defs.instance import existing_instance

        instance = existing_instance(lake)
        if instance is not None:
            with instance:
                tell(instance)
    except Exception as exc:
        # whatever its database, its configuration or a plugin of it raises
        output.warn(f"Dagster was not told: {type(exc).__name__}: {exc}")
        log.debug("Dagster was not told", exc_info=True)


def _may_exist(lake: "Lake") -> bool:
    """Whether there can be an instance: a look at files, since Dagster itself takes seconds to load."""
    if os.environ.get("DAGSTER_HOME"):
        return True
    if _INSTANCE_FILE.is_file():
        return _has_storage(_INSTANCE_FILE)
    folder = lake.location.local(layout.LAKE_DAGSTER)
    return folder is not None and folder.is_dir()


def _has_storage(file: Path) -> bool:
    """Whether a dagster.yaml names a storage that may be there: a folder that is, or no folder."""
    import yaml

    try:
        settings = yaml.safe_load(file.read_bytes())
        base = settings["storage"]["sqlite"]["base_dir"]
    except (yaml.YAMLError, KeyError, TypeError):
        return True
    return not isinstance(base, str) or (file.parent / base).is_dir()
