"""Names of collections, series and namespaces."""

import unicodedata
from urllib.parse import quote, unquote

from lakehouse_assets.errors import InvalidData

_LONGEST = 255


def checked_label(label: str, what: str = "collection") -> str:
    """
    The label without white space around it; InvalidData when it cannot be one.

    Example:
        >>> checked_label(" foo bar ")
        'foo bar'
    """
    if not isinstance(label, str):
        msg = f"the label of a {what} is a text, not {label!r}"
        raise InvalidData(msg)
    plain = label.strip()
    if not plain or any(part in (".", "..") for part in plain.split("/")):
        msg = f"{label!r} cannot be the label of a {what}; give it one like 'temperature' or 'weather/temperature'"
        raise InvalidData(msg)
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in plain):
        msg = f"{label!r} cannot be the label of a {what}: it has a control character; leave that out"
        raise InvalidData(msg)
    if len(file_name(plain)) > _LONGEST - len(".parquet"):
        msg = f"{label[:60]!r}… is too long for the label of a {what}; {_LONGEST - 8} bytes are the most"
        raise InvalidData(msg)
    return plain


def file_name(label: str) -> str:
    """
    A label as one part of a path.

    Example:
        >>> file_name("a/b"), file_name("_hidden"), file_name("..")
        ('a%2Fb', '%5Fhidden', '%2E.')
    """
    encoded = quote(label, safe=" ")
    # such names are hidden, or mean something else to those who look for files
    if encoded[:1] in ("_", ".", "-", "~"):
        encoded = f"%{ord(encoded[0]):02X}{encoded[1:]}"
    return encoded


def label_of(name: str) -> str | None:
    """The label that a part of a path means, None when it means none."""
    try:
        return checked_label(unquote(name, errors="strict"))
    except (UnicodeDecodeError, InvalidData):
        return None
