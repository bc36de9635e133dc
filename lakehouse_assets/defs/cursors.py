"""The cursors of sensors: what a sensor saw, small enough to be kept with each of its looks."""

import base64
import json
import zlib
from collections.abc import Mapping

_PACKED = "z:"
# people may read it up to here; Dagster keeps one with each look of each sensor for a week
_READABLE = 2000

Seen = dict[str, str]


def read_cursor(text: str | None) -> Seen:
    """
    What a cursor holds; nothing when there is none, or somebody wrote something else into it.

    Example:
        >>> read_cursor(write_cursor({"acme": "e593439b93e0"}))
        {'acme': 'e593439b93e0'}
    """
    try:
        plain = zlib.decompress(base64.b64decode(text[2:])) if text and text.startswith(_PACKED) else text
        found = json.loads(plain or "{}")
    except (ValueError, zlib.error):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def write_cursor(seen: Mapping[str, str]) -> str:
    """The cursor that holds this; of many datasets it is packed."""
    plain = json.dumps(dict(sorted(seen.items())), separators=(",", ":"))
    if len(plain) <= _READABLE:
        return plain
    return _PACKED + base64.b64encode(zlib.compress(plain.encode(), 9)).decode()
