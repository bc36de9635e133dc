"""
What a queue of jobs can do.

Jobs that are deferred together and go together (same queue, task, dataset, priority and time) lie there as batches.
A batch is worked by one worker at a time, which claims it by its `ref`. Nobody needs to read it to know what it is of.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from lakehouse_assets.jobs.models import AnyJob


EVERY = 1000
"""After so many jobs, at the latest, it is noted that they are done: so many may be worked twice after a crash."""


@dataclass(frozen=True)
class Batch:
    """
    Some jobs that wait together: `ref` names them for `take`.

    `not_before` (UTC) is None for what may be worked at once.
    """

    ref: str
    queue: str
    task: str
    dataset: str | None
    count: int
    priority: int
    not_before: datetime | None
    deferred_at: datetime

    def is_due(self, now: datetime) -> bool:
        """Whether its time has come."""
        return self.not_before is None or self.not_before <= now

    @property
    def order(self) -> tuple[int, datetime, str]:
        """Sorts batches as they are to be worked: of higher priority first, then in the order they came."""
        return (-self.priority, self.deferred_at, self.ref)


@dataclass(frozen=True)
class DeadLetter:
    """
    A job that is not tried again: the job as it was, what it failed with, and when (UTC).

    `error` is one line, `traceback` all of it; `data` is the job's line of JSON, which `job` reads.
    """

    id: str
    queue: str
    task: str
    dataset: str | None
    attempts: int
    error: str
    traceback: str
    at: datetime
    data: bytes = field(repr=False, default=b"")

    @property
    def job(self) -> "AnyJob":
        """The job; ValidationError when its line can be read no more."""
        from lakehouse_assets.jobs.models import unpack

        return unpack(self.data)


@dataclass(frozen=True)
class Counts:
    """How many jobs of a queue, a task and a dataset are where; `seconds` is the work that the done ones took."""

    queue: str
    task: str
    dataset: str | None
    todo: int = 0
    doing: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    aborting: int = 0
    aborted: int = 0
    seconds: float = 0.0
    oldest: datetime | None = None

    @property
    def total(self) -> int:
        """All jobs."""
        ended = self.succeeded + self.failed + self.cancelled + self.aborted
        return self.open + ended

    @property
    def open(self) -> int:
        """The jobs that are still to be worked, or at work."""
        return self.todo + self.doing + self.aborting

    @property
    def remaining(self) -> timedelta | None:
        """How long one worker has still to do, as long as each job took until now; None while nobody knows."""
        if not self.open:
            return timedelta(0)
        return timedelta(seconds=self.open * self.seconds / self.succeeded) if self.succeeded else None

    def __add__(self, other: "Counts") -> Self:
        """Both together, under the name of the first; the oldest of both."""
        names = [each.name for each in fields(self)]
        summed = {name: getattr(self, name) + getattr(other, name) for name in names[3:-1]}
        times = [at for at in (self.oldest, other.oldest) if at is not None]
        return replace(self, **summed, oldest=min(times, default=None))


@dataclass
class Settlement:
    """
    What became of the next jobs of a claim.

    `done` counts them, whatever became of them; `succeeded` are those that did what they should. `deferred` is what
    their stages returned, `retried` is to be worked again. `is_last` says that no other job of the claim will be
    worked, `stopped` that this is because it was cancelled.
    """

    done: int = 0
    succeeded: int = 0
    seconds: float = 0.0
    deferred: "Iterable[AnyJob]" = ()
    retried: "Sequence[AnyJob]" = ()
    dead: Sequence[DeadLetter] = ()
    is_last: bool = False
    stopped: bool = False


class Claim(Protocol):
    """A batch that is ours to work, until it is settled as a whole or released."""

    batch: Batch

    def lines(self) -> Iterator[bytes]:
        """The jobs that are still to be worked, each as a line of JSON."""

    def is_cancelled(self) -> bool:
        """Whether somebody cancelled it since; the jobs that are left should not be worked then."""

    def begin(self) -> int:
        """Tell that the next job begins; returns how many workers died with it, as far as that is known."""

    def end(self) -> None:
        """Tell that the job that began is over, whatever became of it."""

    def settle(self, settlement: Settlement) -> None:
        """Write down what became of some jobs: the deferred ones first, and last that they are done."""

    def release(self) -> None:
        """Let others have what is left; nothing when it is settled as a whole."""


@runtime_checkable
class JobQueue(Protocol):
    """Where jobs wait."""

    def defer(self, jobs: "AnyJob | Iterable[AnyJob]") -> list[str]:
        """
        Queue jobs, which wait then until they are worked; returns their ids.

        Those of a stage that is switched off are left out. NotJson when one cannot be written, and none is queued then.
        """

    def queues(self) -> list[str]:
        """The names of all queues that have ever had a job, sorted."""

    def waiting(self, queue: str) -> list[Batch]:
        """The batches that wait or are at work, in the order in which they are to be worked."""

    def take(self, ref: str) -> Claim | None:
        """Claim a batch; None when somebody else has it, or when it is done."""

    def status(self, queue: str | None = None, dataset: str | None = None) -> list[Counts]:
        """How many jobs are where, by queue, task and dataset; all of them, or those of a queue or a dataset."""

    def cancel(self, *, queue: str | None = None, dataset: str | None = None, dry_run: bool = False) -> int:
        """
        Cancel the jobs of a queue or a dataset, or of both together; returns how many.

        Those at work end where a worker next looks. InvalidData when neither is given.
        """

    def dead(self, queue: str | None = None, *, last: int | None = None) -> Iterator[DeadLetter]:
        """The jobs that failed for good, the oldest first; only the `last` ones, so many, if given."""

    def requeue(self, ids: Iterable[str], *, queue: str | None = None) -> list[str]:
        """Queue dead jobs again, under the same ids and with no attempts; returns those that were there."""
