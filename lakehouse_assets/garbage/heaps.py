"""Datasets as garbage is collected from them: those that are there, and those that were deleted."""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData, LakehouseError
from lakehouse_assets.garbage.blobs import Orphans, find_orphans, remove_contents, restore
from lakehouse_assets.garbage.leftovers import entries_of, unknown_files, unneeded
from lakehouse_assets.garbage.references import References
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.deletions import begin_removal, is_being_removed
from lakehouse_assets.storage.files import Entry
from lakehouse_assets.storage.garbage import UNFINISHED, Clock, Look
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

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
    """The files of a dataset that is there; `references` is told of its orphans before they are looked at."""

    def __init__(self, lake: Location, name: str, settings: Settings, orphans: Orphans) -> None:
        self.name = f"datasets/{name}"
        self._lake = lake
        self._dataset = lake / name
        self._lead = f"{name}/"
        self._settings = settings
        self._orphans = orphans
        self._leases = _leases(self._dataset, settings)
        self._clock = Clock(lake)
        self.references: References | None = None

    def look(self, clock: Clock) -> Look:
        """Contents that nobody names, and what is left over."""
        self._clock = clock
        named = self._named()
        entries = [
            entry
            for checksum, files in sorted(self._orphans.files.items())
            if checksum not in named
            for entry in files
        ]
        for entry in entries_of(self._dataset, self._left_over()):
            if clock.is_old(entry):
                entries.append(replace(entry, key=self._lead + entry.key))
        unknown = [self._lead + key for key in unknown_files(self._dataset)]
        return Look(entries, [*self._orphans.unknown, *unknown])

    def sweep(self, entries: Sequence[Entry], check: Callable[[], None]) -> list[str]:
        """Delete those of some files that are needless still, and what killed writers left half written."""
        restore(self._dataset, self._orphans.wanted | (self._orphans.aside & self._named()))
        due = {entry.key[len(self._lead) :]: entry for entry in entries}
        contents: dict[str, list[str]] = defaultdict(list)
        others = []
        for key in due:
            if key.startswith(f"{layout.ARCHIVE}/"):
                contents[key.split("/")[-2]].append(key)
            else:
                others.append(key)
        deleted = remove_contents(
            self._dataset, contents, leases=self._leases, needed=self._named, check=check
        )
        deleted += self._remove_others({key: due[key] for key in others})
        self._dataset.sweep(older=UNFINISHED)
        return [self._lead + key for key in deleted]

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

    def _named(self) -> set[str]:
        if self.references is None:
            # what is named cannot be told, so all of it counts as named
            return {*self._orphans.files, *self._orphans.aside}
        return self.references.find()


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
        known, unknown = self._files()
        self._count = len(known)
        return Look(known, unknown)

    def sweep(self, entries: Sequence[Entry], check: Callable[[], None]) -> list[str]:
        """Delete them if all of them are due, or if that was begun already."""
        going = is_being_removed(self._lake, self._name)
        if not going and (not entries or len(entries) < self._count or self._leases.marks(layout.STAGING)):
            return []
        check()
        if not going:
            with self._leases.exclusive("gc"):
                going = begin_removal(self._lake, self._name)
        if not going:
            return []
        keys = [entry.key for entry in self._files()[0]]
        # what tells that they go goes last
        last = [f"{self._name}/{key}" for key in (layout.CONFIG, layout.PIPELINE)]
        self._lake.delete_all([key for key in keys if key not in last])
        # what killed writers left half written would keep the folder
        self._lake.sweep(self._name, older=timedelta(0))
        for key in last:
            self._lake.delete(key)
        self._lake.prune_tree(self._name)
        log.info("removed the dataset %s from %s", self._name, self._lake.uri)
        return keys

    def _files(self) -> tuple[list[Entry], list[str]]:
        known, unknown = [], []
        for entry in self._lake.entries(self._name):
            key = entry.key[len(self._name) + 1 :]
            if key in _FILES or key.partition("/")[0] in _FOLDERS:
                known.append(entry)
            else:
                unknown.append(entry.key)
        return known, unknown


def _leases(dataset: Location, settings: Settings) -> Leases:
    return Leases(dataset, timeout=settings.lock_timeout, lease_seconds=settings.lease_seconds)


def dataset_heaps(
    lake: Location,
    live: Sequence[str],
    deleted: Sequence[str],
    settings: Settings,
    names: Collection[str] | None,
    without: Collection[str],
) -> list[DatasetHeap | DeletedHeap]:
    """The datasets of a lake as heaps, all or some; what the archives of some have is looked for in all of them."""
    clock = Clock(lake)
    chosen = [name for name in live if (names is None or name in names) and name not in without]
    orphans = {name: find_orphans(lake, name, clock) for name in chosen}
    candidates = {checksum for found in orphans.values() for checksum in {*found.files, *found.aside}}
    references: References | None = References(lake, [*live, *deleted], settings, candidates)
    try:
        if references is not None:
            references.find()
    except LakehouseError as exc:
        log.warning("nothing is deleted from the archives, as it cannot be told what is needed: %s", exc)
        references = None
    heaps: list[DatasetHeap | DeletedHeap] = []
    for name in chosen:
        heap = DatasetHeap(lake, name, settings, orphans[name])
        heap.references = references
        heaps.append(heap)
    return [
        *heaps,
        *(DeletedHeap(lake, name, settings) for name in deleted if names is None or name in names),
    ]
