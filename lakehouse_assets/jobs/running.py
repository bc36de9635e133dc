"""Working one job: calling its stage, and seeing what becomes of it."""

import hashlib
import json
import logging
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lakehouse_assets.errors import EndlessLoop, InvalidData, TaskNotFound, WorkerDied
from lakehouse_assets.jobs.collecting import Outbox, Writes
from lakehouse_assets.jobs.context import surrounded
from lakehouse_assets.jobs.models import AnyJob, Job, JobStatus, unpack
from lakehouse_assets.jobs.queue import Batch, DeadLetter
from lakehouse_assets.jobs.stages import find_stage, settings_of
from lakehouse_assets.model.times import now_utc

if TYPE_CHECKING:
    from lakehouse_assets.lake import Dataset, Lake
    from lakehouse_assets.statements.inputs import Source

log = logging.getLogger(__name__)

# no other attempt could do better
_FOR_GOOD = (TaskNotFound, EndlessLoop, WorkerDied)

_LONGEST_LINE = 1_000
_LONGEST_TRACE = 20_000


@dataclass(frozen=True)
class Result:
    """What became of a job: it succeeded, or is to be `retried`, or is `dead`; `error` is what it failed with."""

    seconds: float
    error: str = ""
    retried: AnyJob | None = None
    dead: DeadLetter | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the stage did what it should."""
        return self.retried is None and self.dead is None


class Collected:
    """Takes what one call of a stage does."""

    def __init__(self, writes: Writes, outbox: Outbox) -> None:
        self._writes = writes
        self._outbox = outbox
        self._before = writes.mark(), outbox.mark()

    def defer(self, job: AnyJob) -> str:
        """Take a job that the stage hands on."""
        return self._outbox.add(job)

    def write(self, dataset: "Dataset", origin: str, sources: "Sequence[Source]") -> None:
        """Take entities that the stage wrote."""
        self._writes.take(dataset, origin, sources)

    def forget(self) -> None:
        """Undo all of it."""
        writes, outbox = self._before
        self._writes.cut(writes)
        self._outbox.cut(outbox)


def run_job(line: bytes, batch: Batch, *, lake: "Lake", writes: Writes, outbox: Outbox) -> Result:
    """Call the stage of a job; what it wrote and returned is collected when it does well, and forgotten else."""
    began = time.monotonic()
    collected = Collected(writes, outbox)
    try:
        with surrounded(lake=lake, collector=collected):
            _call(line, collected)
        return Result(time.monotonic() - began)
    except (Exception, SystemExit) as exc:
        collected.forget()
        return failure(line, batch, exc, seconds=time.monotonic() - began)
    except BaseException:
        # interrupted: the job is worked again
        collected.forget()
        raise


def failure(line: bytes, batch: Batch, exc: BaseException, *, seconds: float) -> Result:
    """What becomes of a job whose stage raised: another attempt later, or the dead letters."""
    try:
        job = unpack(line)
    except ValueError as unreadable:
        letter = _dead_letter(f"line-{hashlib.sha256(line).hexdigest()}", 0, line, batch, unreadable)
        return Result(seconds, letter.error, dead=letter)
    attempts = job.attempts + 1
    settings = settings_of(job.task)
    most = settings.max_retries if job.max_retries is None else job.max_retries
    if isinstance(exc, _FOR_GOOD) or 0 <= most < attempts:
        changed = job.model_copy(update={"attempts": attempts, "status": JobStatus.failed})
        letter = _dead_letter(job.id, attempts, changed.to_line(), batch, exc)
        log.warning("%s %s failed for good: %s", job.task, job.id, letter.error)
        return Result(seconds, letter.error, dead=letter)
    at = _later(settings.delay(job.attempts))
    error, _ = _told(exc)
    log.info("%s %s failed, attempt %s: %s", job.task, job.id, attempts, error)
    again = {"attempts": attempts, "scheduled_at": at, "status": JobStatus.todo}
    return Result(seconds, error, retried=job.model_copy(update=again))


def _later(seconds: float) -> datetime:
    """A time from now on, at a whole second: jobs that fail together are tried together, in one batch."""
    now = now_utc()
    at = now + timedelta(seconds=seconds)
    return at.replace(microsecond=0) + timedelta(seconds=1) if seconds else now


def _call(line: bytes, collected: Collected) -> None:
    # at once: a change of it would be checked as a whole
    job = unpack({**json.loads(line), "status": JobStatus.doing})
    function = find_stage(job.task).function
    returned = function(job)
    content = None
    for following in _jobs(returned, job):
        # as it was: the stage may have changed the job
        content = content or unpack(line).content_id()
        if following.content_id() == content:
            msg = f"the stage {job.task!r} returned the very job that it was given, which would never end"
            raise EndlessLoop(msg)
        collected.defer(_fresh(following, job))


def _jobs(returned: object, job: AnyJob) -> Iterable[AnyJob]:
    if returned is None:
        return
    if isinstance(returned, Job):
        yield returned
        return
    if not isinstance(returned, Iterable):
        msg = f"the stage {job.task!r} returned {type(returned).__name__}; it may return a job, several, or nothing"
        raise InvalidData(msg)
    for each in returned:
        if not isinstance(each, Job):
            msg = f"the stage {job.task!r} returned {type(each).__name__} among its jobs; it may return jobs only"
            raise InvalidData(msg)
        yield each


def _fresh(following: AnyJob, job: AnyJob) -> AnyJob:
    """A job that was made of the one that was worked starts anew: what was told of that one is not true of it."""
    if following is not job:
        return following
    changes = {"given_id": None, "attempts": 0, "scheduled_at": None, "status": JobStatus.todo}
    return following.model_copy(update=changes)


def _dead_letter(job_id: str, attempts: int, line: bytes, batch: Batch, exc: BaseException) -> DeadLetter:
    error, trace = _told(exc)
    return DeadLetter(
        id=job_id,
        queue=batch.queue,
        task=batch.task,
        dataset=batch.dataset,
        attempts=attempts,
        error=error,
        traceback=trace,
        at=now_utc(),
        data=line,
    )


def _told(exc: BaseException) -> tuple[str, str]:
    """What an exception says in one line, and all of it; neither of any length, and both as any store takes them."""
    try:
        text = " ".join(str(exc).split())
    except Exception:
        # it is not ours, and its text may be another fault
        text = "(what it says cannot be read)"
    name = type(exc).__name__
    whole = "".join(traceback.format_exception(exc))
    # the end of a long one is what tells
    return _clean(f"{name}: {text}" if text else name)[:_LONGEST_LINE], _clean(whole)[-_LONGEST_TRACE:]


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd").encode(errors="backslashreplace").decode()
