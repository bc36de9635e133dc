"""Jobs: what an operation was asked to do, and how far it came."""

import logging
import secrets
import time
import uuid
from datetime import datetime, timedelta
from typing import Self

from pydantic import BaseModel, Field, computed_field, field_validator

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.documents import validate
from lakehouse_assets.model.names import check_dataset_name
from lakehouse_assets.model.times import now_utc


def new_run_id() -> str:
    """A UUID of version 7: those of later runs sort after those of earlier ones."""
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    # twelve bits of the part of a millisecond keep quick successions in order
    value = (milliseconds << 80) | (0x7 << 76) | ((rest << 12) // 1_000_000 << 64)
    return str(uuid.UUID(int=value | (0b10 << 62) | secrets.randbits(62)))


class Job(BaseModel):
    """
    One run of an operation.

    Subclasses add what the operation has to know. `pending`, `done` and `errors` count its tasks.

    Example:
        >>> job = Job.make()
        >>> job.done += 1
        >>> job.stop()
        >>> job.running, job.done
        (False, 1)
    """

    run_id: str = Field(default_factory=new_run_id)
    started: datetime | None = None
    stopped: datetime | None = None
    last_updated: datetime | None = None
    pending: int = 0
    done: int = 0
    errors: int = 0
    running: bool = False
    exc: str | None = None
    took: timedelta = timedelta(0)

    @field_validator("exc")
    @classmethod
    def _no_error(cls, value: str | None) -> str | None:
        # ftm-lakehouse writes so after success
        return None if value == "None" else value

    @classmethod
    def make(cls, **fields: object) -> Self:
        """A new job; InvalidData names a field that is unknown or cannot be used."""
        unknown = [name for name in fields if name not in cls.model_fields]
        if unknown:
            known = ", ".join(sorted(cls.model_fields))
            msg = f"{cls.__name__} has no field {', '.join(unknown)}; it has {known}"
            raise InvalidData(msg)
        return validate(cls, fields, cls.__name__)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def name(self) -> str:
        """The name of the job's class."""
        return type(self).__name__

    @property
    def log(self) -> logging.Logger:
        """A logger named after the job's class."""
        return logging.getLogger(f"lakehouse_assets.jobs.{self.name}")

    def touch(self) -> None:
        """Note that the job runs now; the first time it starts it."""
        now = now_utc()
        self.started = self.started or now
        self.last_updated = now
        self.took = now - self.started
        self.running = True
        self.stopped = None

    def stop(self, exc: BaseException | str | None = None) -> None:
        """Note that the job ended, and what it failed with, if it did."""
        self.touch()
        self.stopped = self.last_updated
        self.running = False
        self.exc = _text(exc)

    def to_bytes(self) -> bytes:
        """The job's record: one line of JSON, nulls included."""
        return self.model_dump_json().encode()


class DatasetJob(Job):
    """A job on one dataset."""

    dataset: str

    @field_validator("dataset")
    @classmethod
    def _check_dataset(cls, value: str) -> str:
        return check_dataset_name(value)


def _text(exc: BaseException | str | None) -> str | None:
    if isinstance(exc, BaseException):
        return str(exc) or type(exc).__name__
    return exc
