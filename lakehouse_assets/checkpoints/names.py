"""Which names checkpoints, runs and parts may have: each is one part of a path."""

import hashlib
import re

from lakehouse_assets.errors import InvalidData

_NAME = re.compile(r"[A-Za-z0-9_~][A-Za-z0-9._~-]{0,127}")
_RESERVED_ENDS = (".parts", ".tmp")
_RESERVED_START = "_"
_PLAIN = re.compile(r"[A-Za-z0-9_-]")
_NOT_FIRST = ("_", "-")
_LONGEST = 128
_DIGITS = 24


def check_name(name: str) -> str:
    """The name itself if a checkpoint may have it, else InvalidData."""
    return _unreserved(name, "the name of a checkpoint")


def check_part(part: str) -> str:
    """The name itself if a part of a checkpoint may have it, else InvalidData."""
    return _unreserved(part, "the name of a part of a checkpoint")


def check_id(value: str, what: str) -> str:
    """
    The id itself if it can be that of a run or a correlation, else InvalidData.

    Example:
        >>> check_id("0d6e3a52-8a65-4a0f-b1f7-1c2f54b5f6a1", "run_id")
        '0d6e3a52-8a65-4a0f-b1f7-1c2f54b5f6a1'
    """
    return _checked(value, f"a {what}")


def encoded(*names: str) -> str:
    """
    Any names as the name of one checkpoint: other names, another checkpoint.

    Example:
        >>> encoded("load[eu]", "result")
        'load~5beu~5d.result'
    """
    text = ".".join(_encoded(name) for name in names)
    if text.startswith(_NOT_FIRST):
        text = _byte(text[0]) + text[1:]
    if text.endswith(_RESERVED_ENDS):
        text = text[:-1] + _byte(text[-1])
    if len(text) <= _LONGEST:
        return text
    # ~~ stands in no other name
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
    return f"{text[: _LONGEST - _DIGITS - 2]}~~{digest}"


def _encoded(name: str) -> str:
    # an empty one must show, too
    return "".join(char if _PLAIN.match(char) else _byte(char) for char in name) or "~"


def _byte(char: str) -> str:
    return "".join(f"~{byte:02x}" for byte in char.encode())


def _unreserved(name: str, what: str) -> str:
    _checked(name, what)
    if name.startswith(_RESERVED_START) or name.endswith(_RESERVED_ENDS):
        msg = f"{name!r} cannot be {what}: those that begin with _ or end with .parts or .tmp are reserved"
        raise InvalidData(msg)
    return name


def _checked(name: str, what: str) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
        shown = name[:80] if isinstance(name, str) else name
        msg = (
            f"{shown!r} cannot be {what}: use up to 128 of A-Z, a-z, 0-9, _ ~ - and single dots between, "
            "beginning with a letter, a digit, _ or ~"
        )
        raise InvalidData(msg)
    return name
