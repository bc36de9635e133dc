"""Keys of archived files: what a path may be, so that nobody who uses it leaves the folder that is meant."""

import re

from lakehouse_assets.errors import InvalidData

_CHECKSUM = re.compile(r"[0-9a-f]{64}")
_FILE_ID = re.compile(r"[\w-]+", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")

_NO_NAMES = {"", ".", ".."}
_MOST_BYTES = 65535
_BYTE = range(0xDC80, 0xDD00)


def checked_key(key: str) -> str:
    """
    The key itself if it stays below its folder and can be written, else InvalidData.

    Names are joined by `/`. Any name will do but `.`, `..`, an empty one, and one that is no Unicode; all together may
    have as many bytes as a name in a zip file.

    Example:
        >>> checked_key("Übersicht/2024 (1).pdf")
        'Übersicht/2024 (1).pdf'
    """
    if "\0" in key or any(part in _NO_NAMES for part in key.split("/")) or _SURROGATE.search(key):
        msg = f"not a path for an archived file: {key!r}; give it a relative one, without '..'"
        raise InvalidData(msg)
    if len(key) > _MOST_BYTES or len(key.encode()) > _MOST_BYTES:
        msg = f"a path of {len(key):,} characters is too long for an archived file: {key[:100]!r}...; shorten it"
        raise InvalidData(msg)
    return key


def safe_key(path: str) -> str:
    """
    The key of a file whose path comes from somebody else; the path itself wherever it can be one.

    A path that starts at a root is taken from there; `..` becomes `__`, so that nothing leaves its folder; bytes
    that are no Unicode become `%E9`.

    Example:
        >>> safe_key("/../etc/passwd")
        '__/etc/passwd'
    """
    path = _SURROGATE.sub(_byte, path.replace("\0", "%00"))
    parts = ["__" if part == ".." else part for part in path.split("/") if part not in ("", ".")]
    if not parts:
        msg = f"not a path of a file: {path!r}; it has no name in it"
        raise InvalidData(msg)
    return "/".join(parts)


def is_checksum(text: str) -> bool:
    """Whether a text is a SHA-256 in lower-case hex."""
    return bool(_CHECKSUM.fullmatch(text))


def checked_checksum(checksum: str) -> str:
    """The checksum itself if it is a SHA-256 in lower-case hex, else InvalidData."""
    if not is_checksum(checksum):
        msg = f"not a checksum: {checksum!r}; it is a SHA-256: 64 hex digits in lower case"
        raise InvalidData(msg)
    return checksum


def checked_file_id(file_id: str) -> str:
    """The id itself if it can be a part of a file's name, else InvalidData."""
    if not _FILE_ID.fullmatch(file_id):
        msg = f"not the id of a file: {file_id!r}; `lakehouse archive ls --json` lists them"
        raise InvalidData(msg)
    return file_id


def _byte(found: re.Match[str]) -> str:
    # Python reads a byte that is no UTF-8 as one of these
    code = ord(found[0])
    return f"%{code - 0xDC00:02X}" if code in _BYTE else "\ufffd"
