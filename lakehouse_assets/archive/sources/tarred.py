"""Files in a tar file, packed or not."""

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from lakehouse_assets.archive.sources.base import (
    Found,
    LeftOut,
    OpenFile,
    SourceFile,
    file_at,
    reason_of,
    shown,
)
from lakehouse_assets.archive.sources.containers import Budget, Container, Limits, Opener
from lakehouse_assets.errors import InvalidData, LakehouseError, StorageError
from lakehouse_assets.storage.compression import decompressed

_XZ = b"\xfd7zXZ\0"
_BLOCK = 1 << 20
# nothing but a header that means harm asks for more at once: names and times of a member take some hundred bytes
_LONGEST_READ = 16 << 20
_BILLION = 1_000_000_000


class TarSource:
    """
    The files in a tar file, or those in one of its folders: read once, from its start to its end.

    As it has no directory, each file is read when it is come by. A link to a file that came before is left out: its
    content is archived at that place.
    """

    threads = 0

    def __init__(self, uri: str, open_container: Opener, *, inner: str, limits: Limits) -> None:
        """The files below the folder `inner`; gzip, bzip2, xz and zstandard are told by the first bytes."""
        self.uri = uri
        self._open = open_container
        self._inner = inner.strip("/")
        self._limits = limits
        self._tar: tarfile.TarFile | None = None

    def files(self) -> Iterator[Found]:
        """All files; StorageError where it is damaged, InvalidData where more comes out of it than may."""
        with self._open() as container:
            budget = Budget(self._limits, container.size)
            number = 0
            try:
                stream = _Forward(_plain(container))
                self._tar = tarfile.TarFile(fileobj=cast(BinaryIO, stream), mode="r")
                while (member := self._tar.next()) is not None:
                    # it would keep them all
                    self._tar.members.clear()  # type: ignore[attr-defined]
                    number += 1
                    if number > self._limits.files:
                        msg = f"only the first {number - 1:,} files were read (LAKEHOUSE_UNPACK_FILES)"
                        raise InvalidData(msg)
                    found = self._found(member, container.tag, budget)
                    if found is not None:
                        yield found
                # what is packed ends with a sum of it all
                stream.read(_LONGEST_READ)
            except LakehouseError as exc:
                raise type(exc)(f"{self.uri}: {exc}") from exc
            except _damages() as exc:
                msg = f"{self.uri} cannot be read as a tar file after {number:,} files: {reason_of(exc)}"
                raise StorageError(msg) from exc

    def _found(self, member: tarfile.TarInfo, tag: str, budget: Budget) -> Found | None:
        path = self._below(member.name)
        if not path or member.isdir():
            return None
        if not member.isreg():
            return LeftOut(shown(path), "link" if member.issym() or member.islnk() else "special")
        refusal = budget.refusal(member.size)
        if refusal is not None:
            # what is not wanted must be unpacked all the same, to come to what follows
            msg = f"{shown(path)} and what follows was not read: {refusal}"
            raise InvalidData(msg)
        changed = int(member.mtime * _BILLION)
        return file_at(path, size=member.size, changed=changed, tag=tag or None, place=member)

    def _below(self, name: str) -> str:
        """A member's path from the folder that is meant, empty when it lies elsewhere."""
        name = name.removeprefix("./")
        if not self._inner:
            return name
        if name == self._inner:
            return name.rpartition("/")[2]
        return name[len(self._inner) + 1 :] if name.startswith(f"{self._inner}/") else ""

    def look(self, file: SourceFile) -> SourceFile:
        """The file itself: the tar file tells all."""
        return file

    def close(self) -> None:
        """Nothing is left open."""

    @contextmanager
    def open(self, file: SourceFile) -> Iterator[OpenFile]:
        """The member that was listed last, for reading."""
        assert self._tar is not None
        stream = self._tar.extractfile(cast(tarfile.TarInfo, file.place))
        assert stream is not None
        with stream:
            yield OpenFile(file, cast(BinaryIO, stream))


class _Forward(io.RawIOBase):
    """A stream that knows where it is, and can skip."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence != io.SEEK_SET or offset < self._at:
            msg = "the tar file would have to be read backwards"
            raise io.UnsupportedOperation(msg)
        while self._at < offset:
            if not self.read(min(_BLOCK, offset - self._at)):
                break
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= _LONGEST_READ:
            msg = f"a header asks for {size:,} bytes at once"
            raise InvalidData(msg)
        parts = []
        while size and (data := self._stream.read(size)):
            parts.append(data)
            size -= len(data)
            self._at += len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _plain(container: Container) -> BinaryIO:
    buffered = io.BufferedReader(cast(io.RawIOBase, container.stream), _BLOCK)
    if buffered.peek(len(_XZ)).startswith(_XZ):
        return cast(BinaryIO, lzma.open(buffered))
    return decompressed(cast(BinaryIO, buffered))


def _damages() -> tuple[type[Exception], ...]:
    """What reading a damaged tar file raises."""
    import zstandard

    return (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError)
