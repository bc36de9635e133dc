"""Taking files of a source into the archive, as many threads at once do it."""

import hashlib
import io
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from lakehouse_assets.archive.files import ArchivedFile
from lakehouse_assets.archive.sources.base import (
    FileSource,
    OpenFile,
    SourceChanged,
    SourceFile,
    moment,
    reason_of,
)
from lakehouse_assets.archive.sources.catalogue import Seen
from lakehouse_assets.archive.store import Archive
from lakehouse_assets.archive.types import mimetype_of
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.model.crawl import HandleExistingMode

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

log = logging.getLogger(__name__)

ORIGIN = "crawl"
"""The origin of crawled files and of their entities."""

_TRIES = 2
_CHUNK = 1 << 20
_PREFIX = "it changed while it was read"


class Task(NamedTuple):
    """A file to read, and what an earlier crawl saw of it."""

    file: SourceFile
    before: Seen | None


class Outcome(NamedTuple):
    """
    What became of a file: archived as `stored`, known already, or failed.

    What was known is `stored`, too, unless nothing is to be done about it any more. `seen` is what to remember.
    """

    file: SourceFile
    stored: ArchivedFile | None = None
    is_known: bool = False
    failure: str | None = None
    seen: Seen | None = None


class ReadFailed(LakehouseError):
    """A file of a source could not be read; the message is the reason alone."""


class _Elsewhere(Exception):
    """A content is archived under other paths, and that will do; the message is its checksum."""


class Reader(ABC):
    """Reads files of a source, a changing one twice; safe to use from many threads."""

    def __init__(self, source: FileSource, archive: Archive) -> None:
        self._source = source
        self._archive = archive
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End what is being read, soon."""
        self._stopped.set()

    def take_all(self, tasks: Sequence[Task]) -> list[Outcome]:
        """What became of some files, one after the other; what the archive refuses is raised."""
        return [self._take(task) for task in tasks]

    def _take(self, task: Task) -> Outcome:
        for left in range(_TRIES, 0, -1):
            try:
                return self._read(task)
            except SourceChanged as exc:
                if left == 1:
                    return Outcome(task.file, failure=str(exc))
                log.info("%s changed while it was read, reading it again", task.file.path)
            except ReadFailed as exc:
                return Outcome(task.file, failure=str(exc))
        raise AssertionError

    @abstractmethod
    def _read(self, task: Task) -> Outcome:
        """What became of a file; ReadFailed or SourceChanged when it cannot be read."""

    @contextmanager
    def _opened(self, file: SourceFile) -> Iterator["Reading"]:
        with ExitStack() as stack:
            try:
                opened = stack.enter_context(self._source.open(file))
            except SourceChanged:
                raise
            except Exception as exc:
                raise ReadFailed(_reason(exc)) from exc
            yield Reading(opened, self._stopped)


class Intake(Reader):
    """Archives what it reads."""

    def __init__(self, source: FileSource, archive: Archive, *, existing: HandleExistingMode | None) -> None:
        """`existing` says which files count as known."""
        super().__init__(source, archive)
        self._existing = existing
        self._skips = existing not in (None, HandleExistingMode.overwrite)

    def _read(self, task: Task) -> Outcome:
        file, before = task
        if self._skips and before is not None and not file.is_known:
            file = self._look(file)
            if before.is_state_of(file):
                return Outcome(file, is_known=True)
        try:
            return self._archived(file)
        except _Elsewhere as known:
            return Outcome(file, is_known=True, seen=_seen(file, str(known), archived=False))

    def _archived(self, file: SourceFile) -> Outcome:
        with self._opened(file) as reading:
            opened = reading.opened
            stored = self._archive.put(
                cast(BinaryIO, reading),
                key=file.key,
                origin=ORIGIN,
                created_at=moment(opened.created),
                updated_at=moment(opened.file.changed),
                mimetype=mimetype_of(file.key, opened.content_type),
                check=lambda checksum: self._check(reading, file.key, checksum),
            )
        known = self._skips and not stored.is_new_file and not stored.is_new_blob
        # what may still change without a trace is read again the next time
        state = opened.file if opened.is_settled else opened.file._replace(changed=None, tag=None)
        return Outcome(file, stored.file, known, seen=_seen(state, stored.file.checksum, archived=True))

    def _look(self, file: SourceFile) -> SourceFile:
        try:
            return self._source.look(file)
        except Exception as exc:
            raise ReadFailed(_reason(exc)) from exc

    def _check(self, reading: "Reading", key: str, checksum: str) -> None:
        """Raise if what was read is not to be archived."""
        reading.check()
        if self._existing is not HandleExistingMode.skip_checksum or not self._archive.exists(checksum):
            return
        # what a crawl that was killed archived here waits for its entity; a content without any path may be garbage
        files = self._archive.get_all_files(checksum)
        if files and all(file.key != key for file in files):
            raise _Elsewhere(checksum)


class Comparison(Reader):
    """Looks whether the archive has what it reads, and stores nothing: known is a content archived at its path."""

    def _read(self, task: Task) -> Outcome:
        with self._opened(task.file) as reading:
            digest = hashlib.sha256()
            while chunk := reading.read(_CHUNK):
                digest.update(chunk)
            reading.check()
        failure = self._missing(task, digest.hexdigest())
        return Outcome(task.file, is_known=failure is None, failure=failure)

    def _missing(self, task: Task, checksum: str) -> str | None:
        if not self._archive.exists(checksum):
            changed = task.before is not None and task.before.checksum != checksum
            return "it changed since it was crawled" if changed else "it is not archived"
        if all(file.key != task.file.key for file in self._archive.get_all_files(checksum)):
            return "it is archived under other paths only"
        return None


class Reading(io.RawIOBase):
    """An open file whose troubles can be told from those of the archive."""

    def __init__(self, opened: OpenFile, stopped: threading.Event) -> None:
        self.opened = opened
        self._stopped = stopped
        self._size = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; ReadFailed says why there are none."""
        if self._stopped.is_set():
            raise ReadFailed("the crawl was stopped")
        try:
            data = self.opened.stream.read(size)
        except Exception as exc:
            # each kind of source has errors of its own
            raise ReadFailed(_reason(exc)) from exc
        self._size += len(data)
        return data

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """The next bytes."""
        view = memoryview(buffer)
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def check(self) -> None:
        """SourceChanged when what was read may be no content that the file ever had."""
        expected = self.opened.file.size
        if expected is not None and expected != self._size:
            msg = f"{_PREFIX}: {expected:,} bytes were announced, {self._size:,} came"
            raise SourceChanged(msg)
        try:
            has_changed = self.opened.has_changed()
        except Exception as exc:
            raise ReadFailed(_reason(exc)) from exc
        if has_changed:
            raise SourceChanged(f"{_PREFIX}, more than once")


def _reason(exc: Exception) -> str:
    if isinstance(exc, OSError | LakehouseError):
        return reason_of(exc)
    return f"{type(exc).__name__}: {exc}"


def _seen(file: SourceFile, checksum: str, *, archived: bool) -> Seen:
    return Seen(file.key, file.size, file.changed, file.tag, checksum, archived, False)
