"""Remote files while they are read and written: their troubles are ours, whenever they come."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from fsspec.spec import AbstractBufferedFile

Guard = Callable[[], AbstractContextManager[None]]
"""Makes a block in which what the store refuses becomes our error."""

# read at once where a file is read from end to end
_AHEAD = 8 << 20


class Uploading:
    """A file that is being uploaded."""

    def __init__(self, file: "AbstractBufferedFile", guard: Guard) -> None:
        self._file, self._guard = file, guard

    def write(self, data: memoryview) -> int:
        """Take some bytes; how many."""
        with self._guard():
            return cast(int, self._file.write(data))


class Reading(io.RawIOBase):
    """A file that is read by exact ranges, each of them one request."""

    def __init__(self, open: "Callable[[], AbstractBufferedFile]", guard: Guard) -> None:
        self._guard = guard
        with guard():
            self._file = open()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a byte, without a request."""
        return cast(int, self._file.seek(offset, whence))

    def tell(self) -> int:
        """The byte that is read next."""
        return cast(int, self._file.tell())

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Read as much as fits."""
        view = memoryview(buffer)
        with self._guard():
            data = self._file.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Done with it."""
        # made in vain when opening failed
        if not self.closed and hasattr(self, "_file"):
            self._file.close()
        super().close()


class Ahead(io.BufferedReader):
    """A file of which much is read at once, also by those who ask for little, as readers of text do."""

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__(raw, _AHEAD)

    def read1(self, size: int = -1, /) -> bytes:
        """What is there already, up to so many bytes; if nothing is, much is asked for first."""
        # by itself it would pass a small wish on as a request of its own
        self.peek(1)
        return super().read1(size)
