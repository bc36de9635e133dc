"""
The chain of differences of one export, from which nothing is ever missing and in which nothing stands twice.

An export leaves the digests of its lines. They are compared with those of the export that the chain has come to, and
the changed lines are written as a draft. Then the state is swapped for a new one: that is the moment from which the
difference counts, and only one of several programs can do it. Only then the draft is put into its place, where others
see it. Who is killed before the swap leaves nothing that counts; after it, the next run puts the draft into its place.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.diffs.compare import compare, their_changes
from lakehouse_assets.diffs.deltas import kept_differences, update_deltas
from lakehouse_assets.diffs.drafts import write_draft
from lakehouse_assets.diffs.kinds import DiffKind, Entry
from lakehouse_assets.diffs.work import unneeded_work
from lakehouse_assets.errors import Conflict
from lakehouse_assets.exports.base import DatasetView
from lakehouse_assets.exports.digests import read_table
from lakehouse_assets.model.deltas import Difference, DiffState
from lakehouse_assets.storage.compression import decompressing
from lakehouse_assets.storage.records import Written

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

_TICK = timedelta(microseconds=1)


class Chain:
    """
    The differences of one export of a dataset. Whoever advances it holds the lease of the export.

    Example:
        >>> chain = Chain(view, ENTITIES)
        >>> chain.advance(view.records.get("entities.ftm.json"), check=lease.check).last.added
        3
    """

    def __init__(self, view: DatasetView, kind: DiffKind) -> None:
        self._view = view
        self._location = view.location
        self._kind = kind
        self._key = layout.record(kind.target)

    def state(self) -> DiffState | None:
        """How far it has come; None while nothing was compared."""
        return DiffState.load(self._location.read_or_none(self._key))

    def stale(self, made: Written) -> str | None:
        """Why it has not come to this export, or not wholly; None when it has."""
        state, export = self.state(), self._kind.export
        if state is None:
            return f"{export} was never compared"
        if state.export != made.digest:
            return f"{export} changed since it was compared"
        if not self._is_settled(state):
            return f"an interrupted run left what changed in {export} to be put into its place"
        return None if self.has_digests(made) else f"the digests of the lines of {export} are gone"

    def has_digests(self, made: Written) -> bool:
        """Whether the digests of the lines of this export are there."""
        return self._location.exists(layout.diff_digests(self._kind.target, made.digest))

    def advance(self, made: Written, *, check: Callable[[], None], initial: bool = False) -> DiffState:
        """
        Come to an export, whose digests are there; `check` raises when that is not ours to do any more.

        The first time there is nothing to compare with, and no difference, unless an `initial` one is asked for that
        adds everything. Conflict when another program did the same meanwhile.
        """
        data = self._location.read_or_none(self._key)
        state = DiffState.load(data)
        if state is not None and not self._is_settled(state):
            self._publish(state)
        if state is not None and state.export == made.digest:
            return state
        new = self._next(state, made, initial=initial)
        check()
        if not self._commit(data, new):
            msg = f"another program compared {self._kind.export} meanwhile; nothing is lost, run it again"
            raise Conflict(msg)
        self._publish(new)
        return new

    def tidy(self, made: Written) -> None:
        """Remove digests of exports that nothing will be compared with, and what interrupted runs left."""
        for key in unneeded_work(self._location, self._kind, made):
            self._location.delete(key)

    def _next(self, state: DiffState | None, made: Written, *, initial: bool) -> DiffState:
        """The state after this export; the difference, if there is one, lies there as a draft."""
        kind, kept = self._kind, self._kept()
        earlier = [at + _TICK for at, _ in kept[-1:]] + ([state.at + _TICK] if state else [])
        at = max([made.written_at, *earlier])
        known = state is not None and self._location.exists(layout.diff_digests(kind.target, state.export))
        if state is not None and not known:
            log.warning("the digests of %s are gone: differences start anew", self._location.url(kind.export))
        last = state.last if state else None
        if known or (initial and state is None):
            last = self._difference(state, made, at) or last
        table, _, version = made.source.get("statements", "").rpartition(":")
        return DiffState(
            version=layout.stamp(at),
            since=state.since if state is not None and known else layout.stamp(at),
            export=made.digest,
            statements=made.source.get("statements", ""),
            current=f"{layout.stamp(made.written_at)}:{version if table else 0}",
            last=last,
        )

    def _difference(self, state: DiffState | None, made: Written, at: datetime) -> Difference | None:
        kind = self._kind
        before: Iterator[pl.DataFrame] = iter(())
        theirs = None
        if state is not None:
            before = read_table(self._location, layout.diff_digests(kind.target, state.export))
            theirs = their_changes(self._theirs(state))
        after = read_table(self._location, layout.diff_digests(kind.target, made.digest))
        changes = compare(before, after, kind.keys, theirs=theirs)
        draft = write_draft(self._view, kind, changes, path=made.path, at=at)
        if draft is None:
            return None
        compression = self._view.config.compression if kind.is_compressed else None
        return Difference(
            version=layout.stamp(at),
            kind=kind.name,
            previous=_previous(state),
            added=draft.added,
            modified=draft.modified,
            deleted=draft.deleted,
            path=layout.compressed(layout.diff(kind.target, at), compression),
            mime_type=kind.mime_type,
            size=draft.size,
            checksum=draft.checksum,
        )

    def _theirs(self, state: DiffState) -> Iterator[Entry]:
        """The entries of differences that another program wrote since."""
        for at, path in self._kept():
            if at > state.at:
                with self._location.open(path) as file:
                    yield from self._kind.form.read(decompressing(file, path))

    def _kept(self) -> list[tuple[datetime, str]]:
        """The differences that lie there, by time."""
        return kept_differences(self._location, self._kind)

    def _commit(self, old: bytes | None, state: DiffState) -> bool:
        data = state.to_bytes(self._kind.export)
        if old is None:
            return self._location.create(self._key, data)
        return self._location.swap(self._key, old, data)

    def _is_settled(self, state: DiffState) -> bool:
        told = self._view.tags.text(layout.current_tag(self._kind.target))
        is_told = told is not None and _time(told) >= _time(state.current)
        return is_told and not self._location.exists(layout.diff_draft(self._kind.target, state.at))

    def _publish(self, state: DiffState) -> None:
        """Put what the state counts into its place; doing it again does no harm."""
        kind, last = self._kind, state.last
        draft = layout.diff_draft(kind.target, state.at)
        if last is not None and last.version == state.version and self._location.exists(draft):
            self._location.move(draft, last.path)
        update_deltas(self._view)
        tags, current = self._view.tags, layout.current_tag(kind.target)
        told = tags.text(current)
        # last: as long as this tag is older, all of this is done again; ftm-lakehouse may have gone on since
        if told is None or _time(told) < _time(state.current):
            tags.set(kind.target, layout.parse_stamp(_time(state.current)))
            tags.set_text(current, state.current)


def _previous(state: DiffState | None) -> str | None:
    """The difference that the next one follows, or the first export of all; in between nothing changed."""
    if state is None:
        return None
    return max(state.since, state.last.version) if state.last is not None else state.since


def _time(current: str) -> str:
    """The time in the tag of a state."""
    return current.partition(":")[0]
