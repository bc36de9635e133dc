"""Payloads of jobs: whatever JSON can hold, handed on without any change."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping

from lakehouse_assets.errors import NotJson

# what JSON brings back as it was; subclasses, like enums, come back as something else
_PLAIN = (str, bool, int, type(None))


def check_texts(value: object) -> None:
    """Do nothing when no text in a value holds a NUL, which databases refuse; else ValueError."""
    for text in _texts(value):
        if "\0" in text:
            msg = f"a text holds the character NUL: {text[:80]!r}; take it out"
            raise ValueError(msg)


def to_line(values: Mapping[str, object]) -> bytes:
    """An object as JSON in one line, with its end; NotJson names the part that JSON cannot hold."""
    return _dumped(values) + b"\n"


def digest(values: Mapping[str, object]) -> str:
    """The SHA-256 of an object's JSON, the same for any order of its keys."""
    return hashlib.sha256(_dumped(values, in_order=True)).hexdigest()


def _dumped(values: Mapping[str, object], *, in_order: bool = False) -> bytes:
    try:
        _check(values, "")
        text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), sort_keys=in_order)
    except RecursionError as exc:
        msg = "the job is nested too deeply, or holds itself; keep a flatter payload"
        raise NotJson(msg) from exc
    return text.encode()


def _texts(value: object) -> Iterator[str]:
    # by hand: a payload may be nested deeper than calls can be, which is told when it is written
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif isinstance(part, Mapping | list | tuple) and id(part) not in seen:
            seen.add(id(part))
            waiting.extend([*part, *part.values()] if isinstance(part, Mapping) else part)


def _check(value: object, path: str) -> None:
    if isinstance(value, Mapping):
        for name, part in value.items():
            if type(name) is not str:
                raise _not_json(path, f"its key {name!r} is no text")
            _check(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            _check(part, f"{path}[{number}]")
    elif type(value) is float:
        if not math.isfinite(value):
            raise _not_json(path, f"{value} is no number in JSON")
    elif type(value) not in _PLAIN:
        raise _not_json(path, f"{type(value).__name__} is no value of JSON")
    elif isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _not_json(path, "it holds half a character (a surrogate)") from None


def _not_json(path: str, reason: str) -> NotJson:
    return NotJson(f"{path} cannot be handed on in a job: {reason}; keep text, numbers, lists and dicts")
