"""Download: the archived files go back to their paths, in a folder or an object store."""

import csv
import io
import logging
from collections.abc import Iterator

from pydantic import BaseModel

from lakehouse_assets import layout
from lakehouse_assets.archive.delivery import Delivered, Delivery
from lakehouse_assets.archive.places import Places, Wanted
from lakehouse_assets.errors import InvalidData, StorageError
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.operations.exports import ExportDocumentsJob, ExportDocumentsOperation
from lakehouse_assets.storage.jobs import JobRun
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel

log = logging.getLogger(__name__)

MOST_NAMED = 1000
"""So many files are named in a job's record; all of them are named in the log."""

# the target itself is what refuses, and will go on to
_PATIENCE = 20


class Renamed(BaseModel):
    """A file that could not keep its path, and where it is instead."""

    path: str
    place: str


class Failed(BaseModel):
    """A file that was not downloaded, and why."""

    path: str
    checksum: str
    reason: str


class DownloadArchiveJob(DatasetJob):
    """
    A download to `target`, a folder or a URL.

    `done` counts the files that were written, `skipped` those that were there, `errors` those that are not. `replaced`
    of those written took the place of other bytes, `renamed` have another path than the one they came from.
    """

    target: str
    skipped: int = 0
    bytes: int = 0
    replaced: int = 0
    renamed: int = 0
    renames: list[Renamed] = []
    failed: list[Failed] = []
    seconds: float = 0.0


class DownloadArchiveOperation(DatasetJobOperation[DownloadArchiveJob]):
    """
    Downloads every file of exports/documents.csv, which is made first if it is stale.

    Files that are there with the right checksum stay as they are, so a download that was interrupted goes on.
    """

    target = layout.TAG_DOWNLOAD
    dependencies = (layout.DOCUMENTS,)

    _total = 0

    def run(self, force: bool = False, *args: object, **kwargs: object) -> DownloadArchiveJob:
        """Make the list of documents if it is stale, then download what it lists."""
        # first of all: a target is only newer than what was there before it began
        documents = ExportDocumentsJob.make(dataset=self.job.dataset)
        export = ExportDocumentsOperation(documents, repositories=self.parts, progress=self.progress)
        self._total = export.run(force=force).rows
        return super().run(force, *args, **kwargs)

    def runs_here(self) -> bool:
        """Always: the target is here."""
        return True

    def is_fresh(self) -> bool:
        """Whether nothing changed since the last download to this target, and each of its files is still there."""
        last = self.jobs.latest(DownloadArchiveJob)
        if last is None or last.stopped is None or last.exc or last.errors:
            return False
        if Location(last.target) != Location(self.job.target):
            return False
        target = self._target()
        return super().is_fresh() and all(in_parallel(target.exists, (place for _, place in self._wanted())))

    def skip(self) -> None:
        """Note in the job what is there."""
        super().skip()
        last = self.jobs.latest(DownloadArchiveJob)
        self.job.skipped = last.done + last.skipped if last else 0

    def handle(self, run: JobRun[DownloadArchiveJob], *args: object, **kwargs: object) -> None:
        """Download what is not there; what fails is counted and named, and the rest goes on."""
        job, began = run.job, now_utc()
        target = self._target()
        delivery = Delivery(self.archive, target)

        def bring(wanted: tuple[Wanted, str]) -> tuple[Wanted, str, Delivered]:
            file, place = wanted
            return file, place, delivery.bring(file.checksum, place)

        refused = 0
        for file, place, delivered in in_parallel(bring, self._wanted()):
            self._note(job, file, place, delivered)
            refused = refused + 1 if delivered.outcome == "refused" else 0
            if refused == _PATIENCE:
                msg = f"{refused} files in a row could not be written to {target.uri}: {delivered.reason}"
                raise StorageError(msg)
            finished = job.done + job.skipped + job.errors
            run.progress(pending=self._total - finished)
            self.report(finished, self._total - finished, "files")
        job.seconds = (now_utc() - began).total_seconds()
        log.info(
            "%s: downloaded %s files, %s bytes, to %s in %.1f s; %s were there, %s failed",
            job.dataset, job.done, job.bytes, target.uri, job.seconds, job.skipped, job.errors,
        )  # fmt: skip

    def _note(self, job: DownloadArchiveJob, file: Wanted, place: str, delivered: Delivered) -> None:
        if delivered.outcome in ("not archived", "refused"):
            job.errors += 1
            log.info("%s (%s) was not downloaded: %s", file.path, file.checksum, delivered.reason)
            if len(job.failed) < MOST_NAMED:
                failed = Failed(path=file.path, checksum=file.checksum, reason=delivered.reason)
                job.failed.append(failed)
            return
        job.skipped += delivered.outcome == "there"
        job.done += delivered.outcome != "there"
        job.replaced += delivered.outcome == "replaced"
        job.bytes += delivered.size
        if place != file.path:
            job.renamed += 1
            log.info("%s is at %s", file.path, place)
            if len(job.renames) < MOST_NAMED:
                job.renames.append(Renamed(path=file.path, place=place))

    def _target(self) -> Location:
        """Where the files go; InvalidData for a place in the dataset itself."""
        target, own = Location(self.job.target), self.parts.location
        # the lake's credentials are those of its own store
        if target.uri.partition("://")[0] == own.uri.partition("://")[0]:
            target = Location(target.uri, own.storage_options)
        if f"{target.uri}/".startswith(f"{own.uri}/"):
            msg = f"{target.uri} lies in the dataset itself; download to a place outside of {own.uri}"
            raise InvalidData(msg)
        return target

    def _wanted(self) -> Iterator[tuple[Wanted, str]]:
        """Every file of the list of documents, and its place."""
        places = Places(self._documents())
        return ((file, places.find(file)) for file in self._documents())

    def _documents(self) -> Iterator[Wanted]:
        with io.TextIOWrapper(self.parts.location.open(layout.DOCUMENTS), "utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                yield Wanted(row["id"], row["checksum"], row["path"], row["name"])
