"""One table: versions of files, and the rows in them."""

import logging
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import RLock
from typing import TYPE_CHECKING

from lakehouse_assets.collections.bounds import Interval, before_of, sorted_by, touched
from lakehouse_assets.collections.changes import Change
from lakehouse_assets.collections.commits import Commit, DataFile, Snapshot
from lakehouse_assets.collections.datafiles import DataFiles
from lakehouse_assets.collections.log import MOVED, DeltaLog
from lakehouse_assets.collections.schema import Schema
from lakehouse_assets.errors import Conflict
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

# a writer that is refused waits a little longer each time: a hundred writers at once all get through
_TRIES = 60
_PAUSE = 0.25


@dataclass(frozen=True)
class Revision:
    """
    A version of a collection that changed something.

    `at` (UTC) is later than that of all versions before. `rows` is how many rows were written, with those beside them
    in the same files.
    """

    version: int
    at: datetime
    operation: str
    series: tuple[str, ...]
    rows: int
    added: int
    removed: int


Before = datetime | Revision
"""A time, or a revision: what was there before it is meant."""


@dataclass
class _Staged:
    """Files that were written for a change of a series that had these files."""

    change: Change
    present: frozenset[str]
    remove: tuple[str, ...]
    add: tuple[DataFile, ...]


class Table:
    """The rows of a collection, by series and version."""

    def __init__(self, schema: Schema, location: Location, cache: Location | None = None) -> None:
        self.schema = schema
        self.log = DeltaLog(location, index=schema.first.name)
        self.files = DataFiles(schema, location, cache)
        self._lock = RLock()

    def snapshot(self, before: Before | None = None, version: int | None = None) -> Snapshot | None:
        """
        The newest version, the one of this number, or the last one before a time.

        None when there was none before that time, or none is kept; NotFound when there is none of that number.
        """
        if before is None:
            return self.log.snapshot() if version is None else self.log.at(version)
        if isinstance(before, Revision):
            found: int | None = before.version - 1
        else:
            found = self._version_before(before_of(before))
        return self.log.at(found) if found is not None and found >= self.log.first() else None

    def rows(
        self,
        snapshot: Snapshot | None,
        series: str,
        interval: Interval | None = None,
        columns: Sequence[str] | None = None,
        *,
        backwards: bool = False,
        at_once: bool = False,
    ) -> "Iterator[pl.DataFrame]":
        """
        Frames of the rows of a series in a version, in the order of their index; backwards the last frame first.

        The first frames are small, as they may be all that is wanted, unless all are wanted `at_once`.
        """
        if snapshot is None:
            return
        found = snapshot.of(series)
        if interval is not None:
            found = touched(self.schema, found, [interval])
        if not found:
            return
        ordered = sorted_by(self.schema, found) if backwards else None
        if ordered is not None:
            yield from (self.files.read(file, interval, columns) for file in reversed(ordered))
        else:
            yield from self.files.read_all(found, interval, columns, at_once=at_once)

    def apply(
        self,
        changes: Sequence[Change],
        *,
        operation: str = "WRITE",
        info: Mapping[str, object] | None = None,
        data_change: bool = True,
    ) -> Revision | None:
        """
        Commit changes of different series as one version; None when nothing would change.

        What others commit meanwhile stays: the changes are made to the version that is there then. Conflict when others
        never stop.
        """
        staged: dict[str, _Staged] = {}
        with self._lock:
            for attempt in range(_TRIES):
                base = self._base()
                made = [found for change in changes if (found := self._staged(change, base, staged))]
                if not made:
                    return None
                told = {**(info or {}), "series": [each.change.series for each in made]}
                try:
                    commit = self.log.commit(
                        base,
                        add=[file for each in made for file in each.add],
                        remove=[key for each in made for key in each.remove],
                        operation=operation,
                        info=told,
                        data_change=data_change,
                    )
                except Conflict as exc:
                    log.debug("commit %s: %s", attempt + 1, exc)
                    time.sleep(random.uniform(0, min(_PAUSE, 0.005 * 2**attempt)))
                    continue
                return revision_of(commit)
        msg = f"{self.log.location.uri} was changed by others {_TRIES} times meanwhile; nothing was written, try again"
        raise Conflict(msg)

    def restore(self, target: Snapshot) -> Revision | None:
        """Commit the files of an earlier version as the newest one; None when it has the same."""
        for _ in range(_TRIES):
            base = self._base()
            add = [file for key, file in target.files.items() if key not in base.files]
            remove = [key for key in base.files if key not in target.files]
            if not add and not remove:
                return None
            try:
                info = {"restoredVersion": target.version}
                return revision_of(
                    self.log.commit(base, add=add, remove=remove, operation="RESTORE", info=info)
                )
            except Conflict:
                time.sleep(random.uniform(0, _PAUSE))
        msg = f"{self.log.location.uri} is changed by others all the time; nothing was restored, try again"
        raise Conflict(msg)

    def revisions(self, series: str | None = None) -> list[Revision]:
        """All versions that changed something, the oldest first; of one series those that changed it."""
        names: dict[str, str | None] = {}
        found = []
        for commit in self.log.commits():
            names |= {file.key: file.series for file in commit.added}
            told = revision_of(commit, names)
            if (commit.added or commit.removed) and (series is None or series in told.series):
                found.append(told)
        return found

    def _base(self) -> Snapshot:
        """The version to commit on; Conflict when the collection has gone on elsewhere."""
        base = self.log.snapshot()
        if self.log.operation(base.version) == MOVED:
            msg = f"a pull has merged {self.log.location.uri} into a new table; open the collection (or pull) again"
            raise Conflict(msg)
        return base

    def _version_before(self, at: datetime) -> int | None:
        found, latest = None, None
        for commit in self.log.commits():
            # of clocks that go wrong the one that goes fast counts
            latest = commit.at if latest is None else max(latest, commit.at)
            if latest >= at:
                break
            found = commit.version
        return found

    def _staged(self, change: Change, base: Snapshot, staged: dict[str, _Staged]) -> _Staged | None:
        """The files of a change, written once unless others changed its series meanwhile."""
        present = base.of(change.series)
        keys = frozenset(file.key for file in present)
        known = staged.get(change.series)
        if known is not None and known.present == keys:
            return known
        plan = change.plan(self.schema, self.files, present)
        if plan is None:
            return None
        added = self.files.write(plan.add, change.series)
        staged[change.series] = _Staged(change, keys, tuple(f.key for f in plan.remove), tuple(added))
        return staged[change.series]


def revision_of(commit: Commit, names: Mapping[str, str | None] | None = None) -> Revision:
    """What a commit did, with the names of the series that earlier files are of."""
    told = commit.info.get("series")
    series = {str(name) for name in told} if isinstance(told, list) else set()
    series |= {file.series for file in commit.added if file.series is not None}
    series |= {name for key in commit.removed if (name := (names or {}).get(key)) is not None}
    return Revision(
        commit.version,
        commit.at,
        str(commit.info.get("operation") or "WRITE"),
        tuple(sorted(series)),
        sum(file.rows or 0 for file in commit.added),
        len(commit.added),
        len(commit.removed),
    )
