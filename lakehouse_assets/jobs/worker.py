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
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from lakehouse_assets.errors import LeaseLost, WorkerDied
from lakehouse_assets.jobs.collecting import Outbox, Writes
from lakehouse_assets.jobs.context import surrounded
from lakehouse_assets.jobs.queue import Claim, DeadLetter, JobQueue, Settlement
from lakehouse_assets.jobs.running import Result, failure, run_job
from lakehouse_assets.model.times import now_utc

if TYPE_CHECKING:
    from lakehouse_assets.jobs.models import AnyJob
    from lakehouse_assets.lake import Lake

log = logging.getLogger(__name__)

EVERY = 1000
"""After so many jobs, at the latest, it is noted that they are done."""

SECONDS = 5.0
"""After so many seconds, at the latest, unless a job takes longer."""

# each claim that is held is renewed by a thread of its own
_MOST_CLAIMS = 100
# how often the store is asked whether a batch was cancelled, in seconds
_LOOK = 1.0
# a job that so many workers died with is what they died of
_DEATHS = 1


@dataclass
class Worked:
    """
    What a worker did: `jobs` are those it called a stage for, whatever became of them.

    `retried` failed and wait for another attempt, `dead` failed for good, `stopped` were cancelled; `deferred` were
    returned by stages. `batches` were worked to their end, `taken` were somebody else's or done already. `statements`
    counts by dataset what was written.
    """

    jobs: int = 0
    succeeded: int = 0
    retried: int = 0
    dead: int = 0
    stopped: int = 0
    deferred: int = 0
    batches: int = 0
    taken: int = 0
    seconds: float = 0.0
    statements: dict[str, int] = field(default_factory=dict)

    def __iadd__(self, other: "Worked") -> "Worked":
        """Add what another call did."""
        for each in fields(self)[:-1]:
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        for name, rows in other.statements.items():
            self.statements[name] = self.statements.get(name, 0) + rows
        return self

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
) -> Worked:
    """
    Work batches, one after the other; what a job fails with is told, and not raised.

    Batches that somebody else works are left out. What is raised is of the store: what was not noted as done then will
    be worked again, at most `every` jobs.
    """
    worker = _Worker(queue, lake.here(), every=every, seconds=seconds)
    with surrounded(lake=worker.lake, queue=queue):
        try:
            for ref in refs:
                worker.work(ref)
            worker.settle()
        except BaseException as exc:
            if not worker.settling:
                # interrupted between two jobs or in one: what is done is done
                log.warning("stopped by %s", type(exc).__name__)
                worker.settle()
            raise
        finally:
            worker.close()
    return worker.worked


def work_queue(
    queue: JobQueue, name: str, *, lake: "Lake", every: int = EVERY, seconds: float = SECONDS
) -> Worked:
    """
    Work all of a queue that is due, until nothing is: also what comes meanwhile, and the more urgent first.

    Example:
        >>> work_queue(FileQueue(lake), "files", lake=lake).jobs
        344
    """
    worked = Worked()
    tried: set[str] = set()
    while True:
        now = now_utc()
        due = [batch.ref for batch in queue.waiting(name) if batch.is_due(now) and batch.ref not in tried]
        if not due:
            return worked
        some = work(queue, _for_a_while(due, tried), lake=lake, every=every, seconds=seconds)
        worked += some


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
    """A claim with what was not settled of it yet."""

    claim: Claim
    outbox: Outbox
    results: list[Result] = field(default_factory=list)
    is_last: bool = False
    stopped: int = 0
    is_lost: bool = False

    def settlement(self) -> Settlement:
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
            stopped=bool(self.stopped),
        )


class _Worker:
    def __init__(self, queue: JobQueue, lake: "Lake", *, every: int, seconds: float) -> None:
        self.queue = queue
        self.lake = lake
        self.worked = Worked()
        self.settling = False
        self._every = every
        self._seconds = seconds
        self._temp = lake.settings.temp_directory
        self._writes = Writes(self._temp)
        self._open: list[_Open] = []
        self._settled_at = time.monotonic()

    def work(self, ref: str) -> None:
        """Work what is left of a batch."""
        claim = self.queue.take(ref)
        if claim is None:
            self.worked.taken += 1
            return
        mine = _Open(claim, Outbox(self._temp))
        self._open.append(mine)
        looked_at = time.monotonic()
        for line in claim.lines():
            if time.monotonic() - looked_at >= _LOOK:
                looked_at = time.monotonic()
                if claim.is_cancelled():
                    mine.stopped = 1
                    break
            self._one(mine, line)
            if mine.is_lost:
                return
        mine.is_last = True
        if len(self._open) >= _MOST_CLAIMS:
            self.settle()

    def _one(self, mine: _Open, line: bytes) -> None:
        died = mine.claim.begin()
        if died > _DEATHS:
            result = failure(line, mine.claim.batch, WorkerDied(died), seconds=0.0)
        else:
            result = run_job(line, mine.claim.batch, lake=self.lake, writes=self._writes, outbox=mine.outbox)
        mine.results.append(result)
        pending = sum(len(each.results) for each in self._open)
        is_late = time.monotonic() - self._settled_at >= self._seconds
        if pending >= self._every or is_late or mine.claim.careful:
            self.settle()

    def settle(self) -> None:
        """Make all that was done count."""
        self.settling = True
        for name, rows in self._writes.commit().items():
            self.worked.statements[name] = self.worked.statements.get(name, 0) + rows
        for mine in self._open:
            self._settle_one(mine)
        for mine in [each for each in self._open if each.is_last]:
            self._open.remove(mine)
            mine.outbox.close()
            mine.claim.release()
        self._settled_at = time.monotonic()
        self.settling = False

    def _settle_one(self, mine: _Open) -> None:
        if not mine.results and not mine.is_last:
            return
        settlement = mine.settlement()
        try:
            mine.claim.settle(settlement)
        except LeaseLost as exc:
            log.warning("%s", exc)
            mine.is_last = mine.is_lost = True
            return
        self._count(settlement, mine)
        mine.results = []
        mine.outbox.cut((0, 0))

    def _count(self, settlement: Settlement, mine: _Open) -> None:
        worked = self.worked
        worked.jobs += settlement.done
        worked.succeeded += settlement.succeeded
        worked.retried += len(settlement.retried)
        worked.dead += len(settlement.dead)
        worked.deferred += mine.outbox.count
        worked.seconds += settlement.seconds
        worked.stopped += mine.stopped
        worked.batches += mine.is_last

    def close(self) -> None:
        """Let others have what is not settled."""
        for mine in self._open:
            mine.outbox.close()
            mine.claim.release()
