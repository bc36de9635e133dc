"""The statement store of a dataset: import, delete, merge and canonical reads."""

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.errors import Conflict
from lakehouse_assets.settings import Settings
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.canonical import sort_rows
from lakehouse_assets.statements.datafiles import Partition, Step
from lakehouse_assets.statements.explode import Stamp
from lakehouse_assets.statements.flush import Flush, Flushed
from lakehouse_assets.statements.imports import Advance, BadLines, Imported, Inputs, Intake, Revive
from lakehouse_assets.statements.journal import Journal, new_token
from lakehouse_assets.statements.lines import BadLine
from lakehouse_assets.statements.past import PastTable
from lakehouse_assets.statements.ranges import RANGE_ROWS, ROW_BYTES
from lakehouse_assets.statements.reader import PartitionState, Reader
from lakehouse_assets.statements.replacing import check_replaceable, overtaking, replaced_rows
from lakehouse_assets.statements.revival import Revival
from lakehouse_assets.statements.stage import Staging
from lakehouse_assets.statements.table import StatementTable
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.tags import Tags

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

MERGE_TRIES = 5


@dataclass(frozen=True)
class Deleted:
    """What a delete did: how many entities and rows it marked, and which ids it did not find."""

    entities: int = 0
    rows: int = 0
    missing: tuple[str, ...] = ()


@dataclass
class Merged:
    """What a merge did, and to which partitions."""

    partitions: list[str] = field(default_factory=list)
    rows_before: int = 0
    rows_after: int = 0


class StatementStore:
    """
    All statements of a dataset.

    Example:
        >>> store.content_version()
        'none'
        >>> imported = store.import_lines([file_source("entities.ftm.json")], keep_bad=print)
        >>> for frame in store.reader.scan(): ...
    """

    def __init__(
        self,
        location: Location,
        *,
        dataset: str,
        settings: Settings,
        leases: Leases,
        tags: Tags,
        shards: int = 0,
    ) -> None:
        self._location = location
        self._dataset = dataset
        self._settings = settings
        self._leases = leases
        self._tags = tags
        self._shards = shards
        self.journal = Journal(location)
        self.table = StatementTable(location)
        self.reader = self._reader_of(self.table)

    def reader_at(self, version: int) -> Reader:
        """A reader of what the statements were at a version of the table, as long as its files lie there."""
        return self._reader_of(PastTable(self._location, version))

    def _reader_of(self, table: StatementTable) -> Reader:
        return Reader(
            table,
            leases=self._leases,
            temp_directory=self._settings.temp_directory,
            run_rows=self._run_rows,
        )

    @property
    def _run_rows(self) -> int:
        """How many unsorted rows may be in memory."""
        return max(RANGE_ROWS, self._settings.memory_bytes // ROW_BYTES)

    def content_version(self) -> str:
        """The version of what reads answer: `<table id>:<version>`, or `none` without a table."""
        return self.table.content_version()

    def import_lines(
        self,
        sources: Inputs,
        *,
        origin: str = s.DEFAULT_ORIGIN,
        trusted: bool = False,
        strict: bool = False,
        override_origin: bool = False,
        role: str | None = None,
        last_seen: datetime | None = None,
        replace: bool = False,
        replaced: Collection[str] = (),
        journal: bool = False,
        keep_bad: Callable[[str, int, BadLine], None] | None = None,
        progress: Callable[[Advance], None],
    ) -> Imported:
        """
        Import entities and statements in one commit: all of it is visible afterwards, or nothing.

        Bad lines go to `keep_bad` with the file's name and the line's number; with `strict`, or nobody to keep them,
        the first one ends it.
        With `replace`, tombstones hide what the origins of the input said and do not say any more; bad lines refuse it.
        The `replaced` origins are replaced whatever the input holds, be it nothing at all. With `journal` all of it
        waits in the journal, confirmed, until a flush makes it visible.
        """
        stamp = Stamp(
            dataset=self._dataset,
            origin=origin,
            now=datetime.now(UTC),
            override_origin=override_origin,
            role=role,
            last_seen=last_seen,
            shards=self._shards,
        )
        bad = BadLines(sources, keep_bad, strict=strict)
        # a flush asks for tombstones itself, as they may come before it
        revive: Revive = _unchanged if journal else Revival(self.reader, stamp.now).revive
        if replace or replaced:
            revive = _chained(overtaking(self.reader, stamp.now), revive)
        token = new_token() if journal else None
        with self.staging(token) as staging:
            intake = Intake(
                sources,
                stamp=stamp,
                trusted=trusted,
                on_bad=bad,
                revive=revive,
                temp_directory=self._settings.temp_directory,
                progress=progress,
            )
            imported = intake.stage(staging)
            if replace:
                check_replaceable(imported, bad)
            if replace or replaced:
                gone = replaced_rows(
                    self.reader, staging.place, staging.finish(), stamp.now, origins=replaced
                )
                for rows in gone:
                    staging.write(rows)
                    imported.deleted += len(rows)
            if token is not None:
                self._publish(staging, token)
            else:
                self.commit(staging)
        return imported

    def flush(self, *, progress: Callable[[int, int], None] | None = None) -> Flushed:
        """Move all that waits in the journal into the table, in one commit, exactly once."""
        if not self.journal.waiting():
            return Flushed()
        flush = Flush(
            self.journal,
            self,
            temp_directory=self._settings.temp_directory,
            run_rows=self._run_rows,
            progress=progress,
        )
        with self._leases.target(layout.JOURNAL):
            return flush.run()

    def delete(self, ids: Collection[str], *, origin: str | None = None) -> Deleted:
        """Hide entities, of all origins or one, from every read; a merge removes them after the grace period."""
        import polars as pl

        now = datetime.now(UTC)
        wanted = sorted(set(ids))
        rows = self.reader.entities(wanted)
        if origin is not None:
            rows = rows.filter(pl.col(s.ORIGIN) == origin)
        found = set(rows[s.ENTITY_ID].unique())
        missing = tuple(entity_id for entity_id in wanted if entity_id not in found)
        if not len(rows):
            return Deleted(missing=missing)
        stones = rows.with_columns(
            pl.max_horizontal(s.LAST_SEEN, pl.lit(now).cast(pl.Datetime("us", "UTC"))).alias(s.LAST_SEEN),
            pl.lit(now).cast(pl.Datetime("us", "UTC")).alias(s.DELETED_AT),
        )
        with self.staging() as staging:
            staging.write(sort_rows(stones))
            self.commit(staging)
        return Deleted(entities=len(found), rows=len(stones), missing=missing)

    def merge(self, *, force: bool = False, progress: Callable[[int, int], None] | None = None) -> Merged:
        """
        Rewrite partitions to the rows that count, sorted by entity id, one commit each.

        Only those that a merge would change, unless forced. Tombstones stay until their grace period is over.
        """
        merged = Merged()
        started = datetime.now(UTC)
        with self._leases.exclusive("merge") as lease:
            states = self.reader.partitions()
            dirty = [state for state in states if force or self.is_dirty(state)]
            total, before = sum(state.rows for state in dirty), 0
            for state in dirty:
                lease.check()
                tell = _Shifted(progress, before, total)
                rows_before, rows_after = self._merge_partition(state.partition, started, tell)
                merged.partitions.append(str(state.partition))
                merged.rows_before += rows_before
                merged.rows_after += rows_after
                before += state.rows
            for state in states:
                self._tag_partition(state.partition, "last_optimized", started)
            if states:
                self._tags.set(layout.TAG_STATEMENTS_OPTIMIZED, started)
                self.table.note_content_version()
            self._tags.set(layout.TAG_STATEMENTS_MERGED, started)
        return merged

    def is_dirty(self, state: PartitionState) -> bool:
        """Whether a merge would change a partition: rows to compare, or tombstones that may be over."""
        return not state.canonical or (state.tombstones > 0 and self._has_expired(state.partition))

    def _has_expired(self, partition: Partition) -> bool:
        import polars as pl

        limit = self._grace_limit(datetime.now(UTC))
        scan = self.reader.partition_rows(partition, [s.DELETED_AT])
        return any(bool(frame.select((pl.col(s.DELETED_AT) <= limit).any()).item()) for frame in scan)

    def _merge_partition(self, partition: Partition, started: datetime, tell: "_Shifted") -> tuple[int, int]:
        for _ in range(MERGE_TRIES):
            try:
                return self._try_merge(partition, started, tell)
            except Conflict as exc:
                log.info("merging %s again: %s", partition, exc)
        msg = f"partition {partition} was changed by another program {MERGE_TRIES} times while it was merged; try again"
        raise Conflict(msg)

    def _try_merge(self, partition: Partition, started: datetime, tell: "_Shifted") -> tuple[int, int]:
        import polars as pl

        snapshot = self.table.snapshot()
        files = snapshot.of(partition) if snapshot else []
        limit = self._grace_limit(started)
        before = after = 0
        with Staging(self.table.location) as staging:
            reader = self.reader.observed(tell)
            for rows in reader.partition_rows(partition, s.COLUMNS, snapshot=snapshot):
                rows = rows.filter(pl.col(s.DELETED_AT).is_null() | (pl.col(s.DELETED_AT) > limit))
                staging.write(rows)
                after += len(rows)
            before = sum(file.rows for file in files)
            staged = staging.finish()
            with staging.handing_over():
                self.table.replace(files, staged)
        return before, after

    def _grace_limit(self, now: datetime) -> datetime:
        return now - timedelta(days=self._settings.grace_period_days)

    @contextmanager
    def staging(self, token: str | None = None) -> Iterator[Staging]:
        """A place for new files of the table or a segment, marked so that no clean-up takes them for left-overs."""
        place = self.table.location if token is None else self.journal.place(token)
        with self._leases.mark(layout.STAGING, {"table": layout.STATEMENTS_TABLE}), Staging(place) as staging:
            yield staging

    def _publish(self, staging: Staging, token: str) -> None:
        files = staging.finish()
        if not files:
            return
        now = datetime.now(UTC)
        with staging.handing_over():
            self.journal.publish(token, files, at=now)
        # the very time of the segment: so a flush can tell whether another program's journal was written since
        self._tags.set(layout.TAG_JOURNAL_UPDATED, now)

    def commit(self, staging: Staging, *, step: Step | None = None) -> None:
        """Take the files of a staging into the table, in one commit; Conflict when it has this step already."""
        files = staging.finish()
        if not files:
            return
        if not self.table.exists():
            with self._leases.exclusive("create the table"):
                if not self.table.exists():
                    self.table.create()
        with self._leases.shared() as lease:
            # tags first: who dies in between leaves a merge too many, not one too few
            now = datetime.now(UTC)
            for file in files:
                self._tag_partition(file.partition, "last_updated", now)
            self._tags.set(layout.TAG_STATEMENTS_UPDATED, now)
            lease.check()
            with staging.handing_over():
                self.table.append(files, step=step)

    def _tag_partition(self, partition: Partition, event: str, when: datetime) -> None:
        self._tags.set(layout.partition_tag(partition.shard, partition.bucket, partition.origin, event), when)


@dataclass(frozen=True)
class _Shifted:
    """Tells of one partition's rows as part of all: those of the partitions before it count as done."""

    progress: Callable[[int, int], None] | None
    before: int
    total: int

    def __call__(self, done: int, _: int) -> None:
        if self.progress is not None:
            self.progress(self.before + done, self.total)


def _unchanged(rows: "pl.DataFrame") -> "pl.DataFrame":
    return rows


def _chained(*steps: Revive) -> Revive:
    def revive(rows: "pl.DataFrame") -> "pl.DataFrame":
        for step in steps:
            rows = step(rows)
        return rows

    return revive
