"""Compressed files, written so that the same content gives the same bytes."""

import bz2
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from lakehouse_assets.errors import InvalidData

SUFFIXES = (".gz", ".zst", ".bz2")

_GZIP_LEVEL = 6
# level 3 made the exports no smaller and took longer
_ZSTD_LEVEL = 1


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
        import zstandard

        # a file may be several frames, one after the other
        reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
        return cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, reader)))
    return source


def plain_name(name: str) -> str:
    """The name without the suffix of a compression."""
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name
