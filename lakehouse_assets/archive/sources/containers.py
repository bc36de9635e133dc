"""Files that hold other files: opening them wherever they lie, and how much may come out of them."""

import errno
import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

from lakehouse_assets.archive.sources.base import reason_of
from lakehouse_assets.errors import InvalidData, NotFound, StorageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

FREE = 1_000_000_000
"""So much may come out of anything, however small: logs and tables pack well."""


@dataclass(frozen=True)
class Limits:
    """
    How much may come out of one packed file: `ratio` times its size, `size` bytes at all, so many `files`.

    Who packs nothing but zeros gets a terabyte into some kilobytes; a disk should not find that out.
    """

    ratio: int
    size: int
    files: int


class Budget:
    """Counts what comes out of a packed file of some bytes."""

    def __init__(self, limits: Limits, packed: int) -> None:
        self._limits = limits
        self._left = min(limits.size, max(FREE, limits.ratio * packed))

    def refusal(self, size: int, packed: int | None = None) -> str | None:
        """Why a member of this size, of so many packed bytes if that is known, is not taken; None when it is."""
        if packed is not None and size > max(FREE, self._limits.ratio * packed):
            return (
                f"it would unpack to {size:,} bytes from {packed:,}: more than {self._limits.ratio} times as "
                "many (LAKEHOUSE_UNPACK_RATIO)"
            )
        if size > self._left:
            return (
                f"with its {size:,} bytes more would come out of the packed file than it may hold "
                "(LAKEHOUSE_UNPACK_RATIO, LAKEHOUSE_UNPACK_SIZE)"
            )
        self._left -= size
        return None


@dataclass(frozen=True)
class Container:
    """A packed file that is open; `tag` changes with its content, and is empty where nothing tells."""

    stream: BinaryIO
    size: int
    tag: str


Opener = Callable[[], AbstractContextManager[Container]]


@contextmanager
def opened_container(uri: str, *, name: str, options: Mapping[str, object]) -> Iterator[Container]:
    """
    A packed file at a path or URL, for reading here and there; `name` stands for it in messages.

    NotFound without it, StorageError or InvalidData when it cannot be opened.
    """
    try:
        is_local = "://" not in uri or uri.startswith("file://")
        with _local(uri) if is_local else _remote(uri, name, options) as found:
            yield found
    except FileNotFoundError as exc:
        if isinstance(exc, NotFound):
            raise
        # fsspec says so, too, when a server keeps it back
        raise NotFound(f"{name} does not exist, or nobody may read it; name a packed file") from exc


@contextmanager
def _local(uri: str) -> Iterator[Container]:
    path = os.path.expanduser(uri.removeprefix("file://"))
    try:
        stream = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise StorageError(f"{path}: {reason_of(exc)}") from exc
    with stream:
        state = os.fstat(stream.fileno())
        yield Container(stream, state.st_size, f"{state.st_size}-{state.st_mtime_ns}-{state.st_ctime_ns}")


@contextmanager
def _remote(uri: str, name: str, options: Mapping[str, object]) -> Iterator[Container]:
    import fsspec

    try:
        fs, path = fsspec.core.url_to_fs(uri, **options)
        info = cast(Mapping[str, object], fs.info(path))
        file = fs.open(path, "rb")
    except FileNotFoundError:
        raise
    except (ValueError, ImportError, TypeError) as exc:
        raise InvalidData(f"{name} cannot be opened: {exc}") from exc
    except Exception as exc:
        # each store has errors of its own
        raise StorageError(f"{name} cannot be opened: {reason_of(exc)}") from exc
    size = info.get("size")
    tag = next((str(info[key]) for key in ("ETag", "mtime", "LastModified") if info.get(key)), "")
    with file as stream:
        yield Container(cast(BinaryIO, _Seeking(stream)), size if isinstance(size, int) else 0, tag)


class _Seeking(io.RawIOBase):
    """A file of fsspec's that refuses to go before its start by the error that zipfile waits for."""

    def __init__(self, stream: io.IOBase) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        try:
            return self._stream.seek(offset, whence)
        except ValueError as exc:
            raise OSError(errno.EINVAL, str(exc)) from exc

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer)
        data = cast(BinaryIO, self._stream).read(len(view))
        view[: len(data)] = data
        return len(data)
