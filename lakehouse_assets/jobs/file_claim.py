"""A batch of a lake's queue that is being worked: nobody else has it, and how far it is stands in a bookmark."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from lakehouse_assets.errors import LeaseLost, StateConflict, StateCorrupt
from lakehouse_assets.jobs import naming
from lakehouse_assets.jobs.done import Tally
from lakehouse_assets.jobs.queue import EVERY, Batch, Settlement
from lakehouse_assets.state import StateData, StateStore
from lakehouse_assets.storage.lease import Lease

if TYPE_CHECKING:
    from lakehouse_assets.jobs.file_queue import FileQueue


log = logging.getLogger(__name__)


class Progress(BaseModel):
    """
    How far a batch is: `jobs` are settled, `succeeded` of them well, in `seconds`.

    `began` is how many workers began job number `at` and did not come to its end; only careful ones tell.
    """

    model_config = ConfigDict(extra="ignore")

    jobs: int = 0
    succeeded: int = 0
    seconds: float = 0.0
    at: int = -1
    began: int = 0


class FileClaim:
    """A batch that is ours as long as its lease is."""

    def __init__(self, queue: "FileQueue", batch: Batch, name: str, lease: Lease, *, died: bool) -> None:
        """`died` says that the one before us did not let go of it."""
        self.batch = batch
        self._queue = queue
        self._name = name
        self._folder = queue.folder(batch.queue)
        self._lease = lease
        self._held = ExitStack()
        self._held.enter_context(lease)
        self._states: StateStore = queue.lake.states
        self._state, self._progress = self._found()
        self._next = self._progress.jobs
        # whoever died did so before it had noted more jobs
        self._careful_until = self._next + EVERY if died else 0
        self._is_open = True

    def _found(self) -> tuple[StateData, Progress]:
        """How far the batch is; of what cannot be read it begins anew, as working twice does less harm than never."""
        bookmark = naming.bookmark(self._name)
        try:
            state = self._states.get_or_create(bookmark)
            return state, Progress.model_validate(state.to_dict())
        except (StateCorrupt, ValidationError) as exc:
            log.warning("%s is worked from its beginning: %s", self.batch.ref, exc)
            self._states.reset(bookmark)
            return self._states.get_or_create(bookmark), Progress()

    def lines(self) -> Iterator[bytes]:
        """The jobs that are still to be worked, read one by one."""
        with self._folder.open(naming.payload(self._name)) as file:
            yield from islice(file, self._progress.jobs, None)

    def is_cancelled(self) -> bool:
        """Whether somebody cancelled it since."""
        return self._folder.exists(naming.cancel_key(self._name))

    def begin(self) -> int:
        """Tell that the next job begins; returns how many workers died with it, as far as those noted it."""
        number, self._next = self._next, self._next + 1
        if number >= self._careful_until:
            return 0
        progress = self._progress
        if number < progress.at:
            # what an earlier worker died with comes later
            return 0
        before = progress.began if number == progress.at else 0
        self._note(progress.model_copy(update={"at": number, "began": before + 1}))
        return before

    def end(self) -> None:
        """Tell that the job that began is over: who dies now does not die of it."""
        if self._progress.at == self._next - 1:
            self._note(self._progress.model_copy(update={"at": -1, "began": 0}))

    def settle(self, settlement: Settlement) -> None:
        """Write down what became of some jobs; LeaseLost when the batch is somebody else's by now."""
        self._lease.check()
        self._queue.settle(self.batch, settlement)
        before = self._progress
        changes = {
            "jobs": before.jobs + settlement.done,
            "succeeded": before.succeeded + settlement.succeeded,
            "seconds": before.seconds + settlement.seconds,
        }
        progress = before.model_copy(update=changes)
        if settlement.is_last:
            self._progress = progress
            self._finish(aborted=self.batch.count - progress.jobs)
        else:
            self._note(progress)

    def cancel(self) -> int:
        """Give up what is left of it; returns how many jobs."""
        left = self.batch.count - self._progress.jobs
        self._finish(cancelled=left)
        self.release()
        return left

    def _note(self, progress: Progress) -> None:
        self._state.from_bytes(progress.model_dump_json())
        try:
            self._states.update(self._state)
        except StateConflict as exc:
            msg = f"somebody else works {self.batch.ref} by now, who does again what was not noted: {exc}"
            raise LeaseLost(msg) from exc
        self._progress = progress

    def _finish(self, *, cancelled: int = 0, aborted: int = 0) -> None:
        """Count the batch, and remove it: first its file, without which nobody looks at the others."""
        progress = self._progress
        tally = Tally(
            task=self.batch.task,
            dataset=self.batch.dataset,
            succeeded=progress.succeeded,
            seconds=progress.seconds,
            cancelled=cancelled,
            aborted=aborted,
        )
        self._queue.done(self.batch.queue).add(self._name, tally)
        self._folder.delete(naming.payload(self._name))
        if self._state.status != "new":
            self._states.reset(naming.bookmark(self._name))
        self._folder.delete(naming.cancel_key(self._name))
        self._is_open = False

    def release(self) -> None:
        """Let others have what is left; nothing is left of the lease when the batch is done."""
        self._held.close()
        self._lease.release()
        if not self._is_open:
            # of a lease that is let go of an object store keeps an empty file
            self._folder.delete(naming.lease_key(self._name))
