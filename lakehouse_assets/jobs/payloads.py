"""Payloads of jobs: whatever JSON can hold, handed on without any change."""

import hashlib
import json
import math
from collections.abc import Mapping

from lakehouse_assets.errors import NotJson

# what JSON brings back as it was; subclasses, like enums, come back as something else
_PLAIN = (str, bool, int, type(None))


def check_texts(value: object) -> None:
    """Do nothing when no text in a value holds a NUL, which databases refuse; else ValueError."""
    # by hand: a payload may be nested deeper than calls can be, which is told when it is written
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if type(part) is str:
            if "\0" in part:
                msg = f"a text holds the character NUL: {part[:80]!r}; take it out"
                raise ValueError(msg)
        # the first is asked because the other takes ten times as long
        elif (
            type(part) not in _PLAIN
            and isinstance(part, dict | list | tuple | Mapping)
            and id(part) not in seen
        ):
            seen.add(id(part))
            waiting.extend(part)
            if isinstance(part, dict | Mapping):
                waiting.extend(part.values())


def to_line(values: Mapping[str, object]) -> bytes:
    """An object as JSON in one line, with its end; NotJson names the part that JSON cannot hold."""
    try:
        _check(values, "")
    except RecursionError as exc:
        raise _too_deep() from exc
    return _dumped(values) + b"\n"


def digest(values: Mapping[str, object]) -> str:
    """The SHA-256 of an object's JSON, the same for any order of its keys; NotJson as for `to_line`."""
    try:
        return hashlib.sha256(_dumped(values, in_order=True)).hexdigest()
    except (TypeError, ValueError) as exc:
        # json does not say where it stands
        to_line(values)
        raise NotJson(str(exc)) from exc


def _dumped(values: Mapping[str, object], *, in_order: bool = False) -> bytes:
    try:
        text = json.dumps(
            values,
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
            sort_keys=in_order,
            default=_as_dict,
        )
    except RecursionError as exc:
        raise _too_deep() from exc
    return text.encode()


def _as_dict(value: object) -> dict[object, object]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(type(value).__name__)


def _too_deep() -> NotJson:
    return NotJson("the job is nested too deeply, or holds itself; keep a flatter payload")


def _check(value: object, path: str) -> None:
    kind = type(value)
    if kind is str:
        _check_text(str(value), path)
    elif isinstance(value, dict | Mapping):
        for name, part in value.items():
            if type(name) is not str:
                raise _not_json(path, f"its key {name!r} is no text")
            _check_text(name, path)
            _check(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            _check(part, f"{path}[{number}]")
    elif isinstance(value, float) and kind is float:
        if not math.isfinite(value):
            raise _not_json(path, f"{value} is no number in JSON")
    elif kind not in _PLAIN:
        raise _not_json(path, f"{kind.__name__} is no value of JSON")


def _check_text(text: str, path: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise _not_json(path, "it holds half a character (a surrogate)") from None


def _not_json(path: str, reason: str) -> NotJson:
    return NotJson(f"{path} cannot be handed on in a job: {reason}; keep text, numbers, lists and dicts")
