"""Crawling: files of folders, buckets and servers into the archive, and entities of them into the statements."""

import logging
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

from lakehouse_assets import layout
from lakehouse_assets.archive.sources.base import FileSource, SourceFile
from lakehouse_assets.archive.sources.catalogue import Catalogue
from lakehouse_assets.errors import LakehouseError, NotFound, StorageError
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.operations.crawling.entities import Gathered
from lakehouse_assets.operations.crawling.intake import Intake, Task
from lakehouse_assets.operations.crawling.job import CrawlJob
from lakehouse_assets.operations.crawling.plans import Plan, plans_of
from lakehouse_assets.operations.crawling.report import Report
from lakehouse_assets.operations.crawling.run import CrawlRun
from lakehouse_assets.storage.jobs import JobRun

log = logging.getLogger(__name__)


class CrawlOperation(DatasetJobOperation[CrawlJob]):
    """
    Archives files, several at a time, and makes entities of them; asked for, it is always done.

    What cannot be read is counted and named in the report, and the crawl goes on. One that was killed is continued by
    the next one.

    Example:
        >>> job = CrawlJob.make(dataset="acme", uri="s3://bucket/documents", glob="*.pdf")
        >>> CrawlOperation(job=job).run().done
        41
    """

    target = layout.TAG_CRAWL

    def runs_here(self) -> bool:
        """Always: the files are here, and who runs Dagster may not see them."""
        return True

    def handle(self, run: JobRun[CrawlJob], *args: object, **kwargs: object) -> None:
        """
        Crawl all sources of the job.

        LakehouseError when its only source cannot be listed; one of several is counted and named like a file.
        """
        job = run.job
        plans = plans_of(job, self.parts)
        with Report(self.parts.location, job.run_id) as report:
            crawl = CrawlRun(self.parts, run, report, advance=self._advance)
            try:
                for plan in plans:
                    self._crawl(crawl, plan, is_only=len(plans) == 1)
            finally:
                # a crawl that fails leaves a report, too
                crawl.finish()
        job.content_version = self.parts.store.content_version()
        log.info(
            "%s: %s files seen, %s stored, %s known, %s skipped, %s errors in %.1f s",
            job.dataset, job.seen, job.stored, job.known, job.skipped, job.errors, job.seconds,
        )  # fmt: skip

    def _crawl(self, crawl: CrawlRun, plan: Plan, *, is_only: bool) -> None:
        try:
            opened = crawl.open(plan)
        except LakehouseError as exc:
            if is_only:
                raise
            crawl.skip(plan, exc)
            return
        opened.run()

    def _advance(self, done: int, pending: int) -> None:
        self.report(done, pending, "files")

    def get_uris(self) -> Iterator[str]:
        """The paths at the source of all files that the job's filters let through."""
        for _, _, file in self._files():
            yield file.path

    def handle_crawl(self, uri: str, run: JobRun[CrawlJob]) -> datetime:
        """
        Archive one file by its path at the source, with its entity in a commit of its own; returns when it was.

        NotFound without it, StorageError when it cannot be read. `handle` is faster for more than one.
        """
        for plan, source, file in self._files():
            if file.path == uri:
                return self._archive(plan, source, file, run)
        msg = f"there is no file {uri!r} among those to crawl; `get_uris` lists them"
        raise NotFound(msg)

    def _files(self) -> Iterator[tuple[Plan, FileSource, SourceFile]]:
        for plan in plans_of(self.job, self.parts):
            filters = plan.filters
            with closing(plan.source(self.parts)) as source:
                for found in source.files():
                    if isinstance(found, SourceFile) and filters.refused_by(found.key) is None:
                        yield plan, source, found

    def _archive(self, plan: Plan, source: FileSource, file: SourceFile, run: JobRun[CrawlJob]) -> datetime:
        now = now_utc()
        intake = Intake(source, self.parts.archive, existing=plan.config.existing)
        outcome = intake.take_all([Task(file, None)])[0]
        if outcome.failure is not None:
            raise StorageError(f"{file.path}: {outcome.failure}")
        entities = Gathered(self.parts.store, make_entities=plan.config.make_entities)
        entities.add(outcome)
        entities.commit(Catalogue(), last=True)
        self.parts.archive.touch()
        run.progress(run.job.done + (not outcome.is_known))
        return now
