"""How the assets, jobs and partitions of one lake are called in a project that may hold several lakes."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import dagster as dg

_NO_NAME = re.compile(r"[^A-Za-z0-9_]+")
_DIGITS = 8


def plain(name: str) -> str:
    """
    A name as Dagster takes it, of letters, digits and underscores; another one for each name.

    Example:
        >>> plain("extract"), plain("text/extract")
        ('extract', 'text_extract_59b7b65c')
    """
    if name and not _NO_NAME.search(name):
        return name
    return f"{_NO_NAME.sub('_', name)}_{hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]}"


@dataclass(frozen=True)
class Naming:
    """
    Names with the prefix of a lake; without a prefix they are the plain ones.

    Example:
        >>> Naming(("acme",)).name("make")
        'acme_make'
    """

    prefix: tuple[str, ...] = ()

    def key(self, asset: str) -> dg.AssetKey:
        """The key of an asset."""
        return dg.AssetKey([*self.prefix, asset])

    def keys(self, assets: Sequence[str]) -> list[dg.AssetKey]:
        """The keys of several assets."""
        return [self.key(asset) for asset in assets]

    def queue(self, queue: str) -> dg.AssetKey:
        """The key of a queue of jobs."""
        return dg.AssetKey([*self.prefix, "jobs", plain(queue)])

    def name(self, name: str) -> str:
        """The name of a job, a sensor, a schedule, an op or a resource."""
        return "_".join((*self.prefix, name))

    def op(self, asset: str) -> str:
        """The op of an asset, as run config names it."""
        return "__".join((*self.prefix, asset))

    @cached_property
    def datasets(self) -> dg.DynamicPartitionsDefinition:
        """The partitions: the datasets of this lake."""
        return dg.DynamicPartitionsDefinition(name=self.partition_set)

    @property
    def partition_set(self) -> str:
        """The name under which an instance keeps the datasets of this lake."""
        return self.name("dataset")

    @cached_property
    def collections(self) -> dg.DynamicPartitionsDefinition:
        """The collections of this lake: its tables of rows, and its datasets."""
        return dg.DynamicPartitionsDefinition(name=self.name("collections"))

    @cached_property
    def pulls(self) -> dg.DynamicPartitionsDefinition:
        """What other lakes have: of each of them, each collection."""
        return dg.DynamicPartitionsDefinition(name=self.name("pulls"))

    @cached_property
    def pushes(self) -> dg.DynamicPartitionsDefinition:
        """What can be brought to other lakes: to each of them, each collection of this lake."""
        return dg.DynamicPartitionsDefinition(name=self.name("pushes"))

    @property
    def resource(self) -> str:
        """The key of the resource that holds the lake."""
        return self.name("lake")
