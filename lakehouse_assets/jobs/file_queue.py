"""
The queue of a lake: files in the lake itself, so that there is nothing to be set up.

    QUEUE/waiting/…jsonl    a batch: one job in each line; its name tells what it is of
    QUEUE/known/…           the batches that nobody has begun, by their jobs, so that the same jobs wait only once
    QUEUE/leases/…          who works a batch
    QUEUE/cancelled/…       batches that are to be stopped while they are worked
    QUEUE/dead/…json        a job that failed for good
    QUEUE/done/DAY.json     counts

A batch's file goes when all its jobs are done. How far its worker is stands in the lake's states.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from pydantic import ValidationError

from lakehouse_assets import layout
from lakehouse_assets.errors import StateCorrupt
from lakehouse_assets.jobs import naming
from lakehouse_assets.jobs.batching import Draft, Drafts
from lakehouse_assets.jobs.dead_files import DeadFiles
from lakehouse_assets.jobs.done import DoneCounts
from lakehouse_assets.jobs.file_claim import FileClaim, Progress
from lakehouse_assets.jobs.memory_queue import check_what, newest, renewed
from lakehouse_assets.jobs.models import AnyJob
from lakehouse_assets.jobs.queue import Batch, Counts, DeadLetter, Settlement
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.file_leases import FileLeases
from lakehouse_assets.storage.holders import Holder
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    from lakehouse_assets.lake import Lake

log = logging.getLogger(__name__)

_LEFT_BEHIND = timedelta(days=1)


class FileQueue:
    """
    The queues of a lake, on local disk or in a bucket; any number of programs defer and work at once.

    Example:
        >>> queue = FileQueue(Lake("data"))
        >>> queue.defer([DatasetJob.from_entity("acme", "files", "extract", document)])
        ['b5bb9d80…']
        >>> work(queue, [batch.ref for batch in queue.waiting("files")], lake=Lake("data")).succeeded
        1
    """

    def __init__(self, lake: "Lake") -> None:
        self.lake = lake
        self.location = lake.location

    def announce(self, batch: Batch) -> None:
        """Tell others of a batch whose file is there; nobody is told here, a worker looks by itself."""

    def defer(self, jobs: "AnyJob | Iterable[AnyJob]") -> list[str]:
        """Queue jobs, whole batches at once; returns their ids. Jobs that wait already are left as they are."""
        drafts = Drafts(jobs, self.lake.settings.temp_directory)
        try:
            for draft in drafts:
                if batch := self._put(draft, drafts):
                    self.announce(batch)
        finally:
            drafts.close()
        return drafts.ids

    def _put(self, draft: Draft, drafts: Drafts) -> Batch | None:
        """Write the file of a batch; None when its jobs wait already."""
        group = draft.group
        batch = Batch(
            ref="",
            queue=group.queue,
            task=group.task,
            dataset=group.dataset,
            count=len(draft.ids),
            priority=group.priority,
            not_before=group.not_before,
            deferred_at=draft.deferred_at,
        )
        folder = self.folder(group.queue)
        name = naming.batch_name(batch, draft.digest)
        known = naming.known_key(draft.digest)
        if not folder.create(known, name.encode()):
            name = (folder.read_or_none(known) or name.encode()).decode()
            if folder.exists(naming.payload(name)):
                log.debug("%s waits already", name)
                return None
            # whoever noted it has not written it, and may have died
        with folder.writer(naming.payload(name)) as file:
            for line in drafts.lines(draft):
                file.write(line)
        return naming.parse_name(group.queue, name)

    def folder(self, queue: str) -> Location:
        """The folder of a queue."""
        return self.location / naming.queue_folder(queue)

    def queues(self) -> list[str]:
        """The names of all queues that have ever had a job, sorted."""
        return sorted(self._queues(""))

    def _queues(self, lead: str) -> Iterator[str]:
        for name in self.location.folders(f"{layout.LAKE_QUEUE}/{lead}".rstrip("/")):
            if naming.goes_on(name):
                yield from self._queues(f"{lead}{name}/")
            else:
                yield naming.parted(f"{lead}{name}")[0]

    def waiting(self, queue: str) -> list[Batch]:
        """The batches that wait or are at work, in the order in which they are to be worked."""
        found = (naming.parse_name(queue, name) for name in self._names(queue, naming.WAITING, naming.JOBS))
        return sorted((batch for batch in found if batch is not None), key=lambda batch: batch.order)

    def _names(self, queue: str, kind: str, ending: str) -> list[str]:
        """The names of a queue's files of a kind, without their ending."""
        keys = self.folder(queue).keys(kind)
        return [key[len(kind) + 1 : -len(ending)] for key in keys if key.endswith(ending)]

    def take(self, ref: str) -> FileClaim | None:
        """Claim a batch; None when somebody else has it, or when it is done."""
        batch, name = naming.parse_ref(ref)
        folder = self.folder(batch.queue)
        if not folder.exists(naming.payload(name)):
            return None
        leases = self._leases(batch.queue)
        key = naming.lease_key(name)
        before = leases.read(key)
        lease = leases.attempt(key, name=naming.short(name), reason="jobs")
        if isinstance(lease, Holder):
            return None
        claim = FileClaim(self, batch, name, lease, died=before is not None)
        if not folder.exists(naming.payload(name)):
            claim.release()
            return None
        # from now on the same jobs, if they are queued again, are to be worked again
        folder.remove(naming.known_key(naming.digest_in(name)), name.encode())
        return claim

    def _leases(self, queue: str) -> FileLeases:
        settings = self.lake.settings
        return FileLeases(
            self.folder(queue),
            timeout=settings.lock_timeout,
            lease_seconds=settings.lease_seconds,
            advice=f"wait {settings.lease_seconds:g} s, then its lease is over",
        )

    def done(self, queue: str) -> DoneCounts:
        """The counts of the jobs that a queue is done with."""
        folder = self.folder(queue)
        return DoneCounts(folder, lambda name: folder.exists(naming.payload(name)))

    def dead_files(self, queue: str) -> DeadFiles:
        """The jobs of a queue that failed for good."""
        return DeadFiles(self.folder(queue), queue)

    def status(self, queue: str | None = None, dataset: str | None = None) -> list[Counts]:
        """How many jobs are where, by queue, task and dataset; all of them, or those of a queue or a dataset."""
        found: dict[tuple[str, str, str], Counts] = {}
        for name in self.queues() if queue is None else [queue]:
            for counts in self._counts(name):
                key = (name, counts.task, counts.dataset or "")
                found[key] = found[key] + counts if key in found else counts
        return [found[key] for key in sorted(found) if dataset in (None, found[key].dataset)]

    def _counts(self, queue: str) -> Iterator[Counts]:
        # what waits first: what is done meanwhile counts twice for a moment, and not never
        batches = self.waiting(queue)
        held = set(self._held(queue))
        stopping = set(self._names(queue, naming.CANCELLED, naming.JSON))
        begun = set(self.lake.states.jobs())
        for batch in batches:
            name = naming.parse_ref(batch.ref)[1]
            done = self.progress(name) if naming.bookmark(name) in begun else Progress()
            left = batch.count - done.jobs
            state = "todo" if name not in held else "aborting" if name in stopping else "doing"
            yield Counts(
                queue, batch.task, batch.dataset, oldest=batch.deferred_at, **{state: left},
                succeeded=done.succeeded, seconds=done.seconds,
            )  # fmt: skip
        for tally in self.done(queue).all():
            yield tally.counts(queue)
        for task, dataset in self.dead_files(queue).tasks():
            yield Counts(queue, task, dataset, failed=1)

    def progress(self, name: str) -> Progress:
        """How far the worker of a batch is, by the name of its file."""
        try:
            return Progress.model_validate(self.lake.states.get_or_create(naming.bookmark(name)).to_dict())
        except (StateCorrupt, ValidationError):
            # who works it next begins anew
            return Progress()

    def _held(self, queue: str) -> Iterator[str]:
        leases = self._leases(queue)
        for name in self._names(queue, naming.LEASES, naming.JSON):
            holder = leases.read(naming.lease_key(name))
            if holder is not None and not leases.is_over(naming.lease_key(name), holder):
                yield name

    def cancel(self, *, queue: str | None = None, dataset: str | None = None, dry_run: bool = False) -> int:
        """
        Cancel the jobs of a queue or a dataset, or of both together; returns how many.

        Those at work end within about a second, or when the job that is at work is done. What the done ones of such a
        batch have not handed on yet is not handed on.
        """
        check_what(queue, dataset)
        cancelled = 0
        for name in self.queues() if queue is None else [queue]:
            for batch in self.waiting(name):
                if dataset in (None, batch.dataset):
                    cancelled += batch.count if dry_run else self._cancel(batch)
        return cancelled

    def _cancel(self, batch: Batch) -> int:
        claim = self.take(batch.ref)
        if claim is not None:
            return claim.cancel()
        _, name = naming.parse_ref(batch.ref)
        folder = self.folder(batch.queue)
        if not folder.exists(naming.payload(name)):
            return 0
        folder.write(naming.cancel_key(name), b"")
        return batch.count

    def dead(self, queue: str | None = None, *, last: int | None = None) -> Iterator[DeadLetter]:
        """The jobs that failed for good, the oldest first; only the `last` ones, so many, if given."""
        if queue is not None:
            return self.dead_files(queue).all(last=last)
        found = chain.from_iterable(self.dead_files(name).all(last=last) for name in self.queues())
        return found if last is None else newest(found, last)

    def requeue(self, ids: Iterable[str], *, queue: str | None = None) -> list[str]:
        """Queue dead jobs again, under the same ids and with no attempts; returns those that were there."""
        wanted = set(ids)
        done = []
        for name in self.queues() if queue is None else [queue]:
            files = self.dead_files(name)
            for letter in files.some(wanted):
                self.defer(renewed(letter))
                files.remove(letter)
                done.append(letter.id)
        return done

    def sweep(self, queue: str | None = None, *, older: timedelta = _LEFT_BEHIND) -> list[str]:
        """Remove what killed workers and senders left behind so long ago, of all queues or one; returns their keys."""
        # before the batches: one that has a bookmark now had its file then
        bookmarks = [name for name in self.lake.states.jobs() if name.startswith(naming.BOOKMARK)]
        swept = []
        for name in self.queues() if queue is None else [queue]:
            folder, lead = self.folder(name), naming.queue_folder(name)
            swept += [
                f"{lead}/{key}" for key in self._left_behind(name, now_utc() - older) if folder.delete(key)
            ]
            swept += [f"{lead}/{key}" for key in folder.sweep(older=older)]
        return swept + list(self._forgotten(bookmarks) if queue is None else ())

    def _left_behind(self, queue: str, before: datetime) -> Iterator[str]:
        """Old files that belong to batches which are gone."""
        folder = self.folder(queue)
        for kind in (naming.LEASES, naming.CANCELLED, naming.KNOWN):
            for entry in folder.entries(kind):
                if entry.modified > before:
                    continue
                name = entry.key[len(kind) + 1 : -len(naming.JSON)]
                if kind == naming.KNOWN:
                    name = (folder.read_or_none(entry.key) or b"").decode(errors="replace")
                if not name or not folder.exists(naming.payload(name)):
                    yield entry.key

    def _forgotten(self, bookmarks: list[str]) -> Iterator[str]:
        """Forget the bookmarks of batches that are gone."""
        refs = [batch.ref for queue in self.queues() for batch in self.waiting(queue)] if bookmarks else []
        waiting = {naming.bookmark(naming.parse_ref(ref)[1]) for ref in refs}
        return (name for name in bookmarks if name not in waiting and self.lake.states.reset(name))

    def settle(self, batch: Batch, settlement: Settlement) -> None:
        """Write down what became of jobs of a batch, but for the batch itself."""
        if not settlement.stopped:
            self.defer(settlement.deferred)
            self.defer(settlement.retried)
        self.dead_files(batch.queue).add(settlement.dead)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.lake.uri!r})"
