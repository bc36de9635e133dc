"""Where each value of an entity comes from, and what became of those that do not count any more."""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal

from lakehouse_assets.errors import NotFound
from lakehouse_assets.model.times import iso_z
from lakehouse_assets.operations.names import check_prop
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.canonical import canonical_rows
from lakehouse_assets.statements.history import UNTIL, Commit, History, Past
from lakehouse_assets.statements.store import StatementStore

log = logging.getLogger(__name__)

State = Literal["counts", "superseded", "deleted", "removed"]
Row = dict[str, Any]

FileNames = Callable[[str], Sequence[str]]
"""The paths of an archived file, by its checksum."""

_CRAWL = "crawl"
_MAPPING = "mapping:"
_CLAIM = (s.BUCKET, s.ORIGIN, s.ID, s.ROLE, s.FRAGMENT)
_EMISSION = (s.BUCKET, s.ORIGIN, s.PROP, s.FRAGMENT, s.ROLE)


@dataclass(frozen=True)
class Tombstone:
    """A deletion of a claim, and whether it is the reason that the claim does not count now."""

    deleted_at: datetime
    hides: bool


@dataclass(frozen=True)
class Claim:
    """
    What one origin says, or said, in one role and fragment.

    `files` are the paths of the archived table that a mapping read, whose checksum is the `content_hash`.
    `state` tells what became of it: it `counts`, was `superseded` by a newer emission of its fragment, `deleted` by a
    tombstone, or `removed` from the table by another operation; `ended_at` tells when. `rows` is how many rows the
    table has of it now, `said` when it was said, as far as that is still known. `last_seen` is None when only the
    tombstone is left.
    """

    origin: str
    made_by: str | None
    content_hash: str | None
    files: Sequence[str]
    role: str | None
    fragment: str | None
    schema: str
    bucket: str
    first_seen: datetime
    last_seen: datetime | None
    original_value: str | None
    state: State
    ended_at: datetime | None
    ended_by: str | None
    tombstones: list[Tombstone]
    rows: int
    said: list[datetime]


@dataclass(frozen=True)
class ExplainedValue:
    """A value of a property, whether it counts, and who says so; claims that count come first."""

    prop: str
    prop_type: str | None
    value: str
    lang: str | None
    external: bool
    counts: bool
    claims: list[Claim]


@dataclass(frozen=True)
class KnownSince:
    """The version of the table from which on history is known; `complete` when nothing was before."""

    version: int
    at: datetime | None
    complete: bool


@dataclass(frozen=True)
class Explanation:
    """All that is known about an entity, by value. It is `deleted` when no statement about it counts."""

    dataset: str
    id: str
    schemata: list[str]
    deleted: bool
    known_since: KnownSince
    values: list[ExplainedValue]


def explain(
    store: StatementStore,
    dataset: str,
    entity_id: str,
    prop: str | None = None,
    *,
    file_names: FileNames = lambda _: (),
) -> Explanation:
    """
    Explain an entity, or one property of it; NotFound when nothing is known about it.

    `file_names` gives the paths of an archived file by its checksum.
    Without a property, the rows that stand for the entity itself are left out unless there are no others.
    """
    if prop is not None:
        check_prop(prop)
    past = _past(store, entity_id)
    if past is None or not len(past.rows):
        raise NotFound(_missing(dataset, entity_id, past))
    rows = _Rows(past, cache(file_names))
    wanted = _wanted(rows.all, prop)
    return Explanation(
        dataset=dataset,
        id=entity_id,
        schemata=sorted({row[s.SCHEMA] for row in rows.live.values() or rows.all}),
        deleted=not rows.live,
        known_since=KnownSince(past.known_since.version, past.known_since.at, past.complete),
        values=sorted(
            _values(rows, wanted),
            key=lambda value: (value.prop, not value.counts, value.value, value.lang or ""),
        ),
    )


def _past(store: StatementStore, entity_id: str) -> Past | None:
    """All that is known; read again on the newest version when a vacuum took a file meanwhile."""
    history = History(store.table)
    try:
        return history.of(entity_id)
    except NotFound as exc:
        log.info("reading the newest version: %s", exc)
        return history.of(entity_id)


class _Rows:
    """The rows of an entity: all that are known, and by claim those that count."""

    def __init__(self, past: Past, file_names: FileNames) -> None:
        import polars as pl

        self.file_names = file_names
        self.commits = past.commits
        self.all: list[Row] = past.rows.to_dicts()
        newest = past.rows.filter(pl.col(UNTIL).is_null())
        self.live: dict[tuple[Any, ...], Row] = {
            _key(row, _CLAIM): row
            # what counts is settled inside a bucket
            for of_bucket in newest.partition_by(s.BUCKET)
            for row in canonical_rows(of_bucket).iter_rows(named=True)
        }
        self._emissions: dict[tuple[Any, ...], set[datetime]] = defaultdict(set)
        for row in self.all:
            self._emissions[_key(row, _EMISSION)].add(row[s.LAST_SEEN])

    def superseded_at(self, row: Row) -> datetime | None:
        """When the next emission of the row's fragment came."""
        if not row[s.FRAGMENT]:
            return None
        later = [at for at in self._emissions[_key(row, _EMISSION)] if at > row[s.LAST_SEEN]]
        return min(later, default=None)


def _values(rows: _Rows, wanted: Sequence[Row]) -> Iterator[ExplainedValue]:
    by_value: dict[str, dict[tuple[Any, ...], list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in wanted:
        by_value[row[s.ID]][_key(row, _CLAIM)].append(row)
    for claims in by_value.values():
        first = next(iter(claims.values()))[0]
        told = [_claim(rows, key, of_claim) for key, of_claim in claims.items()]
        told.sort(
            key=lambda claim: (claim.state != "counts", claim.origin, claim.role or "", claim.fragment or "")
        )
        yield ExplainedValue(
            prop=first[s.PROP],
            prop_type=first[s.PROP_TYPE],
            value=first[s.VALUE],
            lang=first[s.LANG],
            external=first[s.EXTERNAL],
            counts=told[0].state == "counts",
            claims=told,
        )


def _claim(rows: _Rows, key: tuple[Any, ...], known: Sequence[Row]) -> Claim:
    now = [row for row in known if row[UNTIL] is None]
    winner = max(now or known, key=_rank)
    live = rows.live.get(key)
    said = [row for row in known if row[s.DELETED_AT] is None]
    newest = live or max(said, key=_rank, default=winner)
    state, ended_at, ended_by = _end(rows, live, winner, known)
    made_by, content_hash = _maker(newest[s.ORIGIN])
    stones = sorted({row[s.DELETED_AT] for row in known if row[s.DELETED_AT] is not None})
    original = newest[s.ORIGINAL_VALUE]
    return Claim(
        origin=newest[s.ORIGIN],
        made_by=made_by,
        content_hash=content_hash,
        files=rows.file_names(content_hash) if content_hash is not None else (),
        role=newest[s.ROLE],
        fragment=newest[s.FRAGMENT] or None,
        schema=newest[s.SCHEMA],
        bucket=newest[s.BUCKET],
        first_seen=live[s.FIRST_SEEN] if live else min(row[s.FIRST_SEEN] for row in known),
        last_seen=newest[s.LAST_SEEN] if said else None,
        original_value=original if original != newest[s.VALUE] else None,
        state=state,
        ended_at=ended_at,
        ended_by=ended_by,
        tombstones=[Tombstone(at, state == "deleted" and at == ended_at) for at in stones],
        rows=len(now),
        said=sorted({row[s.LAST_SEEN] for row in said}),
    )


def _end(
    rows: _Rows, live: Row | None, winner: Row, known: Sequence[Row]
) -> tuple[State, datetime | None, str | None]:
    """What became of a claim, when, and by what."""
    if live is not None:
        return "counts", None, None
    if winner[s.DELETED_AT] is not None:
        return "deleted", winner[s.DELETED_AT], "tombstone"
    later = rows.superseded_at(winner)
    if later is not None:
        return "superseded", later, f"fragment {winner[s.FRAGMENT]}"
    commit = rows.commits.get(max(row[UNTIL] for row in known), Commit(0, None, ""))
    return "removed", commit.at, f"{commit.operation or 'a commit'} (version {commit.version})"


def _rank(row: Row) -> tuple[float, datetime, bool, datetime]:
    """
    Newest last; of a tie the tombstone, and of these the one with the latest time.

    What left the table later outlived, or beat, what had left it before.
    """
    until, deleted = row[UNTIL], row[s.DELETED_AT]
    return (
        math.inf if until is None else until,
        row[s.LAST_SEEN],
        deleted is not None,
        deleted or row[s.LAST_SEEN],
    )


def _wanted(rows: Sequence[Row], prop: str | None) -> list[Row]:
    if prop is not None:
        return [row for row in rows if row[s.PROP] == prop]
    values = [row for row in rows if row[s.PROP] != s.BASE_PROP]
    return values or list(rows)


def _maker(origin: str) -> tuple[str | None, str | None]:
    """Whether an origin names a mapping, and of which file, or the crawl."""
    if origin.startswith(_MAPPING):
        return "mapping", origin.removeprefix(_MAPPING)
    return (_CRAWL, None) if origin == _CRAWL else (None, None)


def _key(row: Row, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _missing(dataset: str, entity_id: str, past: Past | None) -> str:
    if past is None:
        return f"no entity {entity_id} in {dataset}; nothing has been imported yet"
    if past.complete:
        return f"no entity {entity_id} in {dataset}; no version of its statements ever named it"
    known = past.known_since
    when = f" of {iso_z(known.at)}" if known.at else ""
    return f"no entity {entity_id} in {dataset}; history is known from version {known.version}{when} on"
