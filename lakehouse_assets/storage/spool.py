"""What is too much for memory and needed for a while: in memory as long as it is small, then in a temporary file."""

import io
import marshal
import tempfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Generic, NamedTuple, TypeVar, cast

from lakehouse_assets.model.times import micros, of_micros
from lakehouse_assets.storage.files import Entry
from lakehouse_assets.storage.parallel import batches
from lakehouse_assets.storage.spilling import spilling

_HELD = 1 << 20
_CHUNK = 1 << 20
_BLOCK = 4096

Row = TypeVar("Row", bound=NamedTuple)


class Spool:
    """Bytes that are written first and read later, in memory or in a temporary file; the end can be taken back."""

    def __init__(self, temp_directory: str | None, *, held: int = _HELD) -> None:
        """So many bytes are `held` in memory."""
        self._temp_directory = temp_directory
        with spilling(temp_directory):
            file = tempfile.SpooledTemporaryFile(held, prefix="lakehouse-spool-", dir=temp_directory)  # noqa: SIM115
        self._file = cast(BinaryIO, file)

    @property
    def size(self) -> int:
        """How many bytes it holds."""
        return self._file.seek(0, io.SEEK_END)

    def write(self, data: bytes) -> None:
        """Take more bytes."""
        with spilling(self._temp_directory):
            self._file.write(data)

    def copy(self, stream: BinaryIO) -> None:
        """Take all bytes of a stream."""
        while data := stream.read(_CHUNK):
            self.write(data)

    def cut(self, size: int) -> None:
        """Forget what was written after so many bytes."""
        self._file.truncate(size)
        self._file.seek(size)

    def open(self) -> BinaryIO:
        """All of it, from the start; closing it removes it."""
        self._file.seek(0)
        return self._file

    def read(self, start: int, size: int) -> bytes:
        """Some of it."""
        self._file.seek(start)
        found = self._file.read(size)
        self._file.seek(0, io.SEEK_END)
        return found

    def lines(self) -> Iterator[bytes]:
        """All of it, line by line; nothing is written meanwhile."""
        self._file.seek(0)
        yield from self._file

    def close(self) -> None:
        """Forget all of it."""
        self._file.close()


class Rows(Generic[Row]):
    """
    Rows in a spool, which may hold others beside them: read as often as one likes, a block at a time.

    A row is a named tuple, of a class that is given, with texts, numbers and None.
    """

    def __init__(self, spool: Spool, kind: type[Row]) -> None:
        self._spool = spool
        self._kind = kind
        self._blocks: list[tuple[int, int]] = []
        self._count = 0

    def extend(self, rows: Iterable[Row]) -> None:
        """Take more rows."""
        for batch in batches(rows, _BLOCK):
            data = marshal.dumps([tuple(row) for row in batch])
            self._blocks.append((self._spool.size, len(data)))
            self._spool.write(data)
            self._count += len(batch)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        for start, size in self._blocks:
            # written by this process into a file that nobody else can open
            yield from map(self._kind._make, marshal.loads(self._spool.read(start, size)))


class Listed(NamedTuple):
    """A file as a listing shows it; `modified` in microseconds since 1970."""

    key: str
    size: int
    modified: int

    @classmethod
    def of(cls, entry: Entry) -> "Listed":
        """The row of an entry."""
        return cls(entry.key, entry.size, micros(entry.modified))

    def entry(self) -> Entry:
        """The entry again."""
        return Entry(self.key, self.size, of_micros(self.modified))
