"""
A FollowTheMoney data lakehouse as a graph of Dagster assets.

Example:
    >>> from lakehouse_assets import Lake
    >>> acme = Lake("data").dataset("acme")
    >>> acme.import_files(["entities.ftm.json"], origin="leak")
    >>> acme.make()
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from lakehouse_assets.checkpoints import CheckpointScope as CheckpointScope
    from lakehouse_assets.checkpoints import CheckpointStore as CheckpointStore
    from lakehouse_assets.collections import Repo as Repo
    from lakehouse_assets.collections import Schema as Schema
    from lakehouse_assets.component import LakehouseComponent as LakehouseComponent
    from lakehouse_assets.defs.build import build_definitions as build_definitions
    from lakehouse_assets.defs.checkpoint_io import CheckpointIOManager as CheckpointIOManager
    from lakehouse_assets.errors import AssertionFailed as AssertionFailed
    from lakehouse_assets.errors import LakehouseError as LakehouseError
    from lakehouse_assets.jobs import AnyJob as AnyJob
    from lakehouse_assets.jobs import DatasetJob as DatasetJob
    from lakehouse_assets.jobs import FileQueue as FileQueue
    from lakehouse_assets.jobs import Job as Job
    from lakehouse_assets.jobs import MemoryQueue as MemoryQueue
    from lakehouse_assets.jobs import stage as stage
    from lakehouse_assets.jobs import task as task
    from lakehouse_assets.lake import Dataset as Dataset
    from lakehouse_assets.lake import Lake as Lake
    from lakehouse_assets.operations import *  # noqa: F403
    from lakehouse_assets.state import StateData as StateData
    from lakehouse_assets.state import StateStore as StateStore

_JOBS = ["AnyJob", "DatasetJob", "FileQueue", "Job", "MemoryQueue", "stage", "task"]

_OPERATIONS = [
    "CompactJob",
    "CompactOperation",
    "CrawlJob",
    "CrawlOperation",
    "DatasetJobOperation",
    "DownloadArchiveJob",
    "DownloadArchiveOperation",
    "DeleteJob",
    "DeleteOperation",
    "ExportDocumentsJob",
    "ExportDocumentsOperation",
    "ExportEntitiesJob",
    "ExportEntitiesOperation",
    "ExportIndexJob",
    "ExportIndexOperation",
    "ExportStatementsJob",
    "ExportStatementsOperation",
    "ExportStatisticsJob",
    "ExportStatisticsOperation",
    "FlushJob",
    "FlushOperation",
    "HandleExistingMode",
    "ImportJob",
    "ImportOperation",
    "MakeJob",
    "MakeOperation",
    "MappingJob",
    "MappingOperation",
    "MergeJob",
    "MergeOperation",
    "VacuumJob",
    "VacuumOperation",
    "compact",
    "crawl",
    "download_archive",
    "export_documents",
    "export_entities",
    "export_index",
    "export_statements",
    "export_statistics",
    "make",
    "merge",
    "vacuum",
]

# loaded when asked for, so that importing the package costs nothing
_PLACES = {
    "Lake": "lakehouse_assets.lake",
    "Dataset": "lakehouse_assets.lake",
    "AssertionFailed": "lakehouse_assets.errors",
    "LakehouseError": "lakehouse_assets.errors",
    "CheckpointScope": "lakehouse_assets.checkpoints",
    "CheckpointStore": "lakehouse_assets.checkpoints",
    "Repo": "lakehouse_assets.collections",
    "Schema": "lakehouse_assets.collections",
    "StateData": "lakehouse_assets.state",
    "StateStore": "lakehouse_assets.state",
    **dict.fromkeys(_JOBS, "lakehouse_assets.jobs"),
    # these load Dagster
    "CheckpointIOManager": "lakehouse_assets.defs.checkpoint_io",
    "LakehouseComponent": "lakehouse_assets.component",
    "build_definitions": "lakehouse_assets.defs.build",
    **dict.fromkeys(_OPERATIONS, "lakehouse_assets.operations"),
}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    # Dagster looks for components among what is listed
    return sorted({*globals(), *__all__})
