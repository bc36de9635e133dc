"""Making batches of jobs: those that go together are put together, and each is written once."""

import hashlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lakehouse_assets.jobs.models import AnyJob, DatasetJob, Job
from lakehouse_assets.jobs.stages import settings_of
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.spool import Spool

MOST_BYTES = 64 << 20
"""A batch of so many bytes takes no more jobs."""

_HELD = 8 << 20
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Group:
    """What the jobs of a batch have in common."""

    queue: str
    task: str
    dataset: str | None
    priority: int
    not_before: datetime | None


@dataclass
class Draft:
    """Some jobs of a group: their ids, and where their lines stand."""

    group: Group
    deferred_at: datetime
    ids: list[str] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(self, job: AnyJob, job_id: str, span: tuple[int, int]) -> None:
        """Take one job."""
        self.ids.append(job_id)
        self.spans.append(span)
        self._digest.update(f"{job.attempts} {job_id}\n".encode())

    @property
    def size(self) -> int:
        """The bytes of its lines."""
        return sum(size for _, size in self.spans)

    @property
    def digest(self) -> str:
        """The same for the same jobs, at the same attempt, whenever they are queued."""
        return self._digest.hexdigest()[:32]


class Drafts:
    """
    All jobs of one call, as batches; they wait in a temporary file, however many they are.

    `ids` are those of all jobs that are to be queued.
    """

    def __init__(self, jobs: "AnyJob | Iterable[AnyJob]", temp_directory: str | None) -> None:
        """Take the jobs; NotJson when one of them cannot be written."""
        self.ids: list[str] = []
        self._spool = Spool(temp_directory, held=_HELD)
        self._ready: list[Draft] = []
        self._open: dict[Group, Draft] = {}
        self._seen: set[str] = set()
        now = now_utc()
        try:
            for job in [jobs] if isinstance(jobs, Job) else jobs:
                self._take(job, now)
        except BaseException:
            self._spool.close()
            raise

    def _take(self, job: AnyJob, now: datetime) -> None:
        settings = settings_of(job.task)
        if not settings.defer:
            return
        dataset = job.dataset if isinstance(job, DatasetJob) else None
        priority = settings.priority_of(job)
        later = job.scheduled_at if job.scheduled_at and job.scheduled_at > now else None
        group = Group(job.queue, job.task, dataset, priority, later)
        job_id = job.id
        self.ids.append(job_id)
        if job_id in self._seen:
            return
        self._seen.add(job_id)
        draft = self._open.get(group)
        if draft is None:
            draft = self._open[group] = Draft(group, _next_moment())
            self._ready.append(draft)
        line = (job if job.priority == priority else _with_priority(job, priority)).to_line()
        start = self._spool.size
        self._spool.write(line)
        draft.add(job, job_id, (start, len(line)))
        if len(draft.ids) >= settings.batch_size or self._spool.size - draft.spans[0][0] >= MOST_BYTES:
            del self._open[group]

    def __iter__(self) -> Iterator[Draft]:
        return iter(self._ready)

    def lines(self, draft: Draft) -> Iterator[bytes]:
        """The lines of a batch."""
        return (self._spool.read(start, size) for start, size in draft.spans)

    def close(self) -> None:
        """Forget the jobs."""
        self._spool.close()


def _with_priority(job: AnyJob, priority: int) -> AnyJob:
    return job.model_copy(update={"priority": priority})


_last = now_utc()
_lock = threading.Lock()


def _next_moment() -> datetime:
    """The time of now, later than any before, so that batches keep their order."""
    global _last
    with _lock:
        _last = max(now_utc(), _last + _TICK)
        return _last
