"""Hashing and counting while writing, so that nothing is read twice."""

import hashlib
import io
from typing import TYPE_CHECKING, BinaryIO, Protocol

from lakehouse_assets.errors import StorageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


_BLOCK = 4 << 20


def digest_of(file: BinaryIO) -> tuple[str, int]:
    """The SHA-256 of what is left to read of a file, and how many bytes that is."""
    digest, size = hashlib.sha256(), 0
    while block := file.read(_BLOCK):
        digest.update(block)
        size += len(block)
    return digest.hexdigest(), size


class Sink(Protocol):
    """Anything that takes bytes."""

    def write(self, data: "ReadableBuffer", /) -> int | None:
        """Take all of the data."""


class DigestWriter(io.BufferedIOBase):
    """
    A binary file that hands all bytes on, and knows their SHA-256 and number.

    It is a file to csv, gzip, polars and pyarrow. Closing it does not close what lies behind.

    Example:
        >>> writer = DigestWriter(io.BytesIO())
        >>> writer.write(b"hello")
        5
        >>> writer.size, writer.digest[:8]
        (5, '2cf24dba')
    """

    def __init__(self, sink: Sink, *, place: str = "the output") -> None:
        self._sink = sink
        self._place = place
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: "ReadableBuffer", /) -> int:
        """Hand the bytes on; StorageError names the place when it refuses."""
        view = memoryview(data)
        try:
            self._sink.write(view)
        except StorageError:
            raise
        except OSError as exc:
            msg = f"cannot write {self._place}: {exc.strerror or exc}"
            raise StorageError(msg) from exc
        self._hash.update(view)
        self._size += view.nbytes
        return view.nbytes

    def writable(self) -> bool:
        """Always; reading and seeking are never possible."""
        return True

    @property
    def size(self) -> int:
        """How many bytes were written."""
        return self._size

    @property
    def digest(self) -> str:
        """The SHA-256 of all bytes written, in hex."""
        return self._hash.hexdigest()
