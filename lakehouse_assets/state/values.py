"""Values that JSON can hold: checked and copied when they come, written always in the same way."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import TypeAlias, cast

from lakehouse_assets.errors import InvalidData, NotJson

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""A value that JSON can hold."""


def copied(value: object, path: str) -> Json:
    """
    A copy of a value, tuples as lists; NotJson names the part that JSON cannot hold.

    Example:
        >>> copied({"seen": (1, 2)}, "files")
        {'seen': [1, 2]}
    """
    try:
        return _copied(value, path)
    except RecursionError as exc:
        msg = f"{path} is nested too deeply, or holds itself; JSON cannot hold it, keep a flatter value"
        raise NotJson(msg) from exc


def _copied(value: object, path: str) -> Json:
    # enums and the like are subclasses, which JSON would not bring back
    if value is None or type(value) in (bool, int):
        return cast(Json, value)
    if type(value) is str:
        return _text(value, path)
    if type(value) is float:
        if not math.isfinite(value):
            raise _not_json(path, f"{value} is no number in JSON; keep None instead")
        return value
    if isinstance(value, list | tuple):
        return [_copied(part, f"{path}[{number}]") for number, part in enumerate(value)]
    if isinstance(value, Mapping):
        return {_name(name, path): _copied(part, f"{path}.{name}") for name, part in value.items()}
    raise _not_json(path, f"{type(value).__name__} is no value of JSON; keep text, numbers, lists and dicts")


def _name(name: object, path: str) -> str:
    if type(name) is not str:
        raise _not_json(path, f"its key {name!r} is no text")
    return _text(name, path)


def _text(text: str, path: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _not_json(path, "it holds half a character (a surrogate), which no file can hold") from None
    return text


def _not_json(path: str, reason: str) -> NotJson:
    return NotJson(f"{path} cannot be kept in a state: {reason}")


def dumped(values: Mapping[str, Json]) -> bytes:
    """An object as JSON, always the same bytes for the same values: sorted, UTF-8, without blanks."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


def digest(values: Mapping[str, Json]) -> str:
    """The SHA-256 of an object's JSON."""
    return hashlib.sha256(dumped(values)).hexdigest()


def loaded(data: bytes | str) -> dict[str, Json]:
    """The object that a JSON text holds; InvalidData when it holds no object, or what JSON does not know."""
    try:
        text = data if isinstance(data, str) else data.decode()
        value = json.loads(text)
    except (ValueError, RecursionError) as exc:
        msg = f"it is no JSON text: {exc}"
        raise InvalidData(msg) from exc
    if not isinstance(value, dict):
        msg = f"it is no JSON object but of type {type(value).__name__}"
        raise InvalidData(msg)
    # Python reads NaN, and numbers too large as infinite
    return {name: copied(part, name) for name, part in value.items()}
