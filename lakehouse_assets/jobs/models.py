"""
Jobs: what is to be done, with all that has to be known for it.

A job names its queue and its task; the stage of that name works it, now or later, here or in another process. All of
it is plain JSON, and arrives as it was sent.
"""

# followthemoney, 2 s to import, is loaded where entities are made
import json
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    computed_field,
    field_validator,
    model_validator,
)

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.jobs import entities as given
from lakehouse_assets.jobs.context import current_collector, current_lake, current_queue
from lakehouse_assets.jobs.payloads import check_texts, digest, to_line
from lakehouse_assets.model.job import new_run_id
from lakehouse_assets.model.times import to_utc

if TYPE_CHECKING:
    from followthemoney.proxy import EntityProxy

    from lakehouse_assets.jobs.references import FileReference
    from lakehouse_assets.jobs.writer import JobWriter
    from lakehouse_assets.lake import Dataset

    Given = EntityProxy | Mapping[str, object]

LONGEST = 128
"""How many characters a name may have."""

# what Postgres takes as an integer, and so do Dagster's priorities
_MOST = 2**31


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


class _Cut(str):
    """A text that is shown without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _checked(text: str) -> str:
    if text.isascii() and "\0" not in text:
        # nearly all are, and there are four in each job
        return text
    check_texts(text)
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        msg = f"it holds half a character (a surrogate): {text[:80]!r}"
        raise ValueError(msg) from exc
    return text


Text: TypeAlias = Annotated[str, AfterValidator(_checked)]
Name: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST), AfterValidator(_checked)
]


class JobStatus(StrEnum):
    """Where a job is; `aborting` is a job at work that was cancelled, `aborted` what became of it."""

    todo = "todo"
    doing = "doing"
    succeeded = "succeeded"
    failed = "failed"
    cancelled = "cancelled"
    aborting = "aborting"
    aborted = "aborted"


class Job(BaseModel):
    """
    Something to do that is not bound to a dataset.

    Of jobs with the same queue, task and payload one is enough, as long as it waits: they have the same `id`. A
    `dedupe_key` tells them apart, and `duplicate` gives one an id of its own. Jobs of higher priority come first; times
    without an offset are UTC. What is None is as the stage has it.

    Example:
        >>> Job(queue="crawl", task="look", payload={"url": "https://example.org"}).defer()
        '6d6b1d0c…'
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True, populate_by_name=True)

    queue: Name
    task: Name
    payload: dict[str, object] = Field(default_factory=dict)
    given_id: Name | None = Field(default=None, alias="id", exclude=True)
    dedupe_key: Text | None = None
    status: JobStatus = JobStatus.todo
    scheduled_at: datetime | None = None
    priority: int | None = Field(default=None, ge=-_MOST, lt=_MOST)
    attempts: int = Field(default=0, ge=0)
    max_retries: int | None = Field(default=None, ge=-1)

    @field_validator("payload")
    @classmethod
    def _check_payload(cls, value: dict[str, object]) -> dict[str, object]:
        check_texts(value)
        return value

    @field_validator("scheduled_at")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        return to_utc(value) if value else None

    @model_validator(mode="after")
    def _forget_what_follows(self) -> Self:
        # an id that is made of the content must not stay when the content changes
        if self.given_id is not None and self.given_id == self.content_id():
            self.__dict__["given_id"] = None
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def id(self) -> str:
        """The id: the one given, else a SHA-256 of queue, task, dataset, payload and dedupe key."""
        return self.given_id or self.content_id()

    @property
    def context(self) -> dict[str, object]:
        """What the sender told besides: `payload["context"]`, if that is a dict."""
        found = self.payload.get("context")
        return found if isinstance(found, dict) else {}

    def duplicate(self) -> Self:
        """The same job with an id of its own, to be worked even while an equal one waits."""
        return self.model_copy(update={"given_id": new_run_id()})

    def defer(self) -> str:
        """
        Queue the job; returns its id.

        In a stage it is queued when the stage is done, and not when it fails. NotJson when the payload holds what JSON
        cannot.
        """
        collector = current_collector()
        return collector.defer(self) if collector else next(iter(current_queue().defer(self)), self.id)

    def to_line(self) -> bytes:
        """The job as a line of JSON: with its id only if one was given, as the other one follows from the rest."""
        fields = self.model_dump(mode="json", exclude={"payload", "id"})
        given = {"id": self.given_id} if self.given_id is not None else {}
        return to_line({**fields, **given, "payload": self.payload})

    def __repr_args__(self) -> Iterator[tuple[str | None, object]]:
        # a payload may be of any size
        for name, value in super().__repr_args__():
            yield name, _Cut(_SHORT.repr(value)) if name == "payload" else value

    def content_id(self) -> str:
        """A SHA-256 of queue, task, dataset, payload and dedupe key."""
        return digest(
            {
                "queue": self.queue,
                "task": self.task,
                "dataset": getattr(self, "dataset", None),
                "payload": self.payload,
                "key": self.dedupe_key,
            }
        )


class DatasetJob(Job):
    """
    Something to do with a dataset, most often with some of its entities.

    The dataset is one of the lake that the job is worked in: a worker's own, else that of the settings.

    Example:
        >>> job = DatasetJob.from_entities("acme", "files", "extract", documents, language="deu")
        >>> job.context
        {'language': 'deu'}
        >>> job.defer()
        'b5bb9d80…'
    """

    dataset: Name
    batch: Name | None = None

    @classmethod
    def from_entity(
        cls,
        dataset: str,
        queue: str,
        task: str,
        entity: "Given",
        dehydrate: bool = False,
        **context: object,
    ) -> Self:
        """A job for one entity; the same as `from_entities` with a list of it."""
        return cls.from_entities(dataset, queue, task, [entity], dehydrate, **context)

    @classmethod
    def from_entities(
        cls,
        dataset: str,
        queue: str,
        task: str,
        entities: "Iterable[Given]",
        dehydrate: bool = False,
        **context: object,
    ) -> Self:
        """
        A job for some entities, which go along in its payload.

        What else is given becomes the `context`, but for `batch`. With `dehydrate` only their ids, schemata, captions
        and what leads to their files go along. InvalidData when one has no id.
        """
        batch = context.pop("batch", None)
        reduced = given.dehydrated if dehydrate else given.as_dict
        payload: dict[str, object] = {"entities": [reduced(entity) for entity in entities]}
        if context:
            payload["context"] = context
        return cls(queue=queue, task=task, dataset=dataset, payload=payload, batch=batch)

    def get_dataset(self) -> "Dataset":
        """The dataset in the lake that the job is worked in; NotFound when there is none."""
        return current_lake().dataset(self.dataset)

    def get_entities(self) -> "Iterator[EntityProxy]":
        """The entities as they were sent, one by one; InvalidData when the payload has none."""
        if not isinstance(self.payload.get("entities"), list):
            msg = f"the payload of {self.task!r} has no list 'entities'; make the job by DatasetJob.from_entities"
            raise InvalidData(msg)
        yield from given.proxies(self._sent())

    def load_entities(self, *, on_missing: Literal["raise", "skip"] = "raise") -> "Iterator[EntityProxy]":
        """
        The same entities as the dataset has them now, in the order that they were sent, each once.

        EntityNotFound when one is not there any more, unless `on_missing` is `skip`.
        """
        ids = list(dict.fromkeys(entity.id for entity in self.get_entities() if entity.id))
        yield from given.loaded(self.get_dataset(), ids, on_missing=on_missing)

    def get_writer(self, origin: str | None = None) -> "AbstractContextManager[JobWriter]":
        """
        A writer of entities to the dataset: `add` or `put`; of a block that raised nothing is kept.

        Write only what is new of an entity: all that is written is claimed anew, under an origin that is by default
        the task. What it took is visible when the block ends; in a worker when the stage is done, before the jobs that
        it returned are queued, and never when the stage fails.
        """
        from lakehouse_assets.jobs.writer import job_writer

        return job_writer(self.get_dataset(), self.task if origin is None else origin)

    def get_file_references(self) -> "Iterator[FileReference]":
        """The files of the entities in the payload, one for each of their checksums, in order."""
        from lakehouse_assets.jobs.references import FileReference

        for entity in self.get_entities():
            for checksum in given.checksums(entity):
                yield FileReference(dataset=self.get_dataset(), entity=entity, checksum=checksum)

    def _sent(self) -> list[Mapping[str, object]]:
        return cast("list[Mapping[str, object]]", self.payload["entities"])


AnyJob: TypeAlias = Job | DatasetJob


def unpack(data: Mapping[str, object] | str | bytes) -> AnyJob:
    """
    The job that an object or its JSON means: one with a dataset is a DatasetJob.

    pydantic's ValidationError, a ValueError, names what is wrong with it.
    """
    found = json.loads(data) if isinstance(data, str | bytes) else data
    model = DatasetJob if isinstance(found, Mapping) and "dataset" in found else Job
    return model.model_validate(found)
