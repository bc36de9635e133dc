"""Reading a stream once: its checksum, its size, and its bytes kept until it is known what to do with them."""

import hashlib
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from lakehouse_assets import layout
from lakehouse_assets.storage.files import TEMP_PREFIX
from lakehouse_assets.storage.location import Location

IN_MEMORY = 8 << 20
"""Up to this size a content is held in memory, and nothing of it is written if it is archived already."""

_CHUNK = 1 << 20
# most files are small, and room for a large chunk has its price
_FIRST_CHUNK = 1 << 16
# what a type is told by
_HEAD = 16


@dataclass(frozen=True, slots=True)
class Content:
    """What was read: the bytes of a small file, or the temp file that a large one was written to."""

    checksum: str
    size: int
    head: bytes
    data: bytes | None
    temp: str | None

    def publish(self, location: Location) -> None:
        """Put the content in its place, whole or not at all."""
        blob = layout.blob(self.checksum)
        if self.temp is not None:
            location.move(self.temp, blob)
        elif self.data is not None:
            location.write(blob, self.data)


@contextmanager
def taken_in(stream: BinaryIO, location: Location) -> Iterator[Content]:
    """Read a stream to its end; what was not published when the block ends is gone."""
    chunks = [last := stream.read(_FIRST_CHUNK)]
    size = len(last)
    while last and size <= IN_MEMORY:
        chunks.append(last := stream.read(_CHUNK))
        size += len(last)
    if not last:
        data = b"".join(chunks)
        yield Content(hashlib.sha256(data).hexdigest(), len(data), data[:_HEAD], data, None)
        return
    temp = f"{layout.ARCHIVE}/{TEMP_PREFIX}{secrets.token_hex(8)}"
    try:
        yield _staged(chunks, stream, location, temp)
    finally:
        location.delete(temp)


def _staged(chunks: list[bytes], stream: BinaryIO, location: Location, temp: str) -> Content:
    """A large content in a temp file. What is read next is read while the one before is hashed and written."""
    head = chunks[0][:_HEAD]
    with location.writer(temp) as writer, ThreadPoolExecutor(1) as pool:
        for chunk in chunks:
            writer.write(chunk)
        chunks.clear()
        waiting = None
        while chunk := stream.read(_CHUNK):
            if waiting is not None:
                waiting.result()
            waiting = pool.submit(writer.write, chunk)
        if waiting is not None:
            waiting.result()
    return Content(writer.digest, writer.size, head, None, temp)
