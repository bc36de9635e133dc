"""Compressed files, written so that the same content gives the same bytes."""

import bz2
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from lakehouse_assets.errors import InvalidData

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SUFFIXES = (".gz", ".zst", ".bz2")

_MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\x28\xb5\x2f\xfd": ".zst"}

_GZIP_LEVEL = 6
# level 3 made the exports no smaller and took longer
_ZSTD_LEVEL = 1
_PACKED = 8 << 10


@contextmanager
def compressing(sink: BinaryIO | io.BufferedIOBase, compression: str | None) -> Iterator[BinaryIO]:
    """
    A file that compresses into the sink, which stays open.

    Example:
        >>> sink = io.BytesIO()
        >>> with compressing(sink, "gz") as file:
        ...     written = file.write(b"hello")
        >>> gzip.decompress(sink.getvalue())
        b'hello'
    """
    target = cast(BinaryIO, sink)
    if compression is None:
        yield target
    elif compression == "gz":
        # neither a name nor a time goes into the header
        with gzip.GzipFile(
            fileobj=target, mode="wb", compresslevel=_GZIP_LEVEL, filename="", mtime=0
        ) as file:
            yield cast(BinaryIO, file)
    elif compression == "zst":
        import zstandard

        compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True)
        with compressor.stream_writer(target, closefd=False) as file:
            yield cast(BinaryIO, file)
    else:
        msg = f"unknown compression {compression!r}; use gz or zst"
        raise InvalidData(msg)


def decompressing(source: BinaryIO, name: str) -> BinaryIO:
    """A file with the plain bytes of the source, whose compression its name tells."""
    if name.endswith(".gz"):
        return cast(BinaryIO, gzip.GzipFile(fileobj=source, mode="rb"))
    if name.endswith(".bz2"):
        return cast(BinaryIO, bz2.BZ2File(source, mode="rb"))
    if name.endswith(".zst"):
        return cast(BinaryIO, io.BufferedReader(_ZstdFile(source)))
    return source


def decompressed(source: BinaryIO) -> BinaryIO:
    """A file with the plain bytes behind gzip, zstandard or bzip2, which its first bytes tell; or the file itself."""
    buffered = source if hasattr(source, "peek") else io.BufferedReader(cast(io.RawIOBase, source))
    head = cast(io.BufferedReader, buffered).peek(4)[:4]
    for magic, suffix in _MAGIC.items():
        if head.startswith(magic):
            return decompressing(buffered, suffix)
    return buffered


def damages() -> tuple[type[Exception], ...]:
    """What reading damaged compressed data raises."""
    import zstandard

    return (EOFError, OSError, zlib.error, zstandard.ZstdError)


def plain_name(name: str) -> str:
    """The name without the suffix of a compression."""
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


class _ZstdFile(io.RawIOBase):
    """The plain bytes of zstandard frames; zstandard's own reader takes a file that was cut off for a whole one."""

    def __init__(self, source: BinaryIO) -> None:
        import zstandard

        self._source = source
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame = self._decompressor.decompressobj()
        self._begun = False
        self._plain = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        while not self._plain:
            # a little goes a long way: each block of four bytes may stand for 128 KB
            packed = self._source.read(_PACKED)
            if not packed and self._begun:
                raise EOFError("the file ends in the middle of its compressed data")
            if not packed:
                return 0
            self._plain = memoryview(self._unpack(packed))
        view = memoryview(buffer)
        size = min(len(view), len(self._plain))
        view[:size], self._plain = self._plain[:size], self._plain[size:]
        return size

    def _unpack(self, packed: bytes) -> bytes:
        plain = b""
        while packed:
            self._begun = True
            plain += self._frame.decompress(packed)
            packed = self._frame.unused_data
            if self._frame.eof:
                self._frame, self._begun = self._decompressor.decompressobj(), False
        return plain
