"""Crawls as runs of the archive's asset: what can be asked for, and what its page shows of them."""

from collections.abc import Sequence
from typing import Literal

import dagster as dg
from pydantic import Field

from lakehouse_assets.defs.numbers import human_size
from lakehouse_assets.defs.preview import Cell, cell, table
from lakehouse_assets.defs.progress import LogProgress
from lakehouse_assets.lake import Dataset
from lakehouse_assets.model.crawl import HandleExistingMode
from lakehouse_assets.operations import CrawlJob

_MOST_NAMED = 20


class CrawlConfig(dg.Config):
    """What to crawl. Without sources nothing is crawled, and what the archive holds is reported."""

    sources: list[str] = Field(
        default=[],
        description="Where to take files from: a folder or a file, s3://bucket/folder, http://host/folder/, "
        "zip://::FILE.zip or tar://::FILE.tar.gz for what is in one.",
    )
    pipeline: bool = Field(
        default=False, description="Crawl the sources that the dataset's pipeline.yml lists, as it says."
    )
    only: list[str] = Field(
        default=[], description="Of pipeline.yml's sources only those at these addresses; all by default."
    )
    prefix: str | None = Field(default=None, description="Only paths that begin with this.")
    exclude_prefix: str | None = Field(default=None, description="No paths that begin with this.")
    glob: str | None = Field(default=None, description="Only paths like this: *.pdf. A star crosses slashes.")
    exclude_glob: str | None = Field(default=None, description="No paths like this.")
    existing: Literal["skip-path", "skip-checksum", "overwrite"] = Field(
        default="skip-path",
        description="What to skip of what is archived: that content at that path, that content anywhere, or "
        "nothing.",
    )
    entities: bool = Field(default=True, description="Make entities of files and folders.")
    journal: bool = Field(
        default=False, description="Entities into the journal; the next flush makes them visible."
    )
    retry_failed: str | None = Field(
        default=None, description="The id of an earlier crawl's run: only what failed in it is tried again."
    )


def run_crawls(dataset: Dataset, config: CrawlConfig, log: dg.DagsterLogManager) -> list[CrawlJob]:
    """The crawls that a run's config asks for, one after the other."""
    progress = LogProgress(log)
    jobs = [
        dataset.crawl(
            uri,
            prefix=config.prefix,
            exclude_prefix=config.exclude_prefix,
            glob=config.glob,
            exclude_glob=config.exclude_glob,
            existing=HandleExistingMode(config.existing),
            make_entities=config.entities,
            journal=config.journal,
            progress=progress,
        )
        for uri in config.sources
    ]
    if config.pipeline:
        jobs.append(dataset.crawl(only=config.only, journal=config.journal, progress=progress))
    if config.retry_failed is not None:
        jobs.append(
            dataset.crawl(retry_failed=config.retry_failed, journal=config.journal, progress=progress)
        )
    for job in jobs:
        log.info(
            f"{_name(job)}: {job.seen:,} files seen, {job.stored:,} stored, {job.known:,} known, "
            f"{job.skipped:,} skipped, {job.errors:,} failed"
        )
        if job.errors:
            log.warning(f"{job.report} names what failed; with retry_failed: {job.run_id} it is tried again")
    return jobs


def of_crawls(dataset: Dataset, jobs: Sequence[CrawlJob]) -> dict[str, dg.MetadataValue]:
    """The numbers of crawls, and what they did not get."""
    if not jobs:
        return {}
    numbers = ("seen", "stored", "known", "skipped", "errors")
    totals = {name: sum(getattr(job, name) for job in jobs) for name in numbers}
    totals["failed"] = totals.pop("errors")
    found: dict[str, dg.MetadataValue] = {
        **{name: dg.MetadataValue.int(number) for name, number in totals.items()},
        "crawled_bytes": dg.MetadataValue.int(sum(job.bytes for job in jobs)),
        "crawl_seconds": dg.MetadataValue.float(round(sum(job.seconds for job in jobs), 3)),
        **table("crawls", [_row(job) for job in jobs]),
        **table("skipped_by", _skipped(jobs)),
        **table("failures", _failures(dataset, jobs)),
    }
    return found


def _name(job: CrawlJob) -> str:
    return str(job.model_dump()["uri"] or ("what failed before" if job.retry_failed else "pipeline.yml"))


def _row(job: CrawlJob) -> dict[str, Cell]:
    return {
        "source": cell(_name(job)),
        "seen": job.seen,
        "stored": job.stored,
        "known": job.known,
        "skipped": job.skipped,
        "failed": job.errors,
        "size": human_size(job.bytes),
        "seconds": round(job.seconds, 1),
        "report": job.report or "",
    }


def _skipped(jobs: Sequence[CrawlJob]) -> list[dict[str, Cell]]:
    counts: dict[str, int] = {}
    for job in jobs:
        for name, number in job.skipped_by.items():
            counts[name] = counts.get(name, 0) + number
    return [{"filter": name, "files": number} for name, number in counts.items()]


def _failures(dataset: Dataset, jobs: Sequence[CrawlJob]) -> list[dict[str, Cell]]:
    """The first of the files that could not be read; the reports name them all."""
    failed = [entry for job in jobs if job.errors for entry in dataset.crawl_report(job.run_id).failed]
    return [
        {"source": cell(entry.source), "path": cell(entry.path), "reason": cell(entry.reason)}
        for entry in failed[:_MOST_NAMED]
    ]
