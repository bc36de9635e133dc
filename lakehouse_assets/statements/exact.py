"""
The exact reader of one line: slow, complete, and sure of its verdict.

The fast reader (`parse`) takes whole blocks, and loses some things without a word: a second key of the same name,
a number where a text belongs. It hands every line that it did not fully understand to this one.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.names import check_origin

_NO_SCHEMA = "no schema"

# keys of a statement, and of an entity that lists them
_OF_STATEMENTS = {"statements", "entity_id", "canonical_id", "prop", "value"}


@dataclass(frozen=True)
class Entity:
    """What a line says, checked: all values are lists of strings."""

    id: str
    schema: str
    properties: dict[str, list[str]]
    first_seen: str | None
    last_seen: str | None
    last_change: str | None
    origin: str | None
    role: str | None
    fragment: str | None


class BadEntity(Exception):
    """Why a line is no entity; the message stands in the quarantine."""


def read_entity(line: str, *, allow_nul: bool = True) -> Entity:
    """
    The entity of a line; BadEntity says what is wrong with it.

    Values may hold NUL characters if somebody cleans them afterwards, and says so by `allow_nul`.
    """
    try:
        data = json.loads(line, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as exc:
        raise BadEntity(f"not JSON: {exc.msg} at character {exc.pos + 1}") from exc
    except RecursionError as exc:
        raise BadEntity("not JSON: nested too deeply") from exc
    if not isinstance(data, dict):
        raise BadEntity(f"a JSON object is needed, not {_kind(data)}")
    _check_unique(data)
    return Entity(
        id=_text(data, "id", "no id"),
        schema=_text(data, "schema", _NO_SCHEMA),
        properties=_properties(data, allow_nul=allow_nul),
        first_seen=_optional(data, "first_seen"),
        last_seen=_optional(data, "last_seen"),
        last_change=_optional(data, "last_change"),
        origin=read_text(data.get("origin"), "origin"),
        role=read_text(data.get("role"), "role"),
        fragment=read_text(data.get("fragment"), "fragment"),
    )


def read_text(value: object, key: str) -> str | None:
    """A text, or the only element of a list; several and none give None. An origin must be one."""
    if isinstance(value, list):
        if not all(isinstance(item, str) for item in value):
            raise BadEntity(f"{key} holds something that is no text")
        value = value[0] if len(value) == 1 else None
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadEntity(f"{key} is {_kind(value)}, not a text")
    return _origin(value) if key == "origin" else _unicode(value, key)


def _origin(value: str) -> str:
    try:
        return check_origin(_unicode(value, "origin"))
    except InvalidData as exc:
        raise BadEntity(str(exc)) from exc


def read_time(value: object, key: str) -> datetime | None:
    """
    A moment in UTC: ISO 8601, or a prefix of it like `2024-05`, which means its first moment.

    A time without a zone is UTC.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadEntity(f"{key} is {_kind(value)}, not a text")
    text = value.strip()
    if re.fullmatch(r"\d{4}(-\d{2})?", text):
        text = f"{text}-01-01"[:10]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise BadEntity(f"{key} {value!r} is no time; write it like 2024-05-01T10:00:00+00:00") from exc
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class _Doubled(dict[str, object]):
    """An object with a key that stands there twice; harmless where nobody reads it."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    data = dict(pairs)
    if len(data) == len(pairs):
        return data
    names = [name for name, _ in pairs]
    return _Doubled({name: None for name in sorted(data) if names.count(name) > 1})


def _check_unique(data: dict[str, object]) -> None:
    if isinstance(data, _Doubled):
        raise BadEntity(f"the key {next(iter(data))!r} stands there twice")


def _no_constant(name: str) -> NoReturn:
    raise BadEntity(f"not JSON: {name} is no JSON number")


def _text(data: dict[str, object], key: str, missing: str) -> str:
    value = data.get(key)
    if value is None or value == "":
        raise BadEntity(missing)
    if not isinstance(value, str):
        raise BadEntity(f"{key} is {_kind(value)}, not a text")
    return _unicode(value, key)


def _optional(data: dict[str, object], key: str) -> str | None:
    value = data.get(key)
    if value is None or value == "":
        return None
    return _text(data, key, "")


def _properties(data: dict[str, object], *, allow_nul: bool) -> dict[str, list[str]]:
    if "properties" not in data and not _OF_STATEMENTS.isdisjoint(data):
        raise BadEntity("the line has statements, not properties: import needs entities")
    properties = data.get("properties") or {}
    if not isinstance(properties, dict):
        raise BadEntity(f"properties is {_kind(properties)}, not an object")
    _check_unique(properties)
    for name, values in properties.items():
        if not isinstance(values, list):
            raise BadEntity(f"the values of {name!r} are {_kind(values)}, not a list")
        for value in values:
            if not isinstance(value, str):
                raise BadEntity(f"a value of {name!r} is {_kind(value)}, not a text")
            _unicode(value, name, allow_nul=allow_nul)
    return properties


def _unicode(value: str, key: str, *, allow_nul: bool = False) -> str:
    if "\0" in value and not allow_nul:
        raise BadEntity(f"{key!r} holds a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise BadEntity(f"{key!r} holds half a character (a lone surrogate)") from exc
    return value


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {
        str: "a text",
        list: "a list",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return "an object" if isinstance(value, dict) else names[type(value)]
