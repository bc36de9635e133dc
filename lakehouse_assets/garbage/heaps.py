"""Datasets as garbage is collected from them: those that are there, and those that were deleted."""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from heapq import merge
from itertools import chain

from lakehouse_assets import layout
from lakehouse_assets.archive.walk import is_content
from lakehouse_assets.errors import InvalidData, LakehouseError
from lakehouse_assets.garbage.blobs import Orphans, find_orphans, remove_contents, restore
from lakehouse_assets.garbage.checksums import Checksums
from lakehouse_assets.garbage.leftovers import entries_of, unknown_files, unneeded
from lakehouse_assets.garbage.references import References
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.deletions import begin_removal, is_being_removed
from lakehouse_assets.storage.files import Entry
from lakehouse_assets.storage.garbage import UNFINISHED, Clock, Look
from lakehouse_assets.storage.garbage_marks import Due
from lakehouse_assets.storage.key_list import KeyList
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import batches
from lakehouse_assets.storage.spool import Spool

log = logging.getLogger(__name__)

_BATCH = 10_000

_FOLDERS = (
    layout.STATEMENTS_TABLE,
    layout.ARCHIVE,
    "exports",
    layout.DIFFS,
    layout.VERSIONS,
    "tags",
    "jobs",
    layout.JOURNAL,
    layout.QUARANTINE,
    layout.CRAWL_REPORTS,
    layout.STATE,
    layout.MAPPINGS,
    "locks",
    layout.APPEND_LOCKS,
)
_FILES = (layout.CONFIG, layout.INDEX, layout.PIPELINE, layout.LOCK, *layout.forms(layout.ENTITIES))
_LOCKS = (layout.LOCK, f"{layout.APPEND_LOCKS}/", "locks/")


class DatasetHeap:
    """The files of a dataset that is there; without `references` nothing of its archive is needless."""

    def __init__(
        self, lake: Location, name: str, settings: Settings, orphans: Orphans, references: References | None
    ) -> None:
        self.name = f"datasets/{name}"
        self._lake = lake
        self._dataset = lake / name
        self._lead = f"{name}/"
        self._settings = settings
        self._orphans = orphans
        self._leases = _leases(self._dataset, settings)
        self._clock = Clock(lake)
        self._references = references

    def look(self, clock: Clock) -> Look:
        """Contents that nobody names, and what is left over."""
        self._clock = clock
        others = (
            replace(entry, key=self._lead + entry.key)
            for entry in entries_of(self._dataset, sorted({*self._left_over()}))
            if clock.is_old(entry)
        )
        unknown = KeyList(self._orphans.unknown)
        unknown.extend(self._lead + key for key in unknown_files(self._dataset))
        return Look(merge(self._nameless(), others, key=lambda entry: entry.key), unknown)

    def _nameless(self) -> Iterator[Entry]:
        for batch in batches(self._orphans.files, _BATCH):
            named = self._named([file.checksum for file in batch])
            yield from (file.entry() for file in batch if file.checksum not in named)

    def sweep(self, due: Due, check: Callable[[], None]) -> Iterator[Sequence[str]]:
        """Delete those of some files that are needless still, and what killed writers left half written."""
        aside = sorted(self._orphans.aside)
        restore(self._dataset, self._orphans.wanted | (set(self._still_named(aside)) if aside else set()))
        others: dict[str, Entry] = {}
        for batch in due.batches():
            archived: dict[str, list[str]] = defaultdict(list)
            for entry in batch:
                key = entry.key[len(self._lead) :]
                if key.startswith(f"{layout.ARCHIVE}/"):
                    archived[key.split("/")[-2]].append(key)
                else:
                    others[key] = entry
            contents = {
                checksum: keys for checksum, keys in archived.items() if self._is_whole(checksum, keys)
            }
            gone = remove_contents(
                self._dataset, contents, leases=self._leases, needed=self._still_named, check=check
            )
            yield [self._lead + key for key in gone]
        yield [self._lead + key for key in self._remove_others(others)]
        self._dataset.sweep(older=UNFINISHED)

    def _is_whole(self, checksum: str, keys: Sequence[str]) -> bool:
        """Whether the content itself is among the files that go, or is gone: without it its texts stay, too."""
        return any(is_content(key) for key in keys) or not self._dataset.exists(layout.blob(checksum))

    def _remove_others(self, due: dict[str, Entry]) -> list[str]:
        if not due:
            return []
        # a writer who began before them may still confirm rows of the journal
        is_staging = bool(self._leases.marks(layout.STAGING))
        still = set(self._left_over())
        gone = []
        for key, entry in due.items():
            if key not in still or (is_staging and key.startswith(f"{layout.JOURNAL}/")):
                continue
            if self._dataset.modified(key) == entry.modified:
                gone.append(key)
        self._dataset.delete_all(gone)
        for key in gone:
            folder, _, _ = key.rpartition("/")
            if "/" in folder:
                self._dataset.prune([folder], top=key.split("/")[0])
        return gone

    def _left_over(self) -> list[str]:
        try:
            return list(unneeded(self._dataset, self._clock, versions_days=self._settings.versions_days))
        except InvalidData as exc:
            # one that cannot be read holds up no other
            log.warning("nothing that is left over in %s is deleted: %s", self._dataset.uri, exc)
            return []

    def _still_named(self, checksums: Sequence[str]) -> set[str]:
        if self._references is not None:
            self._references.find()
        return self._named(checksums)

    def _named(self, checksums: Sequence[str]) -> set[str]:
        # where it cannot be told what is named, all of it counts as named
        return set(checksums) if self._references is None else self._references.named(checksums)


class DeletedHeap:
    """All files of a dataset that was deleted: they go together, or none does."""

    def __init__(self, lake: Location, name: str, settings: Settings) -> None:
        self.name = f"datasets/{name}"
        self._lake = lake
        self._name = name
        self._leases = _leases(lake / name, settings)
        self._count = 0

    def look(self, clock: Clock) -> Look:
        """All files, but for those that are none of a dataset's."""
        unknown = KeyList()
        return Look(self._counted(unknown), unknown)

    def _counted(self, unknown: KeyList) -> Iterator[Entry]:
        self._count = 0
        for entry in self._known(unknown):
            self._count += 1
            yield entry

    def _known(self, unknown: KeyList) -> Iterator[Entry]:
        for entry in self._lake.entries(self._name):
            key = entry.key[len(self._name) + 1 :]
            if key in _FILES or key.partition("/")[0] in _FOLDERS:
                yield entry
            else:
                unknown.append(entry.key)

    def sweep(self, due: Due, check: Callable[[], None]) -> Iterator[Sequence[str]]:
        """Delete them if all of them are due, or if that was begun already."""
        going = is_being_removed(self._lake, self._name)
        if not going and (not len(due) or len(due) < self._count or self._leases.marks(layout.STAGING)):
            return
        check()
        if not going:
            with self._leases.exclusive("gc"):
                going = begin_removal(self._lake, self._name)
        if not going:
            return
        # what tells that they go goes last
        last = [f"{self._name}/{key}" for key in (layout.CONFIG, layout.PIPELINE)]
        for batch in batches(self._known(KeyList()), _BATCH):
            check()
            keys = [entry.key for entry in batch if entry.key not in last]
            self._lake.delete_all(keys)
            yield keys
        # what killed writers left half written would keep the folder
        self._lake.sweep(self._name, older=timedelta(0))
        yield [key for key in last if self._lake.delete(key)]
        self._lake.prune_tree(self._name)
        log.info("removed the dataset %s from %s", self._name, self._lake.uri)


def _leases(dataset: Location, settings: Settings) -> Leases:
    return Leases(dataset, timeout=settings.lock_timeout, lease_seconds=settings.lease_seconds)


def dataset_heaps(
    lake: Location,
    live: Sequence[str],
    deleted: Sequence[str],
    settings: Settings,
    spool: Spool,
    *,
    names: Collection[str] | None,
    without: Collection[str],
) -> list[DatasetHeap | DeletedHeap]:
    """
    The datasets of a lake as heaps, all or some; what the archives of some have is looked for in all of them.

    It is kept in the spool.
    """
    clock = Clock(lake)
    chosen = [name for name in live if (names is None or name in names) and name not in without]
    orphans = {name: find_orphans(lake, name, clock, spool) for name in chosen}
    contents = Checksums(chain.from_iterable(found.checksums() for found in orphans.values()))
    references: References | None = References(lake, [*live, *deleted], settings, contents)
    try:
        if references is not None:
            references.find()
    except LakehouseError as exc:
        log.warning("nothing is deleted from the archives, as it cannot be told what is needed: %s", exc)
        references = None
    return [
        *(DatasetHeap(lake, name, settings, orphans[name], references) for name in chosen),
        *(DeletedHeap(lake, name, settings) for name in deleted if names is None or name in names),
    ]
