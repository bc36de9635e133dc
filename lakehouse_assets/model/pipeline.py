"""The pipeline.yml of a dataset: what to crawl, when to work, what must hold before anything is published."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from lakehouse_assets.model.crawl import HandleExistingMode
from lakehouse_assets.model.documents import load_yaml, to_yaml
from lakehouse_assets.model.fields import Filled
from lakehouse_assets.model.ftm import ftm_model

OFF = "off"

_MOST_NAMED = 5

_CRON_FIELD = r"[\d*/,\-A-Za-z#?]+"
_CRON = re.compile(
    rf"{_CRON_FIELD}(\s+{_CRON_FIELD}){{4}}|@(hourly|daily|weekly|monthly|yearly|annually|midnight)"
)
_EVERY = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class _Closed(BaseModel):
    """A model that takes no unknown keys: they are typos."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _schedule(value: object) -> object:
    # YAML reads a bare `off` as false
    if value is False:
        return OFF
    if isinstance(value, str) and (value == OFF or _CRON.fullmatch(value.strip())):
        return value.strip()
    msg = "write a cron expression, like '0 3 * * *', or off"
    raise ValueError(msg)


def _duration(value: object) -> object:
    if not isinstance(value, str) or value.startswith("P"):
        return value
    found = _EVERY.fullmatch(value.strip())
    if not found:
        msg = f"not a duration: {value!r}; write a number and s, m, h, d or w, like 6h"
        raise ValueError(msg)
    return timedelta(**{_UNITS[found[2]]: float(found[1])})


Schedule = Annotated[str, BeforeValidator(_schedule)]
Every = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]


class CrawlSource(_Closed):
    """A place that files are taken from."""

    uri: Filled
    prefix: str | None = None
    exclude_prefix: str | None = None
    glob: str | None = None
    exclude_glob: str | None = None
    existing: HandleExistingMode = HandleExistingMode.skip_path
    make_entities: bool = True
    every: Every | None = None

    @field_validator("existing", mode="before")
    @classmethod
    def _none_skips_nothing(cls, value: object) -> object:
        return HandleExistingMode.overwrite if value is None else value


class Schedules(_Closed):
    """When what is done by the clock; a cron expression, `off`, or None for what is usual."""

    make: Schedule | None = None
    compact: Schedule | None = None
    merge: Schedule | None = None
    vacuum: Schedule | None = None
    gc: Schedule | None = None


class Bounds(_Closed):
    """The least and the greatest number."""

    min: int | None = Field(default=None, ge=0)
    max: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = f"min is {self.min}, which is more than max, {self.max}"
            raise ValueError(msg)
        return self


def _schema(name: str) -> str:
    schema = ftm_model().schemata.get(name)
    if schema is None:
        raise ValueError(_unknown("schema", name, ftm_model().schemata))
    if schema.abstract:
        below = [
            other.name for other in ftm_model().schemata.values() if other.is_a(name) and not other.abstract
        ]
        msg = f"no entity is just a {name}; name what it is: {', '.join(sorted(below)[:_MOST_NAMED])} ..."
        raise ValueError(msg)
    return name


def _property(name: str) -> str:
    schema, dot, prop = name.partition(".")
    if not dot:
        msg = f"{name!r} is no property; write Schema.property, like Person.name"
        raise ValueError(msg)
    known = [known.name for known in ftm_model().schemata[_schema(schema)].properties]
    if prop not in known:
        raise ValueError(_unknown(f"property of {schema} with values", prop, known))
    return name


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"no {kind} is called {name!r}" + (f"; did you mean {near[0]}?" if near else "")


SchemaName = Annotated[str, AfterValidator(_schema)]
"""A schema that entities can have."""

PropertyName = Annotated[str, AfterValidator(_property)]
"""A property as `Schema.property`."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
"""From 0, none of them, to 1, all of them."""


class Assertions(_Closed):
    """
    What must hold of the statements before anything is exported.

    `schemata` (`schema` in the file) bounds the entities of each schema, `filled` is the least share of those
    of a schema that have a property (`Person.name: 0.9`), `max_drop_percent` the greatest loss of entities.
    """

    schemata: dict[SchemaName, Bounds] = Field(default={}, alias="schema")
    filled: dict[PropertyName, Share] = {}
    max_drop_percent: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)

    def __bool__(self) -> bool:
        """Whether anything is asserted at all."""
        bounded = any(bounds != Bounds() for bounds in self.schemata.values())
        return bounded or bool(self.filled) or self.max_drop_percent is not None


class PipelineConfig(_Closed):
    """
    What this program alone knows of a dataset: pipeline.yml on disk.

    Example:
        >>> config = PipelineConfig.load(b"crawl: [{uri: /srv/files, every: 6h}]", "acme/pipeline.yml")
        >>> config.crawl[0].every
        datetime.timedelta(seconds=21600)
    """

    crawl: list[CrawlSource] = []
    schedules: Schedules = Schedules()
    assertions: Assertions = Assertions()
    deleted_at: datetime | None = None
    """Since when the dataset is deleted: it can be brought back until its files are collected as garbage."""
    removed: bool | None = None
    """Whether its files are going."""

    @classmethod
    def load(cls, data: bytes, place: str) -> Self:
        """The pipeline in a file."""
        return load_yaml(cls, data, place)

    def to_yaml(self) -> bytes:
        """The bytes of pipeline.yml."""
        return to_yaml(self)
