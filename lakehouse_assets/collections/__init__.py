"""
Collections: tables of rows by series, with all their versions, in a folder, a bucket or memory.

Usable alone: it stands on `lakehouse_assets.storage` and knows neither datasets nor Dagster.
"""

from lakehouse_assets.collections.collection import Collection as Collection
from lakehouse_assets.collections.registry import Entry as Entry
from lakehouse_assets.collections.registry import Registry as Registry
from lakehouse_assets.collections.repo import Repo as Repo
from lakehouse_assets.collections.schema import Schema as Schema
from lakehouse_assets.collections.series import KVSeries as KVSeries
from lakehouse_assets.collections.series import Series as Series
from lakehouse_assets.collections.table import Revision as Revision

__all__ = ["Collection", "Entry", "KVSeries", "Registry", "Repo", "Revision", "Schema", "Series"]
