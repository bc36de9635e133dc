"""
Removing what nobody needs any more, in two steps.

The first call that finds a file needless writes it down, in a mark; a later one deletes it, if it was marked long
enough ago, is still the same file, and needless still. Nothing is moved meanwhile, so no reader ever misses a file.
What is needed again drops out of the marks. How old something is says the store's own clock, so that clocks of
machines that go wrong do not matter.
"""

import io
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple, Protocol

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.file_leases import FileLeases
from lakehouse_assets.storage.files import Entry
from lakehouse_assets.storage.location import Location

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

    deleted: tuple[str, ...] = ()
    marked: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    bytes: int = 0


@dataclass(frozen=True)
class Marked:
    """The files that were marked now, how many were before, the bytes of all of them, and files that nobody knows."""

    marked: tuple[str, ...] = ()
    before: int = 0
    bytes: int = 0
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Look:
    """
    What was found: files that nobody needs, and files that nobody knows.

    `scope` says in which folders it was looked, None for all that belong to the heap.
    """

    needless: Sequence[Entry] = ()
    unknown: Sequence[str] = ()
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

    def sweep(self, entries: Sequence[Entry], check: Callable[[], None]) -> list[str]:
        """
        Delete those of some files that are needless still, and mend what a killed call left; gives the keys.

        `check` raises when somebody else collects garbage by now.
        """


class _Mark(NamedTuple):
    """Since when a file is marked, and when it was last changed then; both in microseconds since 1970."""

    since: int
    modified: int


Marks = Mapping[str, _Mark]


def collect(
    root: Location,
    heaps: Sequence[Heap],
    *,
    grace: timedelta = GRACE,
    before: datetime | None = None,
    dry_run: bool = False,
) -> Collected:
    """
    Mark what nobody needs, and delete what was marked longer than `grace` ago; with `dry_run` only tell.

    Nothing that was written since `before` is deleted.
    """
    return _each(root, heaps, _Way(grace, before, dry_run=dry_run))


def mark(root: Location, heaps: Sequence[Heap]) -> Marked:
    """Mark what nobody needs, and delete nothing."""
    way = _Way(GRACE, None, sweeps=False)
    found = _each(root, heaps, way)
    return Marked(found.marked, way.waiting - len(found.marked), way.bytes, found.unknown)


def sweep(
    root: Location, heaps: Sequence[Heap], *, grace: timedelta = GRACE, before: datetime | None = None
) -> Collected:
    """Delete what was marked longer than `grace` ago and is needless still, and mark nothing."""
    return _each(root, heaps, _Way(grace, before, marks=False))


def as_grace(grace: timedelta | float | None) -> timedelta:
    """A time of grace: seconds, a span, or None for the usual one."""
    span = GRACE if grace is None else grace if isinstance(grace, timedelta) else timedelta(seconds=grace)
    if span < timedelta(0):
        msg = f"a time of grace cannot be negative: {span}; give 0 to delete what was marked before"
        raise InvalidData(msg)
    return span


@dataclass
class _Way:
    """What is to be done with what is found; `waiting` and `bytes` count what is marked at the end."""

    grace: timedelta
    before: datetime | None
    dry_run: bool = False
    marks: bool = True
    sweeps: bool = True
    waiting: int = 0
    bytes: int = 0


def _each(root: Location, heaps: Sequence[Heap], way: _Way) -> Collected:
    as_grace(way.grace)
    clock = Clock(root)
    parts = []
    with _alone(root, way) as check:
        for heap in heaps:
            parts.append(_one(root, heap, clock, way, check))
    found = Collected(
        tuple(key for part in parts for key in part.deleted),
        tuple(key for part in parts for key in part.marked),
        tuple(key for part in parts for key in part.unknown),
        sum(part.bytes for part in parts),
    )
    log.info(
        "%s: %s files deleted, %s marked, %s unknown%s",
        root.uri, len(found.deleted), len(found.marked), len(found.unknown), ", dry run" if way.dry_run else "",
    )  # fmt: skip
    return found


def _one(root: Location, heap: Heap, clock: Clock, way: _Way, check: Callable[[], None]) -> Collected:
    marks = _read(root, heap.name)
    look = heap.look(clock)
    kept = {
        entry.key: marks[entry.key]
        for entry in look.needless
        if entry.key in marks and marks[entry.key].modified == _micros(entry.modified)
    }
    limit = _micros(clock.now - way.grace)
    young = clock.of(way.before) if way.before is not None else None
    due = [
        entry
        for entry in look.needless
        if entry.key in kept
        and kept[entry.key].since <= limit
        and (young is None or entry.modified < young)
    ] if way.sweeps else []  # fmt: skip
    fresh = [entry for entry in look.needless if entry.key not in kept] if way.marks else []
    if way.dry_run:
        deleted = [entry.key for entry in due]
    else:
        deleted = heap.sweep(due, check) if way.sweeps else []
        gone = set(deleted)
        since = _micros(clock.now)
        left = {key: found for key, found in marks.items() if not look.covers(key)}
        left |= {key: found for key, found in kept.items() if key not in gone}
        left |= {entry.key: _Mark(since, _micros(entry.modified)) for entry in fresh if entry.key not in gone}
        if left != marks:
            _write(root, heap.name, left)
        way.waiting += len(left)
        way.bytes += sum(entry.size for entry in look.needless if entry.key in left)
    sizes = {entry.key: entry.size for entry in look.needless} if deleted else {}
    size = sum(sizes.get(key, 0) for key in deleted)
    return Collected(tuple(deleted), tuple(entry.key for entry in fresh), tuple(look.unknown), size)


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


def _read(root: Location, heap: str) -> dict[str, _Mark]:
    import polars as pl

    data = root.read_or_none(layout.gc_marks(heap))
    if data is None:
        return {}
    frame = pl.read_parquet(io.BytesIO(data))
    return {key: _Mark(since, modified) for key, since, modified in frame.iter_rows()}


def _write(root: Location, heap: str, marks: Marks) -> None:
    import polars as pl

    if not marks:
        root.delete(layout.gc_marks(heap))
        return
    keys = sorted(marks)
    columns = {
        "key": keys,
        "since": [marks[key].since for key in keys],
        "modified": [marks[key].modified for key in keys],
    }
    data = io.BytesIO()
    types = {"key": pl.String(), "since": pl.Int64(), "modified": pl.Int64()}
    pl.DataFrame(columns, schema=types).write_parquet(data)
    root.write(layout.gc_marks(heap), data.getvalue())


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
