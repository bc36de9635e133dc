"""A queue in the memory of this process, for tests and for small scripts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.jobs.batching import Draft, Drafts
from lakehouse_assets.jobs.queue import Batch, Counts, DeadLetter, Settlement
from lakehouse_assets.model.times import now_utc

if TYPE_CHECKING:
    from lakehouse_assets.jobs.models import AnyJob
    from lakehouse_assets.jobs.worker import Worked
    from lakehouse_assets.lake import Lake


@dataclass
class _Waiting:
    """A batch and its jobs; `done` of them were worked."""

    batch: Batch
    digest: str
    lines: list[bytes]
    done: int = 0
    is_taken: bool = False
    is_cancelled: bool = False


@dataclass(repr=False)
class MemoryQueue:
    """
    Jobs in memory, gone with the process. With `sync` they are worked in the very call that defers them.

    Working stops where jobs wait for their time; `work` goes on.

    Example:
        >>> queue = MemoryQueue(Lake("data"), sync=True)
        >>> queue.defer(DatasetJob.from_entities("acme", "files", "extract", documents))
        ['b5bb9d80…']
        >>> queue.status()[0].succeeded
        1
    """

    lake: "Lake"
    sync: bool = False
    _waiting: dict[str, _Waiting] = field(default_factory=dict)
    _counts: dict[tuple[str, str, str | None], Counts] = field(default_factory=dict)
    _dead: dict[str, DeadLetter] = field(default_factory=dict)
    _number: int = 0
    _is_working: bool = False

    def defer(self, jobs: "AnyJob | Iterable[AnyJob]") -> list[str]:
        """Queue jobs, and work them if that is wanted; returns their ids."""
        drafts = Drafts(jobs, self.lake.settings.temp_directory)
        try:
            for draft in drafts:
                self._put(draft, list(drafts.lines(draft)))
        finally:
            drafts.close()
        if self.sync and not self._is_working:
            self.work()
        return drafts.ids

    def _put(self, draft: Draft, lines: list[bytes]) -> None:
        if any(known.digest == draft.digest and not known.is_taken for known in self._waiting.values()):
            return
        self._number += 1
        group, ref = draft.group, str(self._number)
        batch = Batch(
            ref=ref,
            queue=group.queue,
            task=group.task,
            dataset=group.dataset,
            count=len(lines),
            priority=group.priority,
            not_before=group.not_before,
            deferred_at=draft.deferred_at,
        )
        self._waiting[ref] = _Waiting(batch, draft.digest, lines)
        # it is known from now on
        self.count(batch)

    def work(self) -> "Worked":
        """Work all that is due, and what comes of it."""
        from lakehouse_assets.jobs.worker import Worked, work_queue

        worked = Worked()
        self._is_working = True
        try:
            while due := [name for name in self.queues() if _due(self.waiting(name))]:
                for name in due:
                    worked += work_queue(self, name, lake=self.lake)
        finally:
            self._is_working = False
        return worked

    def queues(self) -> list[str]:
        """The names of all queues that have ever had a job, sorted."""
        return sorted({queue for queue, _, _ in self._counts})

    def waiting(self, queue: str) -> list[Batch]:
        """The batches that wait or are at work, in the order in which they are to be worked."""
        found = (each.batch for each in self._waiting.values() if each.batch.queue == queue)
        return sorted(found, key=lambda batch: batch.order)

    def take(self, ref: str) -> "MemoryClaim | None":
        """Claim a batch; None when somebody else has it, or when it is done."""
        found = self._waiting.get(ref)
        if found is None or found.is_taken:
            return None
        found.is_taken = True
        return MemoryClaim(self, found)

    def status(self, queue: str | None = None, dataset: str | None = None) -> list[Counts]:
        """How many jobs are where, by queue, task and dataset."""
        found = dict(self._counts)
        for each in self._waiting.values():
            key = _key(each.batch)
            left = each.batch.count - each.done
            state = "todo" if not each.is_taken else "aborting" if each.is_cancelled else "doing"
            waits = replace(Counts(*key, oldest=each.batch.deferred_at), **{state: left})  # type: ignore[arg-type]
            found[key] += waits
        for letter in self._dead.values():
            found[letter.queue, letter.task, letter.dataset] += Counts(
                letter.queue, letter.task, letter.dataset, failed=1
            )
        return [
            counts
            for key, counts in sorted(
                found.items(), key=lambda item: (item[0][0], item[0][1], item[0][2] or "")
            )
            if queue in (None, key[0]) and dataset in (None, key[2])
        ]

    def cancel(self, *, queue: str | None = None, dataset: str | None = None, dry_run: bool = False) -> int:
        """Cancel the jobs of a queue or a dataset, or of both together; returns how many."""
        check_what(queue, dataset)
        cancelled = 0
        for ref, each in list(self._waiting.items()):
            if queue not in (None, each.batch.queue) or dataset not in (None, each.batch.dataset):
                continue
            left = each.batch.count - each.done
            cancelled += left
            if dry_run:
                continue
            if each.is_taken:
                each.is_cancelled = True
            else:
                del self._waiting[ref]
                self.count(each.batch, cancelled=left)
        return cancelled

    def dead(self, queue: str | None = None, *, last: int | None = None) -> Iterator[DeadLetter]:
        """The jobs that failed for good, the oldest first; only the `last` ones, so many, if given."""
        found = [letter for letter in self._dead.values() if queue in (None, letter.queue)]
        return newest(found, last)

    def requeue(self, ids: Iterable[str], *, queue: str | None = None) -> list[str]:
        """Queue dead jobs again, under the same ids and with no attempts; returns those that were there."""
        wanted = set(ids)
        found = [letter for letter in self.dead(queue) if letter.id in wanted]
        for letter in found:
            del self._dead[letter.id]
        self.defer(renewed(letter) for letter in found)
        return [letter.id for letter in found]

    def __repr__(self) -> str:
        return f"MemoryQueue({self.lake.uri!r})"

    def count(self, batch: Batch, **counts: float) -> None:
        """Count what became of jobs of a batch."""
        key = _key(batch)
        self._counts[key] = self._counts.get(key, Counts(*key)) + replace(Counts(*key), **counts)  # type: ignore[arg-type]

    def bury(self, letters: Iterable[DeadLetter]) -> None:
        """Keep jobs that failed for good."""
        self._dead.update({letter.id: letter for letter in letters})

    def forget(self, ref: str) -> None:
        """Take a batch out that is done."""
        del self._waiting[ref]


class MemoryClaim:
    """A batch in memory that is being worked."""

    def __init__(self, queue: MemoryQueue, waiting: _Waiting) -> None:
        self.batch = waiting.batch
        self._queue = queue
        self._waiting = waiting

    def lines(self) -> Iterator[bytes]:
        """The jobs that are still to be worked."""
        return iter(self._waiting.lines[self._waiting.done :])

    def is_cancelled(self) -> bool:
        """Whether somebody cancelled it since."""
        return self._waiting.is_cancelled

    def begin(self) -> int:
        """Nobody dies in memory and is missed."""
        return 0

    def end(self) -> None:
        """Nothing is to be told."""

    def settle(self, settlement: Settlement) -> None:
        """Write down what became of some jobs."""
        if not settlement.stopped:
            self._queue.defer(settlement.deferred)
            self._queue.defer(settlement.retried)
        self._queue.bury(settlement.dead)
        self._waiting.done += settlement.done
        self._queue.count(self.batch, succeeded=settlement.succeeded, seconds=settlement.seconds)
        if settlement.is_last:
            left = self.batch.count - self._waiting.done
            self._queue.count(self.batch, aborted=left)
            self._queue.forget(self.batch.ref)

    def release(self) -> None:
        """Let others have what is left."""
        self._waiting.is_taken = False


def check_what(queue: str | None, dataset: str | None) -> None:
    """Do nothing when it is said what is to be cancelled, else InvalidData."""
    if queue is None and dataset is None:
        msg = "which jobs are to be cancelled? Name a queue, a dataset, or both"
        raise InvalidData(msg)


def newest(letters: Iterable[DeadLetter], last: int | None) -> Iterator[DeadLetter]:
    """Letters sorted by time; only the last ones, so many, if given."""
    found = sorted(letters, key=lambda letter: letter.at)
    return iter(found if last is None else found[max(0, len(found) - last) :])


def renewed(letter: DeadLetter) -> "AnyJob":
    """The job of a dead letter, as if nobody had tried it yet."""
    from lakehouse_assets.jobs.models import JobStatus

    changes = {"attempts": 0, "scheduled_at": None, "status": JobStatus.todo}
    return letter.job.model_copy(update=changes)


def _key(batch: Batch) -> tuple[str, str, str | None]:
    return batch.queue, batch.task, batch.dataset


def _due(batches: list[Batch]) -> bool:
    now = now_utc()
    return any(batch.is_due(now) for batch in batches)
