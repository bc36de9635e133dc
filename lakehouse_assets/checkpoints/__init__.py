"""
Frames between the steps of a pipeline, kept until its run is done, so that a retry need not make them again.

Usable alone: it stands on `lakehouse_assets.storage` and knows neither lakes nor Dagster.
"""

from lakehouse_assets.checkpoints.backend import Backend as Backend
from lakehouse_assets.checkpoints.backend import Cleaner as Cleaner
from lakehouse_assets.checkpoints.cleaner import FolderCleaner as FolderCleaner
from lakehouse_assets.checkpoints.names import encoded as encoded
from lakehouse_assets.checkpoints.polars_backend import PolarsBackend as PolarsBackend
from lakehouse_assets.checkpoints.scope import CheckpointScope as CheckpointScope
from lakehouse_assets.checkpoints.spark_backend import SparkBackend as SparkBackend
from lakehouse_assets.checkpoints.store import CheckpointStore as CheckpointStore
from lakehouse_assets.checkpoints.trees import Swept as Swept
from lakehouse_assets.checkpoints.trees import Tree as Tree

__all__ = [
    "Backend",
    "CheckpointScope",
    "CheckpointStore",
    "Cleaner",
    "FolderCleaner",
    "PolarsBackend",
    "SparkBackend",
    "Swept",
    "Tree",
    "encoded",
]
