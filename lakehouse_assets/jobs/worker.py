"""
Working jobs: batch by batch, job by job, each by itself.

What stages wrote and returned is kept until some jobs are done, or some seconds over. Then it counts, in this order:

    1. what the stages wrote goes into the journals, and these are flushed
    2. the jobs that they returned are queued
    3. failed jobs are queued again for later, or become dead letters
    4. it is noted that the jobs are done

Who dies on the way leaves jobs that are not noted as done: they are worked once more, and no others.
"""

import logging
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from lakehouse_assets.errors import LakehouseError, LeaseLost, WorkerDied
from lakehouse_assets.jobs.collecting import Outbox, Writes
from lakehouse_assets.jobs.context import surrounded
from lakehouse_assets.jobs.queue import EVERY, Batch, Claim, DeadLetter, JobQueue, Settlement
from lakehouse_assets.jobs.running import Result, failure, run_job
from lakehouse_assets.model.times import now_utc

if TYPE_CHECKING:
    from lakehouse_assets.jobs.models import AnyJob
    from lakehouse_assets.lake import Lake
    from lakehouse_assets.operations.repositories import Progress

log = logging.getLogger(__name__)

SECONDS = 5.0
"""After so many seconds, at the latest, unless a job takes longer."""

# each claim that is held is renewed by a thread of its own
_MOST_CLAIMS = 100
# how often the store is asked whether a batch was cancelled, and what else waits by now, in seconds
_LOOK = 1.0
# after so many workers that died with a job, and with no other one at work, the job is what they died of
_DEATHS = 2
_MOST_ERRORS = 100


@dataclass
class Worked:
    """
    What a worker did: `jobs` are those it called a stage for, whatever became of them.

    `retried` failed and wait for another attempt, `dead` failed for good; `cancelled` were left alone in batches that
    were stopped; `deferred` were returned by stages. `batches` were worked to their end, `taken` were somebody else's
    or done already. `statements` counts by dataset what was written, `refused` the entities that could not be.
    """

    jobs: int = 0
    succeeded: int = 0
    retried: int = 0
    dead: int = 0
    cancelled: int = 0
    deferred: int = 0
    batches: int = 0
    taken: int = 0
    refused: int = 0
    seconds: float = 0.0
    statements: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)

    def __iadd__(self, other: "Worked") -> "Worked":
        """Add what another call did."""
        for each in fields(self)[:-2]:
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        self.wrote(other.statements)
        self.failed_with(other.errors)
        return self

    def wrote(self, statements: Mapping[str, int]) -> None:
        """Count what was written, by dataset."""
        for name, rows in statements.items():
            self.statements[name] = self.statements.get(name, 0) + rows

    def failed_with(self, errors: Mapping[str, int]) -> None:
        """Count what jobs failed with."""
        for error, count in errors.items():
            if error in self.errors or len(self.errors) < _MOST_ERRORS:
                self.errors[error] = self.errors.get(error, 0) + count

    @property
    def failed(self) -> int:
        """The jobs whose stage raised."""
        return self.retried + self.dead


def work(
    queue: JobQueue,
    refs: Iterable[str],
    *,
    lake: "Lake",
    every: int = EVERY,
    seconds: float = SECONDS,
    progress: "Progress | None" = None,
) -> Worked:
    """
    Work batches, one after the other; what a job fails with is told, and not raised.

    Batches that somebody else works are left out. What is raised is of the store, or an interruption: what was not
    noted as done then will be worked again, at most `every` jobs.
    """
    worker = _Worker(queue, lake.here(), every=every, seconds=seconds, progress=progress)
    with surrounded(lake=worker.lake, queue=queue):
        try:
            for ref in refs:
                worker.work(ref)
            worker.settle()
        except BaseException:
            worker.settle_if_possible()
            raise
        finally:
            worker.close()
    return worker.worked


def work_queue(
    queue: JobQueue,
    name: str,
    *,
    lake: "Lake",
    dataset: str | None = None,
    every: int = EVERY,
    seconds: float = SECONDS,
    progress: "Progress | None" = None,
) -> Worked:
    """
    Work all of a queue that is due, until nothing is: also what comes meanwhile, and the more urgent first.

    With a `dataset`, only its jobs.

    Example:
        >>> work_queue(FileQueue(lake), "files", lake=lake).jobs
        344
    """
    worked = Worked()
    tried: set[str] = set()
    while due := _due(queue, name, dataset, tried):
        refs = _for_a_while((batch.ref for batch in due), tried)
        told = _after(progress, worked.jobs, sum(batch.count for batch in due)) if progress else None
        worked += work(queue, refs, lake=lake, every=every, seconds=seconds, progress=told)
    return worked


def _after(progress: "Progress", before: int, waiting: int) -> "Progress":
    """Tells how far the work is of which one call does a part."""

    def tell(done: int, pending: int, unit: str) -> None:
        progress(before + done, max(waiting - done, pending), unit)

    return tell


def _due(queue: JobQueue, name: str, dataset: str | None, tried: set[str]) -> list[Batch]:
    now = now_utc()
    waiting = [batch for batch in queue.waiting(name) if dataset in (None, batch.dataset)]
    return [batch for batch in waiting if batch.is_due(now) and batch.ref not in tried]


def _for_a_while(refs: Iterable[str], tried: set[str]) -> Iterator[str]:
    """Some of the refs, so that others that came meanwhile have their turn."""
    until = time.monotonic() + _LOOK
    for ref in refs:
        tried.add(ref)
        yield ref
        if time.monotonic() >= until:
            return


@dataclass
class _Open:
    """A claim, and what is not settled of it yet."""

    claim: Claim
    outbox: Outbox
    results: list[Result] = field(default_factory=list)
    settled: int = 0
    is_last: bool = False
    is_stopped: bool = False
    is_lost: bool = False

    def settlement(self) -> Settlement:
        """What became of the jobs since the last one."""
        retried: list[AnyJob] = [result.retried for result in self.results if result.retried]
        dead: list[DeadLetter] = [result.dead for result in self.results if result.dead]
        return Settlement(
            done=len(self.results),
            succeeded=sum(result.succeeded for result in self.results),
            seconds=sum(result.seconds for result in self.results),
            deferred=self.outbox,
            retried=retried,
            dead=dead,
            is_last=self.is_last,
            stopped=self.is_stopped,
        )


class _Worker:
    """Works batches, and settles what was done when it is time."""

    def __init__(
        self, queue: JobQueue, lake: "Lake", *, every: int, seconds: float, progress: "Progress | None"
    ) -> None:
        self.queue = queue
        self.lake = lake
        self.worked = Worked()
        self._every = every
        self._seconds = seconds
        self._progress = progress
        self._temp = lake.settings.temp_directory
        self._writes = Writes(self._temp)
        self._open: list[_Open] = []
        self._pending = 0
        self._settled_at = time.monotonic()
        self._is_settling = False

    def work(self, ref: str) -> None:
        """Work what is left of a batch."""
        claim = self.queue.take(ref)
        if claim is None:
            self.worked.taken += 1
            return
        mine = _Open(claim, Outbox(self._temp))
        self._open.append(mine)
        looked_at = -math.inf
        for line in claim.lines():
            if time.monotonic() - looked_at >= _LOOK:
                looked_at = time.monotonic()
                mine.is_stopped = claim.is_cancelled()
            if mine.is_stopped:
                break
            self._work_one(mine, line)
            if mine.is_lost:
                return
        mine.is_last = True
        if len(self._open) >= _MOST_CLAIMS:
            self.settle()

    def _work_one(self, mine: _Open, line: bytes) -> None:
        try:
            result = self._result(mine, line)
        except LeaseLost as exc:
            log.warning("%s", exc)
            mine.is_lost = True
            return
        mine.results.append(result)
        self._pending += 1
        is_late = time.monotonic() - self._settled_at >= self._seconds
        if self._pending >= self._every or is_late:
            self.settle()
        if self._progress is not None:
            left = mine.claim.batch.count - mine.settled - len(mine.results)
            self._progress(self.worked.jobs + self._pending, left, "jobs")

    def _result(self, mine: _Open, line: bytes) -> Result:
        """What becomes of a job; LeaseLost when it is somebody else's by now."""
        claim = mine.claim
        died = claim.begin()
        if died >= _DEATHS:
            result = failure(line, claim.batch, WorkerDied(died + 1), seconds=0.0)
        else:
            result = run_job(line, claim.batch, lake=self.lake, writes=self._writes, outbox=mine.outbox)
        claim.end()
        return result

    def settle(self) -> None:
        """Make all that was done count."""
        self._is_settling = True
        written = self._writes.commit()
        self.worked.refused += written.refused
        self.worked.wrote(written.statements)
        for mine in self._open:
            if mine.results or mine.is_last:
                self._settle_one(mine)
        for mine in [each for each in self._open if each.is_last or each.is_lost]:
            self._open.remove(mine)
            mine.outbox.close()
            mine.claim.release()
        self._settled_at, self._pending = time.monotonic(), 0
        self._is_settling = False

    def _settle_one(self, mine: _Open) -> None:
        settlement = mine.settlement()
        try:
            mine.claim.settle(settlement)
        except LeaseLost as exc:
            # somebody else works it once more
            log.warning("%s", exc)
            mine.is_lost = True
            return
        mine.settled += settlement.done
        worked = self.worked
        worked.jobs += settlement.done
        worked.succeeded += settlement.succeeded
        worked.retried += len(settlement.retried)
        worked.dead += len(settlement.dead)
        worked.deferred += 0 if mine.is_stopped else mine.outbox.count
        worked.cancelled += mine.claim.batch.count - mine.settled if mine.is_stopped else 0
        worked.seconds += settlement.seconds
        worked.batches += mine.is_last
        task = mine.claim.batch.task
        worked.failed_with(Counter(f"{task}: {result.error}" for result in mine.results if result.error))
        mine.results = []
        mine.outbox.cut((0, 0))

    def settle_if_possible(self) -> None:
        """Keep what was done before something else went wrong, unless that was this very settling."""
        if self._is_settling:
            return
        try:
            self.settle()
        except LakehouseError as exc:
            log.warning("what was done is lost, and will be done again: %s", exc)

    def close(self) -> None:
        """Let others have what is not settled."""
        for mine in self._open:
            mine.outbox.close()
            mine.claim.release()
