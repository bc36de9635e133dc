"""
Flushing the journal: what waits there goes into the table in one commit, exactly once.

    1. the batch: a number, and the segments that it stands for; one file, exchanged as a whole
    2. data files beside those of the table: most are only given one more name
    3. the commit, which carries the number
    4. the segments are removed, and the batch says that it is done

Who dies on the way leaves a batch. The next flush sees by the table whether its number was committed: if so it goes on
with the fourth step, else with the second.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from lakehouse_assets.errors import Conflict, NotFound
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.canonical import canonical_rows
from lakehouse_assets.statements.datafiles import DataFile, Partition, StagedFile, Step
from lakehouse_assets.statements.footers import Footers
from lakehouse_assets.statements.journal import Journal, Slot, staged
from lakehouse_assets.statements.ranges import open_parts, plan, read
from lakehouse_assets.statements.reader import Reader
from lakehouse_assets.statements.revival import Revival
from lakehouse_assets.statements.stage import Staging
from lakehouse_assets.storage.parallel import in_parallel

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

APP = "lakehouse.journal"
"""The name under which the table keeps the number of the last batch (an application transaction of Delta)."""

LARGE = 16 << 20
"""A data file of so many bytes goes into the table as it is; smaller ones of a partition are put together."""

_TRIES = 5


class Target(Protocol):
    """The statements that a journal is flushed into."""

    reader: Reader

    def staging(self) -> AbstractContextManager[Staging]:
        """A place for new data files of the table."""

    def commit(self, staging: Staging, *, step: Step | None = None) -> None:
        """Take the files of a staging into the table, in one commit; Conflict when it has this step already."""


@dataclass
class Flushed:
    """What a flush moved: segments, and the rows and bytes of their files."""

    segments: int = 0
    rows: int = 0
    bytes: int = 0
    numbers: list[int] = field(default_factory=list)


class Flush:
    """
    Moves the segments of a journal into the table; whoever runs it keeps other flushes off, only to save work.

    Example:
        >>> Flush(journal, store, temp_directory=None, run_rows=1_000_000).run().rows
        1650000
    """

    def __init__(
        self,
        journal: Journal,
        target: Target,
        *,
        temp_directory: str | None,
        run_rows: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._journal = journal
        self._target = target
        self._temp_directory = temp_directory
        self._run_rows = run_rows
        self._progress = progress
        self._done = self._total = 0

    def run(self) -> Flushed:
        """Finish what another flush left, then move all that waits; Conflict when others are always faster."""
        flushed = Flushed()
        for _ in range(_TRIES):
            slot = self._journal.slot()
            if not slot.batch.is_pending:
                fresh = self._begin(slot)
                if fresh is None:
                    if not self._journal.waiting():
                        return flushed
                    continue
                slot = fresh
            is_last = set(slot.batch.segments) >= {segment.name for segment in self._journal.waiting()}
            self._move(slot, flushed)
            self._journal.remove(slot.batch.segments)
            self._journal.exchange(slot, slot.batch.after())
            if is_last:
                return flushed
        if flushed.segments:
            return flushed
        msg = "other processes flush the journal at the same time; run it again when they are done"
        raise Conflict(msg)

    def _begin(self, slot: Slot) -> Slot | None:
        """A new batch of all that waits; None when there is nothing, or somebody else was faster."""
        waiting = self._journal.waiting()
        if not waiting:
            return None
        # a table that another one took the place of knows no number, a journal made anew neither
        number = max(slot.batch.number, self._target.reader.table.last_step(APP)) + 1
        times = [segment.at for segment in waiting]
        changes = {
            "number": number,
            "segments": tuple(segment.name for segment in waiting),
            "newest": max([*times, slot.batch.newest or times[0]]),
        }
        return self._journal.exchange(slot, slot.batch.model_copy(update=changes))

    def _move(self, slot: Slot, flushed: Flushed) -> None:
        step = Step(APP, slot.batch.number)
        table = self._target.reader.table
        if table.has_step(step):
            log.info("batch %s of the journal was committed already", step.number)
            return
        try:
            moved = self._commit(slot.batch.segments, step)
        except (Conflict, NotFound):
            # another flush took over while this one stood still, and may have removed what it moved
            if not table.has_step(step):
                raise
            return
        flushed.segments += len(slot.batch.segments)
        flushed.rows += sum(file.rows for file in moved)
        flushed.bytes += sum(file.size for file in moved)
        flushed.numbers.append(step.number)

    def _commit(self, names: Sequence[str], step: Step) -> list[StagedFile]:
        by_partition = self._files(names, step)
        files = [file for found in by_partition.values() for file in found]
        self._done, self._total = 0, sum(file.rows for file in files)
        revival = Revival(self._target.reader, datetime.now(UTC))
        with self._target.staging() as staging:
            for partition, found in sorted(by_partition.items()):
                self._stage(partition, found, staging, revival)
            self._target.commit(staging, step=step)
        return files

    def _files(self, names: Sequence[str], step: Step) -> dict[Partition, list[StagedFile]]:
        """The data files of segments by partition; their keys are below the folder of all rows."""
        found: dict[Partition, list[StagedFile]] = defaultdict(list)
        for name, segment in zip(names, in_parallel(self._journal.segment, names), strict=True):
            if segment is None:
                if self._target.reader.table.has_step(step):
                    msg = "another flush moved this batch meanwhile"
                    raise Conflict(msg)
                # removed by hand, as no flush removes what is not committed
                log.warning("the segment %s of the journal is gone, its rows are lost", name)
                continue
            for file in segment.files:
                one = staged(file, below=segment.token)
                found[one.partition].append(one)
        return found

    def _stage(
        self, partition: Partition, files: Sequence[StagedFile], staging: Staging, revival: Revival
    ) -> None:
        """Put the rows of a partition beside the table."""
        are_many = sum(file.size < LARGE for file in files) > 1
        rewritten: list[StagedFile] = []
        kept: list[StagedFile] = []
        for file in files:
            is_joined = are_many and file.size < LARGE
            changes = is_joined or revival.touches(partition, file.first, file.last)
            (rewritten if changes else kept).append(file)
        for _ in in_parallel(lambda file: staging.adopt(self._journal.rows, file), kept):
            pass
        self._tell(sum(file.rows for file in kept))
        for rows in self._counting(partition, rewritten):
            staging.write(revival.revive(rows))
        staging.finish()

    def _counting(self, partition: Partition, files: Sequence[StagedFile]) -> "Iterator[pl.DataFrame]":
        """The rows of some files of a partition that count among each other, by ranges of ids."""
        place = self._journal.rows
        found = [_data_file(file, partition) for file in files]
        with open_parts(
            place, found, Footers(place), temp_directory=self._temp_directory, run_rows=self._run_rows
        ) as parts:
            for wanted in plan(parts):
                rows = read(wanted, s.COLUMNS)
                yield canonical_rows(rows, keep_deleted=True, in_order=wanted.in_order)
                self._tell(len(rows))

    def _tell(self, rows: int) -> None:
        self._done += rows
        if self._progress is not None:
            self._progress(self._done, self._total)


def _data_file(file: StagedFile, partition: Partition) -> DataFile:
    return DataFile(file.key, partition, file.rows, file.size, file.first, file.last, file.tombstones)
