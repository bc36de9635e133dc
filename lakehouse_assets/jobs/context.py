"""Where a job is worked: in which lake, and which queue takes the next ones."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lakehouse_assets.jobs.models import AnyJob
    from lakehouse_assets.jobs.queue import JobQueue
    from lakehouse_assets.lake import Dataset, Lake
    from lakehouse_assets.statements.inputs import Source


class Collector(Protocol):
    """Takes what a stage does, to be kept when it is done and forgotten when it fails."""

    def defer(self, job: "AnyJob") -> str:
        """Take a job that is to be queued; returns its id."""

    def write(self, dataset: "Dataset", origin: str, sources: "Sequence[Source]") -> None:
        """Take entities that are to be written."""


@dataclass(frozen=True)
class Surroundings:
    """What a program, or the worker that calls a stage, has told of itself."""

    lake: "Lake | None" = None
    queue: "JobQueue | None" = None
    collector: Collector | None = None


_NOWHERE = Surroundings()
_surroundings: ContextVar[Surroundings] = ContextVar("lakehouse_jobs", default=_NOWHERE)


@contextmanager
def surrounded(
    *, lake: "Lake | None" = None, queue: "JobQueue | None" = None, collector: Collector | None = None
) -> Iterator[None]:
    """
    Use another lake or queue while the block lasts, in this thread; what is None stays as it was.

    Example:
        >>> with surrounded(queue=MemoryQueue(lake)):
        ...     job.defer()
    """
    given = {"lake": lake, "queue": queue, "collector": collector}
    changes = {name: value for name, value in given.items() if value is not None}
    token = _surroundings.set(replace(_surroundings.get(), **changes))  # type: ignore[arg-type]
    try:
        yield
    finally:
        _surroundings.reset(token)


def current_lake() -> "Lake":
    """The lake that jobs are worked in here: the worker's, else that of the settings."""
    from lakehouse_assets.lake import Lake

    return _surroundings.get().lake or Lake()


def current_queue() -> "JobQueue":
    """The queue that jobs are deferred to here: the worker's, else that of the settings."""
    from lakehouse_assets.jobs.opening import open_queue

    here = _surroundings.get()
    return here.queue or open_queue(current_lake())


def current_collector() -> Collector | None:
    """What takes the writes and jobs of the stage that is at work here; None outside of a worker."""
    return _surroundings.get().collector
