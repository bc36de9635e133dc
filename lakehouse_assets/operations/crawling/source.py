"""Crawling one source: list, sift, read several files at a time, and commit by some thousand."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import chain, islice
from typing import Protocol

from lakehouse_assets.archive.sources.base import FileSource, Found, LeftOut, SourceFile, Unreadable
from lakehouse_assets.archive.sources.catalogue import Catalogue, Seen
from lakehouse_assets.archive.sources.filters import Chosen, Filters
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.operations.crawling.intake import Outcome, Task
from lakehouse_assets.operations.crawling.report import Counts

log = logging.getLogger(__name__)

# looked up in the catalogue at once
_BATCH = 512
# handed to a thread at once: less to do for the threads than one by one
_GROUP = 16
_GROUP_BYTES = 8 << 20
# groups that wait or are at work, for each thread
_AHEAD = 2
# how long nobody hears of a large file, in seconds
_PATIENCE = 5.0


class Work(Protocol):
    """What is done to each file that is wanted and not known."""

    def take_all(self, tasks: Sequence[Task]) -> list[Outcome]:
        """What became of some files."""

    def stop(self) -> None:
        """End what is being read, soon."""


class Listener(Protocol):
    """Hears what a crawl of a source comes by."""

    def took(self, outcome: Outcome) -> None:
        """A file was read, archived or not."""

    def failed(self, path: str, reason: str, *, is_folder: bool) -> None:
        """Something could not be read."""

    def renamed(self, path: str, key: str) -> None:
        """A file cannot keep its path in the archive."""

    def left_out(self, path: str, why: str) -> None:
        """Something is no file of its own."""

    def advanced(self, waiting: int) -> None:
        """Some files are done, and so many that were listed wait."""


class SourceCrawl:
    """
    One pass through a source.

    `counts` has the numbers; all else is told to the listener, in the thread that called `run`.
    """

    def __init__(
        self,
        source: FileSource,
        work: Work,
        catalogue: Catalogue,
        *,
        filters: Filters,
        chosen: Chosen | None,
        is_known: Callable[[SourceFile, Seen], bool],
        listener: Listener,
    ) -> None:
        """`is_known` tells of a file that was seen before whether it need not be read again."""
        self.counts = Counts()
        self._source = source
        self._work = work
        self._catalogue = catalogue
        self._filters = filters
        self._chosen = chosen
        self._is_known = is_known
        self._listener = listener
        self._missed = set(chosen.files) if chosen else set()
        self._listing: Iterator[Found] = iter(())

    def open(self) -> None:
        """Begin to list; LakehouseError when the source cannot be listed at all."""
        listing = self._source.files()
        first = list(islice(listing, 1))
        self._listing = chain(first, self._rest(listing))

    def run(self) -> None:
        """Read everything that the source lists, once it is open."""
        if self._source.threads:
            self._run_in_threads(self._source.threads)
        else:
            for found in self._listing:
                self._take(self._work.take_all(self._sifted([found])))
                self._listener.advanced(0)
        for path in sorted(self._missed):
            self._fail(path, "it is not there any more")

    def _run_in_threads(self, threads: int) -> None:
        pool = ThreadPoolExecutor(threads, thread_name_prefix="crawl")
        at_work: set[Future[list[Outcome]]] = set()
        try:
            while batch := list(islice(self._listing, _BATCH)):
                for group in _groups(self._sifted(batch)):
                    while len(at_work) >= threads * _AHEAD:
                        at_work = self._collected(at_work)
                    at_work.add(pool.submit(self._work.take_all, group))
                self._listener.advanced(len(at_work) * _GROUP)
            while at_work:
                at_work = self._collected(at_work)
        except BaseException:
            self._work.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _collected(self, at_work: set[Future[list[Outcome]]]) -> set[Future[list[Outcome]]]:
        done, rest = wait(at_work, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
        for future in done:
            self._take(future.result())
        self._listener.advanced(len(rest) * _GROUP)
        return rest

    def _rest(self, listing: Iterator[Found]) -> Iterator[Found]:
        """What is listed after the first; when that ends early, what was listed before counts all the same."""
        try:
            yield from listing
        except LakehouseError as exc:
            self._fail("", str(exc), is_folder=True)

    def _sifted(self, batch: Sequence[Found]) -> list[Task]:
        """The files that must be read."""
        files = [file for found in batch if (file := self._wanted(found)) is not None]
        tasks = []
        for file, before in zip(files, self._catalogue.find(files), strict=True):
            if before is not None and before.is_state_of(file) and self._is_known(file, before):
                self.counts.known += 1
            else:
                tasks.append(Task(file, before))
        return tasks

    def _wanted(self, found: Found) -> SourceFile | None:
        if self._chosen is not None and not self._chosen.has(found.path):
            return None
        if isinstance(found, Unreadable):
            self._missed.discard(found.path)
            self._fail(found.path, found.reason, is_folder=found.is_folder)
            return None
        if isinstance(found, LeftOut):
            self.counts.left_out += 1
            self._listener.left_out(found.path, found.why)
            return None
        self._missed.discard(found.path)
        self.counts.seen += 1
        refused_by = self._filters.refused_by(found.key)
        if refused_by is not None:
            self.counts.skipped_by[refused_by] += 1
            return None
        if found.key != found.path:
            self.counts.renamed += 1
            self._listener.renamed(found.path, found.key)
        return found

    def _take(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.failure is not None:
                self._fail(outcome.file.path, outcome.failure)
                continue
            if outcome.is_known:
                self.counts.known += 1
            else:
                self.counts.stored += 1
                self.counts.bytes += outcome.stored.size if outcome.stored else 0
            self._listener.took(outcome)

    def _fail(self, path: str, reason: str, *, is_folder: bool = False) -> None:
        self.counts.errors += 1
        self._listener.failed(path, reason, is_folder=is_folder)


def _groups(tasks: Sequence[Task]) -> Iterator[list[Task]]:
    """Small files together, large ones alone."""
    group: list[Task] = []
    size = 0
    for task in tasks:
        group.append(task)
        size += task.file.size or 0
        if len(group) == _GROUP or size > _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group
