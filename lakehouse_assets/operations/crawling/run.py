"""One run over some sources: what is read, its entities, the bookmarks, the report and the job brought together."""

import logging
from collections.abc import Callable
from contextlib import closing
from functools import cached_property

from lakehouse_assets import layout
from lakehouse_assets.archive.sources.base import FileSource, SourceFile
from lakehouse_assets.archive.sources.catalogue import Seen
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.model.crawl import HandleExistingMode
from lakehouse_assets.model.times import iso_z, now_utc
from lakehouse_assets.operations.crawling.bookmark import Bookmark
from lakehouse_assets.operations.crawling.entities import Gathered
from lakehouse_assets.operations.crawling.intake import Comparison, Intake, Outcome
from lakehouse_assets.operations.crawling.job import CrawlJob
from lakehouse_assets.operations.crawling.plans import Plan
from lakehouse_assets.operations.crawling.report import Counts, Report
from lakehouse_assets.operations.crawling.source import SourceCrawl
from lakehouse_assets.operations.repositories import Repositories
from lakehouse_assets.storage.jobs import JobRun

log = logging.getLogger(__name__)

_TOLD = 20
"""So many failures are told one by one; the report has them all."""


class CrawlRun:
    """A run: crawls one source after the other, and keeps job and report up to date."""

    def __init__(
        self,
        parts: Repositories,
        run: JobRun[CrawlJob],
        report: Report,
        *,
        advance: Callable[[int, int], None],
    ) -> None:
        """`advance` hears how many files are done and how many wait."""
        self._parts = parts
        self._run = run
        self._report = report
        self._advance = advance
        self._sources: list[SourceRun] = []
        self._unlisted = 0

    def open(self, plan: Plan) -> "SourceRun":
        """A source of the run, ready to be crawled; LakehouseError when it cannot be listed at all."""
        source = plan.source(self._parts)
        part = SourceRun(self._parts, self._run.job, source, plan, self._report, self._heard)
        part.open()
        self._sources.append(part)
        return part

    def skip(self, plan: Plan, exc: LakehouseError) -> None:
        """Count a source that cannot be listed."""
        self._unlisted += 1
        log.warning("%s", exc)
        self._report.note("failed", {"source": plan.name, "path": "", "reason": str(exc), "folder": True})

    def finish(self) -> None:
        """Write the job's numbers and the report as they are at the end."""
        job = self._run.job
        self._count(pending=0)
        job.touch()
        job.seconds = job.took.total_seconds()
        self._write(is_over=True)

    def _heard(self, waiting: int, committed: bool) -> None:
        job = self._run.job
        self._count(pending=waiting)
        self._run.progress(job.done, waiting)
        self._advance(job.seen - waiting, waiting)
        if committed:
            self._write(is_over=False)

    def _count(self, *, pending: int) -> None:
        job, total = self._run.job, Counts()
        for part in self._sources:
            total.add(part.counts)
        job.sources = len(self._sources)
        job.seen, job.stored, job.known = total.seen, total.stored, total.known
        job.skipped, job.skipped_by = total.skipped, dict(sorted(total.skipped_by.items()))
        job.renamed, job.left_out, job.bytes = total.renamed, total.left_out, total.bytes
        job.errors = total.errors + self._unlisted
        job.done, job.pending = total.stored, pending

    def _write(self, *, is_over: bool) -> None:
        job = self._run.job
        job.report = self._report.key
        told = job.model_dump(
            mode="json",
            include={
                "run_id", "dataset", "seen", "stored", "known", "skipped", "skipped_by", "errors", "renamed",
                "left_out", "bytes", "seconds",
            },
        )  # fmt: skip
        self._report.write(
            {
                **told,
                "mode": "verify" if job.verify else "crawl",
                "retried": job.retry_failed,
                "started": iso_z(job.started or now_utc()),
                "stopped": iso_z(now_utc()) if is_over else None,
                "sources": [part.as_json() for part in self._sources],
            }
        )


class SourceRun:
    """One source of a run; hears what its crawl comes by."""

    def __init__(
        self,
        parts: Repositories,
        job: CrawlJob,
        source: FileSource,
        plan: Plan,
        report: Report,
        heard: Callable[[int, bool], None],
    ) -> None:
        self._source = source
        self._uri = source.uri
        self._plan = plan
        self._is_comparison = job.verify
        self._archive = parts.archive
        self._location = parts.location
        self._report = report
        self._heard = heard
        self._bookmark = Bookmark(parts.location, parts.states, source.uri, run_id=job.run_id)
        self._catalogue = self._bookmark.open()
        self._entities = Gathered(
            parts.store,
            make_entities=plan.config.make_entities,
            journal=job.journal,
        )
        work = (
            Comparison(source, parts.archive)
            if job.verify
            else Intake(source, parts.archive, existing=plan.config.existing)
        )
        self._crawl = SourceCrawl(
            source,
            work,
            self._catalogue,
            filters=plan.filters,
            chosen=plan.chosen,
            is_known=self._is_known,
            listener=self,
        )

    @property
    def counts(self) -> Counts:
        """The numbers so far."""
        return self._crawl.counts

    def open(self) -> None:
        """Begin to list; LakehouseError when it cannot be done."""
        self._crawl.open()

    def run(self) -> None:
        """Crawl it to its end."""
        with closing(self._source):
            self._crawl.run()
        self._commit(last=True)
        self._heard(0, True)

    def as_json(self) -> dict[str, object]:
        """The source, how it was crawled, and its numbers."""
        asked = self._plan.config.model_dump(mode="json", exclude={"uri", "every"})
        return {"uri": self._uri, **asked, **self.counts.as_json()}

    def took(self, outcome: Outcome) -> None:
        """Keep a file for the next commit."""
        if not self._is_comparison:
            self._entities.add(outcome)

    def failed(self, path: str, reason: str, *, is_folder: bool) -> None:
        """Note what could not be read."""
        if self.counts.errors <= _TOLD:
            # a server's refusal names the file by its address
            named = reason.startswith(self._uri)
            log.warning("%s", reason if named else f"{self._uri.rstrip('/')}/{path}: {reason}")
        elif self.counts.errors == _TOLD + 1:
            log.warning("more of %s cannot be read; the report names all of it", self._uri)
        self._report.note(
            "failed", {"source": self._uri, "path": path, "reason": reason, "folder": is_folder}
        )

    def renamed(self, path: str, key: str) -> None:
        """Note a file that cannot keep its path."""
        self._report.note("renamed", {"source": self._uri, "path": path, "key": key})

    def left_out(self, path: str, why: str) -> None:
        """Note what is no file of its own."""
        self._report.note("left_out", {"source": self._uri, "path": path, "why": why})

    def advanced(self, waiting: int) -> None:
        """Commit when it is time, and tell."""
        due = self._entities.is_due
        if due:
            self._commit(last=False)
        self._heard(waiting, due)

    def _is_known(self, file: SourceFile, before: Seen) -> bool:
        """Whether a file in the state of before needs no reading: the archive has it still, and its entity is made."""
        existing = self._plan.config.existing
        if self._is_comparison or existing is HandleExistingMode.overwrite:
            return False
        if existing is HandleExistingMode.skip_path:
            is_done = before.archived and (before.entity or not self._plan.config.make_entities)
        else:
            is_done = before.entity or not (before.archived and self._plan.config.make_entities)
        return is_done and self._is_archived(before.checksum)

    def _is_archived(self, checksum: str) -> bool:
        """Whether a content is there still: one that a verification found bad must come back."""
        # to look for each object of a bucket would take longer than all else
        is_near = self._location.path is not None
        return not (is_near or checksum in self._quarantined) or self._archive.exists(checksum)

    @cached_property
    def _quarantined(self) -> frozenset[str]:
        return frozenset(self._location.names(layout.QUARANTINED_BLOBS))

    def _commit(self, *, last: bool) -> None:
        if self._is_comparison:
            return
        if self._entities.commit(self._catalogue, last=last):
            self._archive.touch()
        if last or self._bookmark.is_due:
            self._bookmark.save(self._catalogue, self.counts.numbers(), complete=last)
