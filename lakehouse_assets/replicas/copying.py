"""Copying a file from one place to another, checked on its way."""

import hashlib

from lakehouse_assets.errors import Damaged
from lakehouse_assets.storage.location import Location

IN_MEMORY = 8 << 20
"""Up to this size a file is read in one go."""

_CHUNK = 1 << 20


def copy_file(
    source: Location,
    target: Location,
    key: str,
    *,
    size: int,
    checksum: str | None = None,
    to: str | None = None,
) -> int:
    """
    Copy a file of a known size, to another key if one is given; returns its bytes.

    It appears whole or not at all. Damaged when it has another size or checksum, NotFound when it is gone.
    """
    if size <= IN_MEMORY:
        data = source.read(key)
        _check(source, key, len(data), hashlib.sha256(data).hexdigest() if checksum else None, size, checksum)
        target.write(to or key, data)
        return size
    with source.open(key) as stream, target.writer(to or key) as writer:
        while chunk := stream.read(_CHUNK):
            writer.write(chunk)
        _check(source, key, writer.size, writer.digest, size, checksum)
    return size


def _check(
    source: Location, key: str, size: int, digest: str | None, wanted: int, checksum: str | None
) -> None:
    if size != wanted:
        msg = f"{source.url(key)} has {size:,} bytes and should have {wanted:,}: it is damaged; restore it there"
        raise Damaged(msg)
    if checksum is not None and digest != checksum:
        msg = f"{source.url(key)} has the checksum {digest} and should have {checksum}: it is damaged; restore it there"
        raise Damaged(msg)
