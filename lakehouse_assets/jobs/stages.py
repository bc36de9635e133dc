"""
Stages: the functions that work jobs, by the name of the task.

A stage takes a job, and returns what is to be done next: a job, several, or nothing.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import TypeVar, overload

from pydantic import BaseModel, ConfigDict, Field

from lakehouse_assets.errors import InvalidData, TaskNotFound
from lakehouse_assets.jobs.models import AnyJob, Name

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., object])

PRIORITY = 50
"""The priority of a job that is given none, by a stage that has no other."""


class StageSettings(BaseModel):
    """
    How the jobs of a stage are treated; times are in seconds.

    A failed job is tried again `max_retries` times, for ever with -1. Before its n-th retry it waits
    `wait + linear * (n - 1) + exponential ** n`: by default 5, 25, 125 s. Priorities are kept between `min_priority`
    and `max_priority`. `batch_size` is how many jobs are handed to a worker at once. With `defer` off the jobs of the
    stage are not queued at all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    queue: Name | None = None
    task: Name
    defer: bool = True
    max_retries: int = Field(default=3, ge=-1)
    wait: float = Field(default=0, ge=0)
    linear: float = Field(default=0, ge=0)
    exponential: float = Field(default=5, ge=0)
    priority: int = PRIORITY
    min_priority: int | None = None
    max_priority: int | None = None
    batch_size: int = Field(default=1000, ge=1)

    def delay(self, attempts: int) -> float:
        """How long a job waits that failed after so many attempts before, in seconds."""
        try:
            return self.wait + self.linear * attempts + self.exponential ** (attempts + 1)
        except OverflowError:
            return _LONGEST_DELAY

    def priority_of(self, job: AnyJob) -> int:
        """The priority that a job of the stage has."""
        found = self.priority if job.priority is None else job.priority
        found = found if self.min_priority is None else max(found, self.min_priority)
        return found if self.max_priority is None else min(found, self.max_priority)


_LONGEST_DELAY = 30 * 24 * 3600.0


@dataclass(frozen=True)
class Stage:
    """A function and how its jobs are treated."""

    function: Callable[..., object]
    settings: StageSettings

    @property
    def place(self) -> str:
        """The function's full name."""
        return f"{self.function.__module__}.{self.function.__qualname__}"


_stages: dict[str, Stage] = {}


@overload
def stage(function: F, /) -> F: ...


@overload
def stage(
    name: str | None = None,
    /,
    *,
    app: object = None,
    queue: str | None = None,
    defer: bool = True,
    max_retries: int = 3,
    wait: float = 0,
    linear: float = 0,
    exponential: float = 5,
    priority: int = PRIORITY,
    min_priority: int | None = None,
    max_priority: int | None = None,
    batch_size: int = 1000,
) -> Callable[[F], F]: ...


def stage(
    name: "str | F | None" = None, /, *, app: object = None, **settings: object
) -> "F | Callable[[F], F]":
    """
    Make a function the stage of a task; the settings are those of StageSettings, `app` is not looked at.

    Without a name the task is called as the function is: by its full name with the module, or by its last part.

    Example:
        >>> @stage("extract", max_retries=1)
        ... def extract(job: DatasetJob) -> DatasetJob:
        ...     with job.get_writer() as writer:
        ...         for entity in job.load_entities():
        ...             writer.put(entity)
        ...     return DatasetJob.from_entities(job.dataset, job.queue, "mentions", job.get_entities())
    """

    def register(function: F) -> F:
        task = name if isinstance(name, str) else f"{function.__module__}.{function.__qualname__}"
        _register(Stage(function, StageSettings.model_validate({"task": task, **settings})))
        return function

    return register(name) if callable(name) else register


task = stage
"""The same as `stage`."""


def _register(made: Stage) -> None:
    known = _stages.get(made.settings.task)
    # a module may be loaded again
    if known is not None and known.place != made.place:
        msg = f"there are two stages {made.settings.task!r}: {known.place} and {made.place}; rename one"
        raise InvalidData(msg)
    _stages[made.settings.task] = made


def find_stage(task: str) -> Stage:
    """The stage of a task; TaskNotFound when there is none."""
    found = _stages.get(task)
    if found is None:
        short = [made for made in _stages.values() if made.place.rpartition(".")[2] == task]
        found = short[0] if len(short) == 1 and short[0].settings.task == short[0].place else None
    if found is None:
        msg = f"no stage {task!r}; name the module that has it in LAKEHOUSE_STAGES, or correct the job's task"
        raise TaskNotFound(msg)
    return found


def settings_of(task: str) -> StageSettings:
    """How the jobs of a task are treated, also of one whose stage is not known here."""
    try:
        return find_stage(task).settings
    except TaskNotFound:
        return StageSettings(task=task)


def stage_names() -> list[str]:
    """The tasks of all stages that are known here, sorted."""
    return sorted(_stages)


def load_stages(modules: Iterable[str]) -> None:
    """Import modules that have stages; InvalidData names one that cannot be imported."""
    for name in modules:
        try:
            import_module(name)
        except Exception as exc:
            # whatever a module of somebody else raises
            msg = f"cannot load the stages of {name!r}: {type(exc).__name__}: {exc}; correct it, or LAKEHOUSE_STAGES"
            raise InvalidData(msg) from exc
