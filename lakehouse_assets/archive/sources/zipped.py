"""Files in a zip file."""

import lzma
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import BinaryIO, cast
from zipfile import BadZipFile, LargeZipFile, ZipFile, ZipInfo

from lakehouse_assets.archive.sources.base import (
    THREADS,
    Found,
    LeftOut,
    OpenFile,
    SourceFile,
    Unreadable,
    file_at,
    nanoseconds,
    shown,
)
from lakehouse_assets.archive.sources.containers import Budget, Limits, Opener
from lakehouse_assets.errors import InvalidData, StorageError

_DAMAGES = (BadZipFile, LargeZipFile, zlib.error, lzma.LZMAError, EOFError, struct.error, ValueError)

# the record that ends every zip file, and the longest comment that may follow it
_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"
_LONGEST_COMMENT = 65_535
# the records of large ones: where the second lies, and the second
_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
# what a file's entry takes at most, names of usual length given
_ENTRY = 256
_UNKNOWN_DATE = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED = 1


class ZipSource:
    """
    The files in a zip file, or those in one of its folders.

    The zip file keeps a sum of the bytes of each: what is known by it is not unpacked again.
    """

    def __init__(
        self,
        uri: str,
        open_container: Opener,
        *,
        inner: str,
        limits: Limits,
        is_local: bool,
    ) -> None:
        """The files below the folder `inner`; nothing is opened before they are listed."""
        self.uri = uri
        # one reader goes through a remote file from its start to its end
        self.threads = THREADS if is_local else 1
        self._open = open_container
        self._inner = inner.strip("/")
        self._limits = limits
        self._zip: ZipFile | None = None
        self._stack = ExitStack()

    def files(self) -> Iterator[Found]:
        """All files; InvalidData when it is no zip file, or one with more files than the limit."""
        self.close()
        container = self._stack.enter_context(self._open())
        try:
            self._check_count(container.stream)
            self._zip = ZipFile(container.stream)
        except _DAMAGES as exc:
            if isinstance(exc, InvalidData):
                raise
            raise InvalidData(f"{self.uri} cannot be read as a zip file: {exc}") from exc
        budget = Budget(self._limits, container.size)
        for info in self._zip.infolist():
            path = self._below(info.orig_filename)
            if path and not info.is_dir():
                yield self._found(path, info, budget)

    def close(self) -> None:
        """Close the zip file, which members are read from until then."""
        self._stack.close()

    def _found(self, path: str, info: ZipInfo, budget: Budget) -> Found:
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            return LeftOut(shown(path), "link" if stat.S_ISLNK(mode) else "special")
        refusal = budget.refusal(info.file_size, info.compress_size)
        if refusal is not None:
            return Unreadable(shown(path), refusal)
        return file_at(path, size=info.file_size, changed=_changed(info), tag=f"{info.CRC:08x}", place=info)

    def _below(self, name: str) -> str:
        """A member's path from the folder that is meant, empty when it lies elsewhere."""
        if not self._inner:
            return name
        if name == self._inner:
            return name.rpartition("/")[2]
        return name[len(self._inner) + 1 :] if name.startswith(f"{self._inner}/") else ""

    def _check_count(self, stream: BinaryIO) -> None:
        """Refuse more files than the limit before all their names are read into memory."""
        number, size = _directory(stream)
        if number > self._limits.files or size > self._limits.files * _ENTRY:
            msg = f"{self.uri} may hold more than {self._limits.files:,} files (LAKEHOUSE_UNPACK_FILES)"
            raise InvalidData(msg)

    def look(self, file: SourceFile) -> SourceFile:
        """The file itself: the zip file tells all."""
        return file

    @contextmanager
    def open(self, file: SourceFile) -> Iterator[OpenFile]:
        """A member for reading; its sum is compared at its end."""
        info = cast(ZipInfo, file.place)
        if info.flag_bits & _ENCRYPTED:
            raise StorageError("it is encrypted; unpack it with its password first, and crawl that")
        assert self._zip is not None
        try:
            stream = self._zip.open(info)
        except (*_DAMAGES, NotImplementedError, RuntimeError) as exc:
            raise StorageError(f"it cannot be unpacked: {exc}") from exc
        with stream:
            yield OpenFile(file, cast(BinaryIO, stream))


def _directory(stream: BinaryIO) -> tuple[int, int]:
    """How many files a zip file says it has, and how many bytes their entries take; zeros when it is none."""
    end = stream.seek(0, os.SEEK_END)
    start = max(0, end - _END.size - _LONGEST_COMMENT)
    stream.seek(start)
    tail = stream.read(end - start)
    at = tail.rfind(_END_MARK)
    if at < 0 or len(tail) < at + _END.size:
        return 0, 0
    number, size = _END.unpack_from(tail, at)[4:6]
    stream.seek(max(0, start + at - _LOCATOR.size - _END_64.size))
    large = stream.read(_END_64.size)
    if large.startswith(b"PK\x06\x06") and len(large) == _END_64.size:
        number, size = _END_64.unpack(large)[7:9]
    return number, size


def _changed(info: ZipInfo) -> int | None:
    """When a member was last changed, as if its clock showed UTC: a zip file keeps no zone."""
    if info.date_time == _UNKNOWN_DATE:
        return None
    try:
        return nanoseconds(datetime(*info.date_time, tzinfo=UTC))
    except ValueError:
        return None
