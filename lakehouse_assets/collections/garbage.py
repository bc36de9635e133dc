"""
What no collection needs any more: files of versions that were trimmed away, of collections that were deleted, and what
writers left that were killed.
"""

import logging
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta

from lakehouse_assets import layout
from lakehouse_assets.collections.log import LINEAGE, LOG, DeltaLog
from lakehouse_assets.collections.registry import Entry, Registry
from lakehouse_assets.errors import NotFound
from lakehouse_assets.storage.files import Entry as FileEntry
from lakehouse_assets.storage.garbage import Clock, Look
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

REGISTRY_KEPT = timedelta(days=30)
"""For so long earlier versions of the registry can be read."""

_DATA = re.compile(r"[0-9a-f]{32}\.parquet")
_UID = re.compile(r"[0-9a-f]{32}")


class CollectionsHeap:
    """The files of the collections of a place, of all or of some labels; those of the registry with all."""

    name = "collections"

    def __init__(self, root: Location, registry: Registry, labels: Collection[str] | None = None) -> None:
        self._root = root
        self._registry = registry
        self._labels = labels
        self._gone: list[Entry] = []

    def look(self, clock: Clock) -> Look:
        """What nobody needs now; and the files that nobody knows."""
        needless: list[FileEntry] = []
        unknown: list[str] = []
        self._gone = []
        # the folders first: one that is made after that look is not among them
        folders = self._root.folders(layout.LAKE_COLLECTIONS)
        entries = {entry.path: entry for entry in self._registry.entries()}
        paths = [f"{layout.LAKE_COLLECTIONS}/{name}" for name in folders]
        if self._labels is not None:
            paths = [path for path in paths if path in entries and entries[path].label in self._labels]
        for path in paths:
            some, others = self._in_folder(path, entries.get(path), clock)
            needless += some
            unknown += others
        if self._labels is not None:
            return Look(needless, unknown, scope=tuple(paths))
        some, others = _in_table(self._root, layout.LAKE_REGISTRY, clock)
        return Look(needless + some, unknown + others)

    def _in_folder(self, path: str, entry: Entry | None, clock: Clock) -> tuple[list[FileEntry], list[str]]:
        if entry is not None and entry.is_live:
            return _in_table(self._root, path, clock)
        if entry is None and not _UID.fullmatch(path.rpartition("/")[2]):
            return [], [found.key for found in self._root.entries(path)]
        if entry is not None:
            self._gone.append(entry)
        return _in_deleted(self._root, path, clock, deleted=entry is not None)

    def sweep(self, entries: Sequence[FileEntry], check: Callable[[], None]) -> list[str]:
        """
        Delete files; a collection of which some go is forgotten first, unless somebody brought it back.

        The registry itself forgets its early versions, whose files are needless from then on.
        """
        keys = self._left(entry.key for entry in entries)
        check()
        # the log of a table goes last: without it nobody would know what the rest was
        logs = [key for key in keys if f"/{LOG}/" in key]
        self._root.delete_all([key for key in keys if f"/{LOG}/" not in key])
        self._root.delete_all(logs)
        for path in {entry.path for entry in self._gone}:
            self._root.prune_tree(path)
        if self._labels is None:
            self._registry.trim(REGISTRY_KEPT)
        return keys

    def _left(self, keys: Iterable[str]) -> list[str]:
        """Those of some files that may go: a collection that is back by now keeps all."""
        keys = sorted(keys)
        touched = {entry.uid for entry in self._gone if any(key.startswith(f"{entry.path}/") for key in keys)}
        if not touched:
            return keys

        def edit(entries: list[Entry]) -> list[Entry]:
            return [entry for entry in entries if entry.is_live or entry.uid not in touched]

        kept = [entry.path for entry in self._registry.change(edit, operation="GC") if entry.uid in touched]
        return [key for key in keys if not any(key.startswith(f"{path}/") for path in kept)]


def _in_table(root: Location, path: str, clock: Clock) -> tuple[list[FileEntry], list[str]]:
    """The data files of a table that no version has that can be read."""
    # before the log is read: a file that is committed afterwards is not among them
    listed = [entry for entry in root.entries(path) if not entry.key.startswith(f"{path}/{LOG}/")]
    table = DeltaLog(root / path)
    try:
        first = table.at(table.first())
        dropped = table.dropped()
        newest = table.snapshot()
        commits = table.commits()
    except NotFound:
        return [], []
    needed = set(first.files) | set(newest.files) | {file.key for commit in commits for file in commit.added}
    needless, unknown = [], []
    for entry in listed:
        key = entry.key[len(path) + 1 :]
        if key in needed:
            continue
        if key in dropped or (_DATA.fullmatch(key) and clock.is_old(entry)):
            needless.append(entry)
        elif not _DATA.fullmatch(key) and key != LINEAGE:
            unknown.append(entry.key)
    return needless, unknown


def _in_deleted(
    root: Location, path: str, clock: Clock, *, deleted: bool
) -> tuple[list[FileEntry], list[str]]:
    """All files of a collection that was deleted, or that was never finished to be made."""
    needless, unknown = [], []
    for entry in root.entries(path):
        key = entry.key[len(path) + 1 :]
        if not (_DATA.fullmatch(key) or key.startswith(f"{LOG}/") or key == LINEAGE):
            unknown.append(entry.key)
        elif deleted or clock.is_old(entry):
            needless.append(entry)
    return needless, unknown
