"""What a source of files is: it lists them, tells in which state each is, and opens them."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, NamedTuple, Protocol

from lakehouse_assets.archive.names import safe_key
from lakehouse_assets.errors import InvalidData, LakehouseError

THREADS = 8
"""How many files of a source are read at once: enough to keep a disk or a server busy while some of them wait."""

_BILLION = 1_000_000_000


class SourceFile(NamedTuple):
    """
    A file at a source.

    `key` is the path that it is archived under, `path` the one that it has at the source, for messages. Its state is
    `size` (bytes), `changed` (nanoseconds since 1970, UTC) and `tag` (a text that changes with the content): each None
    where the source does not tell it. `place` is for the source itself.
    """

    # no dataclass: a crawl makes one for each of some hundred thousand files
    key: str
    path: str
    size: int | None = None
    changed: int | None = None
    tag: str | None = None
    place: object = None

    @property
    def state(self) -> tuple[int | None, int | None, str | None]:
        """What differs when the file has another content."""
        return self.size, self.changed, self.tag

    @property
    def is_known(self) -> bool:
        """Whether the state says enough to tell one content from another; a size alone does not."""
        return self.changed is not None or self.tag is not None


class Unreadable(NamedTuple):
    """Something at a source that could not be read, and why; of a folder nothing below it was seen."""

    path: str
    reason: str
    is_folder: bool = False


class LeftOut(NamedTuple):
    """Something at a source that is no file of its own: `why` is `link`, `special`, `query` or `lake`."""

    path: str
    why: str


Found = SourceFile | Unreadable | LeftOut


def file_at(
    path: str,
    *,
    size: int | None = None,
    changed: int | None = None,
    tag: str | None = None,
    place: object = None,
) -> SourceFile | Unreadable:
    """A file whose path comes from somebody else: archived under a safe one, unreadable when it has no name at all."""
    text = shown(path)
    try:
        key = safe_key(path)
    except InvalidData:
        return Unreadable(text, "it has no name")
    return SourceFile(key, text, size, changed, tag, place)


def never() -> bool:
    """What a source says that cannot change under a reader."""
    return False


@dataclass(slots=True)
class OpenFile:
    """
    A file that is open for reading, from end to end.

    `file` has the state as it was when the file was opened, `created` (nanoseconds since 1970, UTC) and
    `content_type` what the source tells beyond it. `has_changed` tells, after reading, whether what was read may be
    no content that the file ever had. A file that changed a moment ago is not settled: it may change again without
    a trace, as clocks are coarse.
    """

    file: SourceFile
    stream: BinaryIO
    created: int | None = None
    content_type: str | None = None
    has_changed: Callable[[], bool] = never
    is_settled: bool = True


class FileSource(Protocol):
    """
    A place that files are taken from.

    `uri` is its address without credentials. `threads` is how many files may be open at once; of a source with 0 each
    file must be read before the next one is listed. LakehouseError while listing means that the rest cannot be seen.
    """

    uri: str
    threads: int

    def files(self) -> Iterator[Found]:
        """All files, and what is in the way of seeing all of them."""

    def look(self, file: SourceFile) -> SourceFile:
        """The file with its state, if the listing did not tell it."""

    def open(self, file: SourceFile) -> AbstractContextManager[OpenFile]:
        """The file for reading; an OSError or LakehouseError says why it cannot be."""

    def close(self) -> None:
        """Give back what listing and reading left open."""


class SourceChanged(LakehouseError):
    """A file became another one while it was read."""


def nanoseconds(at: datetime) -> int:
    """A time as sources tell it; one without an offset is UTC."""
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return int(at.timestamp()) * _BILLION + at.microsecond * 1000


def moment(at: int | None) -> datetime | None:
    """The time that a source told, in UTC, to the microsecond."""
    if at is None:
        return None
    seconds, rest = divmod(at, _BILLION)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)


def shown(path: str) -> str:
    r"""
    A path as text that can be written anywhere; bytes that are no Unicode become `\xe9`.

    Example:
        >>> shown("caf\udce9.txt")
        'caf\\xe9.txt'
    """
    return path if path.isascii() else path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def is_settled(changed: int | None, *, tick: float) -> bool:
    """Whether the last change is longer ago than a tick of the clock (seconds) that stamps changes."""
    return changed is None or time.time_ns() - changed > tick * _BILLION


def reason_of(exc: BaseException) -> str:
    """Why a file could not be read, in a sentence without the file's name."""
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return str(exc) or type(exc).__name__
