"""Job records: one file for each run of an operation."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from pydantic import ValidationError

from lakehouse_assets import layout
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.model.job import Job
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

J = TypeVar("J", bound=Job)

_SAVE_TASKS = 1000
_SAVE_SECONDS = 10.0


class JobRun(Generic[J]):
    """A job that runs now."""

    def __init__(self, location: Location, job: J) -> None:
        self.job = job
        self._location = location
        self._saved_at = 0.0
        self._saved_tasks = 0

    def save(self) -> None:
        """Write the job's record as it is now."""
        self.job.touch()
        self._write()

    def progress(self, done: int | None = None, pending: int | None = None) -> None:
        """Note how far the job came; writes its record every 1,000 tasks or 10 seconds."""
        job = self.job
        job.done = job.done if done is None else done
        job.pending = job.pending if pending is None else pending
        tasks = job.done + job.errors - self._saved_tasks
        if tasks >= _SAVE_TASKS or time.monotonic() - self._saved_at >= _SAVE_SECONDS:
            self.save()

    def _finish(self, exc: BaseException | None = None) -> None:
        self.job.stop(exc)
        self._write()

    def _write(self) -> None:
        job = self.job
        self._location.write(layout.job_run(job.name, job.run_id), job.to_bytes())
        self._saved_at = time.monotonic()
        self._saved_tasks = job.done + job.errors


class Jobs:
    """The job records of a dataset."""

    def __init__(self, location: Location) -> None:
        self._location = location

    @contextmanager
    def run(self, job: J) -> Iterator[JobRun[J]]:
        """Keep the record of a job while the block works: at the start, at the end, and when it fails."""
        run = JobRun(self._location, job)
        run.save()
        try:
            yield run
        except BaseException as exc:
            try:
                run._finish(exc)
            except LakehouseError as second:
                # what the work failed with counts, and may well be why this fails
                log.warning("cannot write the record of %s %s: %s", job.name, job.run_id, second)
            raise
        run._finish()

    def list(self, job: type[J]) -> list[J]:
        """The records of a job class, the oldest first; those that cannot be read are left out."""
        keys = self._location.keys(layout.job_runs(job.__name__))
        return [found for key in keys if (found := self._read(job, key)) is not None]

    def latest(self, job: type[J]) -> J | None:
        """The newest record of a job class."""
        keys = list(self._location.keys(layout.job_runs(job.__name__)))
        found = (self._read(job, key) for key in reversed(keys))
        return next((record for record in found if record is not None), None)

    def get(self, job: type[J], run_id: str) -> J | None:
        """The record of one run; None when there is none that can be read."""
        return self._read(job, layout.job_run(job.__name__, run_id))

    def _read(self, job: type[J], key: str) -> J | None:
        data = self._location.read_or_none(key)
        try:
            return job.model_validate_json(data) if data is not None else None
        except ValidationError as exc:
            log.warning("cannot read %s: %s", self._location.url(key), exc)
            return None
