"""Canonical reads: what each statement is now, whether or not a merge has run."""

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from lakehouse_assets import layout
from lakehouse_assets.errors import NotFound, StorageError
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.canonical import KEY_COLUMNS, canonical_rows, sort_rows
from lakehouse_assets.statements.datafiles import DataFile, Partition, Snapshot
from lakehouse_assets.statements.footers import Footers, is_canonical
from lakehouse_assets.statements.ranges import (
    RANGE_ROWS,
    RUN_ROWS,
    Part,
    Range,
    open_parts,
    plan,
    read,
    select,
)
from lakehouse_assets.statements.settled import Settled, chosen, numbered
from lakehouse_assets.statements.table import StatementTable
from lakehouse_assets.storage.leases import Leases

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

T = TypeVar("T")

_LOOK_UPS = 100
"""Up to so many entities are looked up one by one, at some ms each."""

_HOLD_TRIES = 5


@dataclass(frozen=True)
class PartitionState:
    """One partition as it lies there: whether a merge would change it, and its physical size."""

    partition: Partition
    files: int
    rows: int
    bytes: int
    tombstones: int
    canonical: bool


Observer = Callable[[int, int], None]


class Pace(Protocol):
    """Says which ranges of a long scan need not be read, because what they give is known."""

    def begin(self, snapshot: Snapshot) -> None:
        """A scan of this version begins."""

    def leaves_out(self) -> bool:
        """Whether the next range need not be read; asked of each range, in the order of the scan."""


class Reader:
    """
    Reads the table at its newest version, range by range.

    A partition that is known to be canonical is read as it lies; only the others pay for comparing rows.
    """

    def __init__(
        self,
        table: StatementTable,
        *,
        leases: Leases | None = None,
        temp_directory: str | None = None,
        run_rows: int = RUN_ROWS,
    ) -> None:
        self.table = table
        self._leases = leases
        self.footers = Footers(table.location)
        self._temp_directory = temp_directory
        self._run_rows = run_rows
        self._shared: tuple[tuple[str, int], list[str]] | None = None
        self._settled: dict[tuple[str, int], Settled] = {}
        self._observer: Observer | None = None

    def observed(self, observer: "Observer") -> "Reader":
        """The same reader, which tells how far each scan is: rows read, and rows in all."""
        other = copy(self)
        other._observer = observer
        return other

    def scan(
        self,
        columns: Sequence[str] = tuple(s.COLUMNS),
        *,
        shards: Collection[str] | None = None,
        buckets: Collection[str] | None = None,
        origins: Collection[str] | None = None,
        among: "pl.Series | None" = None,
        keep_deleted: bool = False,
        pace: Pace | None = None,
    ) -> "Iterator[pl.DataFrame]":
        """
        All rows that count, with these columns: by (shard, bucket), inside by entity id, property and id.

        Only partitions of some shards, buckets and origins are read on request, and only what is near entities
        `among` some, whose ids come sorted.

        The rows of one entity in one bucket are never split over two frames. When a file is gone because somebody
        vacuumed, and nothing was given out yet, the read starts again once on the newest version. A scan that takes
        long leaves out what its `pace` says.
        """
        given = False
        for last_try in (False, True):
            try:
                with self._long_or_short() as (snapshot, is_long):
                    if snapshot is None:
                        return
                    by_bucket = _by_bucket(snapshot, shards, buckets, origins)
                    if pace is not None and is_long:
                        pace.begin(snapshot)
                    asked = pace if is_long else None
                    frames = self._scan(snapshot, by_bucket, columns, among, keep_deleted, asked)
                    for frame in frames if is_long else list(frames):
                        given = True
                        yield frame
            except NotFound:
                if last_try or given:
                    raise
                log.info("files of %s vanished, reading the newest version", self.table.location.uri)
                continue
            return

    @contextmanager
    def held(self) -> "Iterator[Snapshot | None]":
        """The newest version; a mark keeps vacuums off its files while the block reads them."""
        for _ in range(_HOLD_TRIES):
            snapshot = self.table.snapshot()
            with self._mark(snapshot):
                # a vacuum that did not see the mark began before it, so it leaves what is in the table now
                newest = self.table.snapshot()
                if newest is None or snapshot is None or newest.version == snapshot.version:
                    yield snapshot
                    return
        yield self.table.snapshot()

    @contextmanager
    def _mark(self, snapshot: Snapshot | None) -> Iterator[None]:
        with ExitStack() as stack:
            if snapshot is not None and self._leases is not None:
                details = {"table": snapshot.table_id, "version": str(snapshot.version)}
                try:
                    stack.enter_context(self._leases.mark(layout.READERS, details))
                except StorageError as exc:
                    # who may only read is read to all the same
                    log.debug("reading %s without a mark: %s", self.table.location.uri, exc)
            yield

    @contextmanager
    def _long_or_short(self) -> "Iterator[tuple[Snapshot | None, bool]]":
        """The newest version, and whether it takes long to read; if so it is held."""
        snapshot = self.table.snapshot()
        if snapshot is None or sum(file.rows for file in snapshot.files) <= RANGE_ROWS:
            yield snapshot, False
            return
        with self.held() as held:
            yield held, True

    def entities(self, ids: Collection[str], columns: Sequence[str] = tuple(s.COLUMNS)) -> "pl.DataFrame":
        """The rows of some entities that count, sorted; a few are looked up, many are found by reading everything."""
        import polars as pl

        if len(ids) > _LOOK_UPS:
            wanted = pl.Series(list(ids), dtype=pl.String).implode()
            frames = [rows.filter(pl.col(s.ENTITY_ID).is_in(wanted)) for rows in self.scan(_needed(columns))]
        else:
            frames = [rows for name in sorted(ids) for rows in _twice(partial(self._look_up, name, columns))]
        types = s.frame_schema()
        empty = pl.DataFrame(schema={name: types[name] for name in columns})
        return pl.concat([empty, *(rows.select(columns) for rows in frames)])

    def _look_up(self, entity_id: str, columns: Sequence[str]) -> "list[pl.DataFrame]":
        snapshot = self.table.snapshot()
        found = []
        for files in _by_bucket(snapshot).values() if snapshot else ():
            rows = self._between(files, entity_id, entity_id, _needed(columns))
            if len(rows):
                found.append(canonical_rows(rows))
        return found

    def between(self, first: str, last: str, columns: Sequence[str]) -> "pl.DataFrame":
        """The rows that count of all entities with ids from `first` to `last`: bucket by bucket, each sorted."""
        return _twice(partial(self._all_between, first, last, columns))

    def _all_between(self, first: str, last: str, columns: Sequence[str]) -> "pl.DataFrame":
        import polars as pl

        types = s.frame_schema()
        frames = [pl.DataFrame(schema={name: types[name] for name in columns})]
        snapshot = self.table.snapshot()
        for files in _by_bucket(snapshot).values() if snapshot else ():
            rows = self._between(files, first, last, _needed(columns))
            frames.append(canonical_rows(rows).select(columns))
        return pl.concat(frames)

    def tombstones(self, snapshot: Snapshot, first: str, last: str) -> "pl.DataFrame":
        """The tombstones that hide something now, of entities from `first` to `last`."""
        import polars as pl

        types = s.frame_schema()
        columns = [s.SHARD, s.BUCKET, *KEY_COLUMNS]
        frames = [pl.DataFrame(schema={name: types[name] for name in columns})]
        for files in _by_bucket(snapshot).values():
            rows = self._between(files, first, last, columns)
            rows = canonical_rows(rows, keep_deleted=True)
            frames.append(rows.filter(pl.col(s.DELETED_AT).is_not_null()))
        return pl.concat(frames)

    def partition_rows(
        self, partition: Partition, columns: Sequence[str], *, snapshot: Snapshot | None = None
    ) -> "Iterator[pl.DataFrame]":
        """The rows of one partition that count, tombstones included."""
        snapshot = snapshot or self.table.snapshot()
        files = snapshot.of(partition) if snapshot else []
        tick = self._ticker(files)
        yield from self._ranges(files, columns, tick, Settled(), clean=False, tombstones=True, keep=True)

    def raw_rows(self, partition: Partition, columns: Sequence[str]) -> "Iterator[pl.DataFrame]":
        """Every row of one partition as it lies there, by ranges of entity ids."""
        with self.held() as snapshot:
            yield from self.rows_of(snapshot.of(partition) if snapshot else [], columns)

    def rows_of(self, files: Sequence[DataFile], columns: Sequence[str]) -> "Iterator[pl.DataFrame]":
        """Every row of some files as it lies there, by ranges of entity ids; sorted by nothing else."""
        tick = self._ticker(files)
        with self.open(files) as parts:
            for wanted in plan(parts):
                yield read(wanted, columns)
                tick(wanted)

    def _between(
        self, files: Sequence[DataFile], first: str, last: str, columns: Sequence[str]
    ) -> "pl.DataFrame":
        """All rows of entities from `first` to `last`, found by the bounds of files and row groups."""
        import polars as pl

        near = [
            file
            for file in files
            if (file.first is None or file.first <= last) and (file.last is None or file.last >= first)
        ]
        parts = [Part(self.table.location, file.key, file.partition, self.footers.of(file)) for file in near]
        rows = read(select(parts, None, last, first=first), columns)
        return rows.filter(pl.col(s.ENTITY_ID).is_between(pl.lit(first), pl.lit(last)))

    def partitions(self) -> list[PartitionState]:
        """Every partition, and whether it is canonical."""
        snapshot = self.table.snapshot()
        return [self._state(snapshot, partition) for partition in snapshot.partitions] if snapshot else []

    def shared_ids(self) -> list[str]:
        """Ids of entities that have rows in more than one bucket, sorted; usually there are none."""
        return _twice(self._shared_ids)

    def _shared_ids(self) -> list[str]:
        with self._long_or_short() as (snapshot, _):
            if snapshot is None or len({file.partition.bucket for file in snapshot.files}) < 2:
                return []
            at = (snapshot.table_id, snapshot.version)
            if self._shared is None or self._shared[0] != at:
                self._shared = (at, self._find_shared(snapshot))
            return self._shared[1]

    def _find_shared(self, snapshot: Snapshot) -> list[str]:
        import polars as pl

        found: list[str] = []
        by_shard: dict[str, list[DataFile]] = defaultdict(list)
        for file in snapshot.files:
            by_shard[file.partition.shard].append(file)
        for files in by_shard.values():
            with self.open(files) as parts:
                for wanted in plan(parts, 8 * RANGE_ROWS):
                    ids = read(wanted, [s.ENTITY_ID, s.BUCKET]).unique()
                    found.extend(
                        ids.filter(pl.col(s.ENTITY_ID).is_duplicated())[s.ENTITY_ID].unique().to_list()
                    )
        return sorted(found)

    def _scan(
        self,
        snapshot: Snapshot,
        by_bucket: Mapping[tuple[str, str], Sequence[DataFile]],
        columns: Sequence[str],
        among: "pl.Series | None",
        keep_deleted: bool,
        pace: Pace | None,
    ) -> "Iterator[pl.DataFrame]":
        tick = self._ticker([file for files in by_bucket.values() for file in files])
        # what is remembered of a range is of the whole of it
        settled = self._settled_at(snapshot) if among is None else Settled()
        for files in by_bucket.values():
            clean = all(
                self._state(snapshot, partition).canonical for partition in {file.partition for file in files}
            )
            tombstones = any(file.tombstones != 0 for file in files)
            yield from self._ranges(
                files,
                columns,
                tick,
                settled,
                among,
                pace,
                clean=clean,
                tombstones=tombstones,
                keep=keep_deleted,
            )

    def _settled_at(self, snapshot: Snapshot) -> Settled:
        """What is known about the rows of a version; that of another is forgotten."""
        at = (snapshot.table_id, snapshot.version)
        if at not in self._settled:
            self._settled.clear()
        return self._settled.setdefault(at, Settled())

    def _ranges(
        self,
        files: Sequence[DataFile],
        columns: Sequence[str],
        tick: Callable[[Range], None],
        settled: Settled,
        among: "pl.Series | None" = None,
        pace: Pace | None = None,
        *,
        clean: bool,
        tombstones: bool,
        keep: bool,
    ) -> "Iterator[pl.DataFrame]":
        with self.open(files) as parts:
            for wanted in plan(parts):
                if pace is not None and pace.leaves_out():
                    tick(wanted)
                    continue
                if among is not None:
                    wanted = wanted.near(among)
                    if not wanted.slices:
                        continue
                if clean:
                    rows = _clean(wanted, columns, keep=keep or not tombstones)
                else:
                    rows = _compared(wanted, columns, settled, keep=keep)
                tick(wanted)
                if among is not None:
                    rows = rows.filter(rows[s.ENTITY_ID].is_in(among.implode()))
                if len(rows):
                    yield rows

    def open(self, files: Sequence[DataFile]) -> AbstractContextManager[list[Part]]:
        """Files as parts that can be read in ranges."""
        return open_parts(
            self.table.location,
            files,
            self.footers,
            temp_directory=self._temp_directory,
            run_rows=self._run_rows,
        )

    def _ticker(self, files: Sequence[DataFile]) -> Callable[[Range], None]:
        """Tells the observer of each range that was read; what lies on two sides of a cut may count twice."""
        total, done = sum(file.rows for file in files), 0

        def tick(wanted: Range) -> None:
            nonlocal done
            done += sum(group.rows for slice in wanted.slices for group in slice.groups)
            if self._observer is not None:
                self._observer(min(done, total), total)

        return tick

    def _state(self, snapshot: Snapshot, partition: Partition) -> PartitionState:
        files = snapshot.of(partition)
        return PartitionState(
            partition=partition,
            files=len(files),
            rows=sum(file.rows for file in files),
            bytes=sum(file.size for file in files),
            tombstones=sum(file.tombstones or 0 for file in files),
            canonical=is_canonical([self.footers.of(file) for file in files]),
        )


def _clean(wanted: Range, columns: Sequence[str], *, keep: bool) -> "pl.DataFrame":
    """The rows of a range that is canonical as it lies; with all their columns only where they must be sorted."""
    import polars as pl

    if keep and wanted.in_order:
        return read(wanted, columns)
    rows = read(wanted, _needed(columns))
    if not keep:
        rows = rows.filter(pl.col(s.DELETED_AT).is_null())
    return (rows if wanted.in_order else sort_rows(rows)).select(columns)


def _compared(wanted: Range, columns: Sequence[str], settled: Settled, *, keep: bool) -> "pl.DataFrame":
    """The rows of a range that count, by comparing them; once for all columns that are asked for later."""
    known = settled.find(wanted, keep=keep)
    if known is not None:
        return chosen(read(wanted, columns), known)
    rows = numbered(read(wanted, _needed(columns)))
    rows = canonical_rows(rows, keep_deleted=keep, in_order=wanted.in_order)
    settled.remember(wanted, rows, keep=keep)
    return rows.select(columns)


def _twice(read: Callable[[], T]) -> T:
    """What a read gives; a file that vanished is read again, once, in the newest version."""
    try:
        return read()
    except NotFound as exc:
        log.info("%s", exc)
        return read()


def _needed(columns: Sequence[str]) -> list[str]:
    return [*columns, *(name for name in KEY_COLUMNS if name not in columns)]


def _by_bucket(
    snapshot: Snapshot,
    shards: Collection[str] | None = None,
    buckets: Collection[str] | None = None,
    origins: Collection[str] | None = None,
) -> dict[tuple[str, str], list[DataFile]]:
    """Files by (shard, bucket), in that order."""
    found: dict[tuple[str, str], list[DataFile]] = defaultdict(list)
    for file in sorted(snapshot.files, key=lambda file: (file.partition, file.key)):
        at = file.partition
        asked = ((shards, at.shard), (buckets, at.bucket), (origins, at.origin))
        if all(names is None or name in names for names, name in asked):
            found[(at.shard, at.bucket)].append(file)
    return dict(sorted(found.items()))
