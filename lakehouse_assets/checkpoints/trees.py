"""What lies in a store of checkpoints: a folder for each run and each correlation."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lakehouse_assets.checkpoints.scope import CheckpointScope
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
    """All runs and correlations that have checkpoints; empty folders are none."""
    for scope, folder in FOLDERS.items():
        for name in location.folders(folder):
            if found := tree_at(location, scope, name):
                yield found


def tree_at(location: Location, scope: CheckpointScope, name: str) -> Tree | None:
    """The checkpoints of one run or correlation, None without any."""
    entries = list(location.entries(f"{FOLDERS[scope]}/{name}"))
    if not entries:
        return None
    return Tree(
        scope=scope,
        id=name,
        files=len(entries),
        bytes=sum(entry.size for entry in entries),
        newest=max(entry.modified for entry in entries),
    )
