"""What lies in a store of checkpoints: a folder for each run and each correlation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from lakehouse_assets.checkpoints.scope import CheckpointScope
from lakehouse_assets.storage.files import Entry
from lakehouse_assets.storage.location import Location

FOLDERS = {CheckpointScope.RUN: "runs", CheckpointScope.CORRELATION: "correlations"}


@dataclass(frozen=True)
class Tree:
    """The checkpoints of a run or of a correlation: how many files and bytes, and when one was last written (UTC)."""

    scope: CheckpointScope
    id: str
    files: int
    bytes: int
    newest: datetime


@dataclass(frozen=True)
class Swept:
    """What a sweep removed, or would remove: checkpoints, and what interrupted writers left behind."""

    trees: list[Tree]
    left_behind: list[str]

    @property
    def bytes(self) -> int:
        """The bytes of the checkpoints."""
        return sum(tree.bytes for tree in self.trees)


def trees_in(location: Location) -> Iterator[Tree]:
    """All runs and correlations that have checkpoints, by one listing each; empty folders are none."""
    for scope, folder in FOLDERS.items():
        entries = (entry for entry in location.entries(folder) if entry.key.count("/") > 1)
        for name, found in groupby(entries, lambda entry: entry.key.split("/")[1]):
            yield _tree(scope, name, list(found))


def tree_at(location: Location, scope: CheckpointScope, name: str) -> Tree | None:
    """The checkpoints of one run or correlation, None without any."""
    entries = list(location.entries(f"{FOLDERS[scope]}/{name}"))
    return _tree(scope, name, entries) if entries else None


def _tree(scope: CheckpointScope, name: str, entries: Sequence[Entry]) -> Tree:
    return Tree(
        scope=scope,
        id=name,
        files=len(entries),
        bytes=sum(entry.size for entry in entries),
        newest=max(entry.modified for entry in entries),
    )
