"""
Removing what nobody needs any more, in two steps.

The first call that finds a file needless writes it down, in a mark; a later one deletes it, if it was marked long
enough ago, is still the same file, and needless still. Nothing is moved meanwhile, so no reader ever misses a file.
What is needed again drops out of the marks. How old something is says the store's own clock, so that clocks of
machines that go wrong do not matter.
"""

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Protocol

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.times import micros, now_utc
from lakehouse_assets.storage.file_leases import FileLeases
from lakehouse_assets.storage.files import Entry
from lakehouse_assets.storage.garbage_marks import Due, Found, Gone, Mark, Marks
from lakehouse_assets.storage.key_list import KeyList
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.spool import Rows, Spool

log = logging.getLogger(__name__)

GRACE = timedelta(days=7)
"""How long files stay that nobody needs."""

UNFINISHED = timedelta(hours=24)
"""So old is a file that nothing names before it counts as left behind: no write takes longer."""

_PATIENCE = 60.0
_LEASE_SECONDS = 120.0


@dataclass(frozen=True)
class Collected:
    """The files that were deleted (or would be), those that were marked to be, and those that nobody knows."""

    deleted: KeyList = field(default_factory=KeyList)
    marked: KeyList = field(default_factory=KeyList)
    unknown: KeyList = field(default_factory=KeyList)
    bytes: int = 0


@dataclass(frozen=True)
class Marked:
    """The files that were marked now, how many were before, the bytes of all of them, and files that nobody knows."""

    marked: KeyList = field(default_factory=KeyList)
    before: int = 0
    bytes: int = 0
    unknown: KeyList = field(default_factory=KeyList)


@dataclass(frozen=True)
class Look:
    """
    What was found: files that nobody needs, in the order of their keys, and files that nobody knows.

    The latter are complete when the former were gone through. `scope` says in which folders it was looked, None for all
    that belong to the heap.
    """

    needless: Iterable[Entry] = ()
    unknown: KeyList = field(default_factory=KeyList)
    scope: tuple[str, ...] | None = None

    def covers(self, key: str) -> bool:
        """Whether it was looked at this file."""
        return self.scope is None or any(key.startswith(f"{folder}/") for folder in self.scope)


class Clock:
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

    def is_old(self, entry: Entry, age: timedelta = UNFINISHED) -> bool:
        """Whether a file is as it is for so long; by default so long that nobody is about to name it."""
        return self.now - entry.modified >= age

    def of(self, when: datetime) -> datetime:
        """What the store's clock said at a time of ours."""
        return self.now - (now_utc() - when)


class Heap(Protocol):
    """A part of a lake in which files can become needless; `name` tells its marks from others."""

    name: str

    def look(self, clock: Clock) -> Look:
        """What nobody needs now."""

    def sweep(self, due: Due, check: Callable[[], None]) -> Iterator[Sequence[str]]:
        """
        Delete those of some files that are needless still, and mend what a killed call left; gives the keys by and by.

        `check` raises when somebody else collects garbage by now.
        """


def collect(
    root: Location,
    heaps: Iterable[Heap],
    *,
    grace: timedelta = GRACE,
    before: datetime | None = None,
    dry_run: bool = False,
    temp_directory: str | None = None,
) -> Collected:
    """
    Mark what nobody needs, and delete what was marked longer than `grace` ago; with `dry_run` only tell.

    Nothing that was written since `before` is deleted. What is found is kept in `temp_directory`, by default the
    system's, if it is much.
    """
    way = _Way(grace, before, dry_run=dry_run, temp_directory=temp_directory)
    return _collected(_each(root, heaps, way))


def mark(root: Location, heaps: Iterable[Heap], *, temp_directory: str | None = None) -> Marked:
    """Mark what nobody needs, and delete nothing."""
    told = _each(root, heaps, _Way(GRACE, sweeps=False, temp_directory=temp_directory))
    return Marked(told.marked, told.waiting - len(told.marked), told.bytes_waiting, told.unknown)


def sweep(
    root: Location,
    heaps: Iterable[Heap],
    *,
    grace: timedelta = GRACE,
    before: datetime | None = None,
    temp_directory: str | None = None,
) -> Collected:
    """Delete what was marked longer than `grace` ago and is needless still, and mark nothing."""
    way = _Way(grace, before, marks=False, temp_directory=temp_directory)
    return _collected(_each(root, heaps, way))


def _collected(told: "_Told") -> Collected:
    return Collected(told.deleted, told.marked, told.unknown, told.bytes_deleted)


def as_grace(grace: timedelta | float | None) -> timedelta:
    """A time of grace: seconds, a span, or None for the usual one."""
    span = GRACE if grace is None else grace if isinstance(grace, timedelta) else timedelta(seconds=grace)
    if span < timedelta(0):
        msg = f"a time of grace cannot be negative: {span}; give 0 to delete what was marked before"
        raise InvalidData(msg)
    return span


@dataclass
class _Way:
    """What is to be done with what is found."""

    grace: timedelta
    before: datetime | None = None
    dry_run: bool = False
    marks: bool = True
    sweeps: bool = True
    temp_directory: str | None = None


@dataclass
class _Told:
    """What was done; `waiting` and `bytes_waiting` count what is marked at the end."""

    deleted: KeyList
    marked: KeyList
    unknown: KeyList
    bytes_deleted: int = 0
    waiting: int = 0
    bytes_waiting: int = 0


def _each(root: Location, heaps: Iterable[Heap], way: _Way) -> _Told:
    as_grace(way.grace)
    deleted, marked, unknown = (KeyList(temp_directory=way.temp_directory) for _ in range(3))
    clock, told = Clock(root), _Told(deleted, marked, unknown)
    with _alone(root, way) as check:
        for heap in heaps:
            _one(root, heap, clock, way, check, told)
    log.info(
        "%s: %s files deleted, %s marked, %s unknown%s",
        root.uri, len(told.deleted), len(told.marked), len(told.unknown), ", dry run" if way.dry_run else "",
    )  # fmt: skip
    return told


def _one(root: Location, heap: Heap, clock: Clock, way: _Way, check: Callable[[], None], told: _Told) -> None:
    limit = micros(clock.now - way.grace)
    young = micros(clock.of(way.before)) if way.before is not None else None

    def is_due(found: Found) -> bool:
        is_old = way.sweeps and found.since is not None and found.since <= limit
        return is_old and (young is None or found.modified < young)

    with closing(Spool(way.temp_directory)) as spool:
        look, marks, found = heap.look(clock), Marks(root, heap.name), Rows(spool, Found)
        found.extend(marks.beside(look.needless, look.covers, told.unknown))
        told.unknown.extend(look.unknown)
        due, gone = Due(found, is_due), Gone(way.temp_directory)
        if way.dry_run:
            gone.add(entry.key for entry in due)
        elif way.sweeps:
            for keys in heap.sweep(due, check):
                gone.add(keys)
        fresh, kept = _tell(found, gone, way, told)
        if not way.dry_run and (fresh or kept != marks.count):
            since = micros(clock.now)
            marks.write(
                Mark(each.key, each.since or since, each.modified)
                for each, is_gone in gone.beside(found)
                if not is_gone and (each.since is not None or way.marks)
            )


def _tell(found: Iterable[Found], gone: Gone, way: _Way, told: _Told) -> tuple[int, int]:
    """Add up what was done; gives how many files are to be marked, and how many stay so."""
    fresh = kept = 0
    told.deleted.extend(gone.keys())
    for each, is_gone in gone.beside(found):
        size = each.size or 0
        if is_gone:
            told.bytes_deleted += size
        elif each.since is not None:
            kept += 1
            told.bytes_waiting += size
        elif way.marks:
            fresh += 1
            told.marked.append(each.key)
            told.bytes_waiting += size
    told.waiting += kept + fresh
    return fresh, kept


@contextmanager
def _alone(root: Location, way: _Way) -> Iterator[Callable[[], None]]:
    """Be the only one who collects garbage here; a dry run may be beside others."""
    if way.dry_run:
        yield lambda: None
        return
    leases = FileLeases(
        root, timeout=_PATIENCE, lease_seconds=_LEASE_SECONDS, advice=f"remove {layout.LAKE_GC_LOCK}"
    )
    with leases.hold(layout.LAKE_GC_LOCK, name="gc", reason="collects garbage") as lease:
        yield lease.check
