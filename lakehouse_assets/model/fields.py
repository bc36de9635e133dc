"""Types of fields that several documents share, as strict as followthemoney's own models."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    HttpUrl,
    PlainSerializer,
    StringConstraints,
    ValidationError,
)

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{2}(:\d{2}){0,2})?)?)?")
_COUNTRY = re.compile(r"[a-z]{2}")


def _url(value: str) -> str:
    try:
        return str(HttpUrl(value))
    except ValidationError as exc:
        msg = f"not an http(s) address: {value!r}"
        raise ValueError(msg) from exc


def _date(value: object) -> object:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S")
    # YAML reads 2026-01-31 as a date and 2026 as a number
    text = str(value) if isinstance(value, date | int) else value
    if isinstance(text, str) and not _DATE.fullmatch(text):
        msg = f"not a date: {text!r}; write YYYY, YYYY-MM or YYYY-MM-DD"
        raise ValueError(msg)
    return text


def _country(value: str) -> str:
    if _COUNTRY.fullmatch(value):
        return value
    # 2 s to import, and only for what is no plain code: names, "eu-cor", "gb-sct"
    from followthemoney.types import registry

    code = registry.country.clean(value)
    if code is None:
        msg = f"not a country: {value!r}; write its code, like fr"
        raise ValueError(msg)
    return code


def _seconds(value: datetime) -> str:
    at = value.astimezone(UTC) if value.tzinfo else value
    return at.strftime("%Y-%m-%dT%H:%M:%S")


Url = Annotated[str, AfterValidator(_url)]
"""An http(s) address."""

PartialDate = Annotated[str, BeforeValidator(_date)]
"""A day, a month or a year."""

Country = Annotated[str, AfterValidator(_country)]
"""A country's code."""

Seconds = Annotated[datetime, PlainSerializer(_seconds, when_used="json")]
"""A time in UTC, written as `2026-11-21T04:13:18`."""

Filled = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""A text that is not empty."""
