"""
Removing what no collection needs any more, in two steps.

The first call that finds a file needless writes it down, in a mark; a later one deletes it, if that mark is old enough
and the file is needless still. Nothing is moved, so no reader ever misses a file. Needless are the files of versions
that were trimmed away and of collections that were deleted, and what writers left that were killed. How old something
is says the store's own clock, so that clocks of machines that go wrong do not matter.
"""

import json
import logging
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from lakehouse_assets import layout
from lakehouse_assets.collections.log import LINEAGE, LOG, DeltaLog
from lakehouse_assets.collections.registry import Entry, Registry
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.files import Entry as FileEntry
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

GRACE = timedelta(days=7)
"""How long files stay that nobody needs."""

UNFINISHED = timedelta(hours=24)
"""So old is a file that no version knows before it counts as left behind: no write takes longer."""

_DATA = re.compile(r"[0-9a-f]{32}\.parquet")
_UID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Collected:
    """The files that were deleted (or would be), those that were marked to be, and those that nobody knows."""

    deleted: tuple[str, ...] = ()
    marked: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    bytes: int = 0


@dataclass(frozen=True)
class _Found:
    needless: dict[str, int]
    unknown: list[str]
    gone: list[Entry]


class _Clock:
    """The time of now by the store's clock, asked for once."""

    def __init__(self, root: Location) -> None:
        self._root = root

    @cached_property
    def now(self) -> datetime:
        """The time that the store gives a file that is written now."""
        key = f"{layout.LAKE_GC}/clock-{uuid.uuid4().hex}"
        self._root.write(key, b"")
        now = self._root.modified(key)
        self._root.delete(key)
        return now or now_utc()

    def is_old(self, entry: FileEntry) -> bool:
        """Whether a file is so old that nobody is about to commit it."""
        return self.now - entry.modified >= UNFINISHED


def collect(
    root: Location, registry: Registry, *, grace: timedelta = GRACE, dry_run: bool = False
) -> Collected:
    """Mark what nobody needs, and delete what was marked longer than `grace` ago; with `dry_run` only tell."""
    if grace < timedelta(0):
        msg = f"a time of grace cannot be negative: {grace}; give 0 to delete what was marked before"
        raise InvalidData(msg)
    found = _needless(root, registry)
    marks = list(_marks(root))
    old = {key for age, keys, _ in marks if age >= grace.total_seconds() for key in keys}
    known = {key for _, keys, _ in marks for key in keys}
    delete = sorted(key for key in found.needless if key in old)
    mark = sorted(key for key in found.needless if key not in known)
    size = sum(found.needless[key] for key in delete)
    if not dry_run:
        _delete(root, registry, delete, found.gone)
        if mark:
            root.write(
                f"{layout.LAKE_GC}/collections-{uuid.uuid4().hex}.json", json.dumps({"keys": mark}).encode()
            )
        _forget_marks(root, marks, set(found.needless) - set(delete))
    log.info(
        "%s: %s files deleted, %s marked, %s unknown", root.uri, len(delete), len(mark), len(found.unknown)
    )
    return Collected(tuple(delete), tuple(mark), tuple(found.unknown), size)


def _needless(root: Location, registry: Registry) -> _Found:
    """What nobody needs now, by size; and the files that nobody knows."""
    needless: dict[str, int] = {}
    unknown: list[str] = []
    clock = _Clock(root)
    # the folders first: one that is made after that look is not among them
    folders = root.folders(layout.LAKE_COLLECTIONS)
    entries = {entry.path: entry for entry in registry.entries()}
    gone = []
    for name in folders:
        path = f"{layout.LAKE_COLLECTIONS}/{name}"
        entry = entries.get(path)
        if entry is not None and entry.is_live:
            some, others = _in_table(root, path, clock)
        elif entry is not None or _UID.fullmatch(name):
            some, others = _in_folder(root, path, clock, deleted=entry is not None)
            gone += [entry] if entry is not None else []
        else:
            some, others = {}, [found.key for found in root.entries(path)]
        needless |= some
        unknown += others
    some, others = _in_table(root, layout.LAKE_REGISTRY, clock)
    return _Found(needless | some, unknown + others, gone)


def _in_table(root: Location, path: str, clock: _Clock) -> tuple[dict[str, int], list[str]]:
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
        return {}, []
    needed = set(first.files) | set(newest.files) | {file.key for commit in commits for file in commit.added}
    needless, unknown = {}, []
    for entry in listed:
        key = entry.key[len(path) + 1 :]
        if key in needed:
            continue
        if key in dropped or (_DATA.fullmatch(key) and clock.is_old(entry)):
            needless[entry.key] = entry.size
        elif not _DATA.fullmatch(key) and key != LINEAGE:
            unknown.append(entry.key)
    return needless, unknown


def _in_folder(
    root: Location, path: str, clock: _Clock, *, deleted: bool
) -> tuple[dict[str, int], list[str]]:
    """All files of a collection that was deleted, or that was never finished to be made."""
    needless, unknown = {}, []
    for entry in root.entries(path):
        key = entry.key[len(path) + 1 :]
        if not (_DATA.fullmatch(key) or key.startswith(f"{LOG}/") or key == LINEAGE):
            unknown.append(entry.key)
        elif deleted or clock.is_old(entry):
            needless[entry.key] = entry.size
    return needless, unknown


def _delete(root: Location, registry: Registry, keys: Sequence[str], gone: Iterable[Entry]) -> None:
    """Delete files; a collection of which some go is forgotten first, unless somebody brought it back."""
    touched = {entry.uid for entry in gone if any(key.startswith(f"{entry.path}/") for key in keys)}
    if touched:

        def edit(entries: list[Entry]) -> list[Entry]:
            return [entry for entry in entries if entry.is_live or entry.uid not in touched]

        kept = [entry.path for entry in registry.change(edit, operation="GC") if entry.uid in touched]
        keys = [key for key in keys if not any(key.startswith(f"{path}/") for path in kept)]
    # the log of a table goes last: without it nobody would know what the rest was
    for key in sorted(keys, key=lambda key: (f"/{LOG}/" in key, key)):
        root.delete(key)


def _marks(root: Location) -> Iterator[tuple[float, list[str], str]]:
    """The marks of earlier calls: how old each is in seconds, what it marks, and its key."""
    for name in root.names(layout.LAKE_GC):
        if not (name.startswith("collections-") and name.endswith(".json")):
            continue
        key = f"{layout.LAKE_GC}/{name}"
        age, data = root.age(key), root.read_or_none(key)
        if age is not None and data is not None:
            yield age, json.loads(data)["keys"], key


def _forget_marks(root: Location, marks: Iterable[tuple[float, list[str], str]], left: set[str]) -> None:
    for _, keys, key in marks:
        if left.isdisjoint(keys):
            root.delete(key)


def as_grace(grace: timedelta | float | None) -> timedelta:
    """A time of grace: seconds, a span, or None for the usual one."""
    if grace is None:
        return GRACE
    return grace if isinstance(grace, timedelta) else timedelta(seconds=grace)
