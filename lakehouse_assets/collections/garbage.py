"""
What no collection needs any more: files of versions that were trimmed away, of collections that were deleted, and what
writers left that were killed.
"""

import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import timedelta

from lakehouse_assets import layout
from lakehouse_assets.collections.log import LINEAGE, DeltaLog
from lakehouse_assets.collections.log_files import LOG
from lakehouse_assets.collections.registry import Entry, Registry
from lakehouse_assets.errors import NotFound
from lakehouse_assets.storage.files import Entry as FileEntry
from lakehouse_assets.storage.garbage import Clock, Look
from lakehouse_assets.storage.garbage_marks import Due
from lakehouse_assets.storage.key_list import KeyList
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.spool import Listed, Rows, Spool

log = logging.getLogger(__name__)

REGISTRY_KEPT = timedelta(days=30)
"""For so long earlier versions of the registry can be read."""

_DATA = re.compile(r"[0-9a-f]{32}\.parquet")
_UID = re.compile(r"[0-9a-f]{32}")
# so many names has the folder of a collection
_DEPTH = layout.LAKE_COLLECTIONS.count("/") + 2


class CollectionsHeap:
    """The files of the collections of a place, of all or of some labels; those of the registry with all."""

    name = "collections"

    def __init__(
        self,
        root: Location,
        registry: Registry,
        labels: Collection[str] | None = None,
        *,
        temp_directory: str | None = None,
    ) -> None:
        self._root = root
        self._registry = registry
        self._labels = labels
        self._temp_directory = temp_directory
        self._gone: dict[str, Entry] = {}

    def look(self, clock: Clock) -> Look:
        """What nobody needs now; and the files that nobody knows."""
        self._gone = {}
        # the folders first: one that is made after that look is not among them
        folders = self._root.folders(layout.LAKE_COLLECTIONS)
        entries = {entry.path: entry for entry in self._registry.entries()}
        paths = [f"{layout.LAKE_COLLECTIONS}/{name}" for name in folders]
        if self._labels is not None:
            paths = [path for path in paths if path in entries and entries[path].label in self._labels]
        unknown = KeyList()
        scope = None if self._labels is None else tuple(paths)
        return Look(self._needless(paths, entries, clock, unknown), unknown, scope)

    def _needless(
        self, paths: Sequence[str], entries: Mapping[str, Entry], clock: Clock, unknown: KeyList
    ) -> Iterator[FileEntry]:
        for path in paths:
            entry = entries.get(path)
            if entry is not None and entry.is_live:
                yield from self._in_table(path, clock, unknown)
            elif entry is None and not _UID.fullmatch(path.rpartition("/")[2]):
                unknown.extend(found.key for found in self._root.entries(path))
            else:
                if entry is not None:
                    self._gone[path] = entry
                yield from _in_deleted(self._root, path, clock, unknown, deleted=entry is not None)
        if self._labels is None:
            yield from self._in_table(layout.LAKE_REGISTRY, clock, unknown)

    def _in_table(self, path: str, clock: Clock, unknown: KeyList) -> Iterator[FileEntry]:
        """The data files of a table that no version has that can be read."""
        with closing(Spool(self._temp_directory)) as spool:
            listed = Rows(spool, Listed)
            # before the log is read: a file that is committed afterwards is not among them
            inside = (each for each in self._root.entries(path) if not each.key.startswith(f"{path}/{LOG}/"))
            listed.extend(map(Listed.of, inside))
            try:
                needed, dropped = _named(DeltaLog(self._root / path))
            except NotFound:
                return
            for entry in (each.entry() for each in listed):
                key = entry.key[len(path) + 1 :]
                if key in needed:
                    continue
                if key in dropped or (_DATA.fullmatch(key) and clock.is_old(entry)):
                    yield entry
                elif not _DATA.fullmatch(key) and key != LINEAGE:
                    unknown.append(entry.key)

    def sweep(self, due: Due, check: Callable[[], None]) -> Iterator[Sequence[str]]:
        """
        Delete files; a collection of which some go is forgotten first, unless somebody brought it back.

        The registry itself forgets its early versions, whose files are needless from then on.
        """
        kept = self._forget({_folder(entry.key) for entry in due})
        # the log of a table goes last: without it nobody would know what the rest was
        for is_log in (False, True):
            for batch in due.batches():
                check()
                keys = [
                    each.key
                    for each in batch
                    if (f"/{LOG}/" in each.key) == is_log and _folder(each.key) not in kept
                ]
                self._root.delete_all(keys)
                yield keys
        for path in self._gone:
            self._root.prune_tree(path)
        if self._labels is None:
            self._registry.trim(REGISTRY_KEPT)

    def _forget(self, folders: Collection[str]) -> set[str]:
        """Forget the collections in some folders; gives the folders of those that are back by now, which keep all."""
        touched = {entry.uid for path, entry in self._gone.items() if path in folders}
        if not touched:
            return set()

        def edit(entries: list[Entry]) -> list[Entry]:
            return [entry for entry in entries if entry.is_live or entry.uid not in touched]

        return {entry.path for entry in self._registry.change(edit, operation="GC") if entry.uid in touched}


def _folder(key: str) -> str:
    """The folder of the collection that a file belongs to."""
    return "/".join(key.split("/")[:_DEPTH])


def _named(table: DeltaLog) -> tuple[set[str], set[str]]:
    """The files that a table's versions have, and those that it knows to have been taken out before; by their keys."""
    first = table.at(table.first())
    dropped = table.dropped()
    newest = table.snapshot()
    added = {file.key for commit in table.commits() for file in commit.added}
    return set(first.files) | set(newest.files) | added, dropped


def _in_deleted(
    root: Location, path: str, clock: Clock, unknown: KeyList, *, deleted: bool
) -> Iterator[FileEntry]:
    """All files of a collection that was deleted, or that was never finished to be made."""
    for entry in root.entries(path):
        key = entry.key[len(path) + 1 :]
        if not (_DATA.fullmatch(key) or key.startswith(f"{LOG}/") or key == LINEAGE):
            unknown.append(entry.key)
        elif deleted or clock.is_old(entry):
            yield entry
