"""What a job means to crawl: which sources, how, and which of their files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lakehouse_assets import layout
from lakehouse_assets.archive.sources.base import FileSource
from lakehouse_assets.archive.sources.choose import source_at
from lakehouse_assets.archive.sources.filters import Chosen, Filters
from lakehouse_assets.archive.sources.http import masked
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.documents import validate
from lakehouse_assets.model.pipeline import CrawlSource, PipelineConfig
from lakehouse_assets.operations.crawling.job import CrawlJob
from lakehouse_assets.operations.crawling.report import read_report
from lakehouse_assets.operations.repositories import Repositories
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.location import Location

_ASKED = {"prefix", "exclude_prefix", "glob", "exclude_glob", "existing", "make_entities"}


class Plan(NamedTuple):
    """A source to crawl, and of a repeated crawl which of its files."""

    config: CrawlSource
    chosen: Chosen | None = None

    @property
    def name(self) -> str:
        """The address without a password."""
        return masked(self.config.uri)

    @property
    def filters(self) -> Filters:
        """Which files are wanted."""
        config = self.config
        return Filters(config.prefix, config.exclude_prefix, config.glob, config.exclude_glob)

    def source(self, parts: Repositories) -> FileSource:
        """The source itself; the lake is no part of it."""
        return open_source(self.config.uri, parts.location, parts.settings)


def open_source(uri: str, dataset: Location, settings: Settings) -> FileSource:
    """The source at an address, for a dataset: with the credentials of its lake, which is no part of the source."""
    return source_at(
        uri, settings=settings, options=dataset.storage_options, avoid=_lake_folders(uri, dataset.path)
    )


def _lake_folders(uri: str, dataset: Path | None) -> list[Path]:
    """The folders of a local lake that an address may lead into: what lies in them was archived, or made."""
    if dataset is None:
        return []
    lake = dataset.parent
    place = uri.partition("://")[2] if "://" in uri else uri
    root, real = os.path.realpath(os.path.expanduser(place)), os.path.realpath(lake)
    if root == real:
        folders = [config.parent for config in lake.glob(f"*/{layout.CONFIG}")]
        return [lake, lake / layout.LAKE_PRIVATE, *folders]
    # to name all datasets would take long in a large lake, and only one can be above the source
    return (
        [lake, lake / os.path.relpath(root, real).split(os.sep)[0]] if root.startswith(f"{real}/") else [lake]
    )


def plans_of(job: CrawlJob, parts: Repositories) -> list[Plan]:
    """What a job means; InvalidData when that is nothing, NotFound when it repeats a run that never was."""
    if job.retry_failed is not None:
        return _failed_before(job, job.retry_failed, parts)
    if job.uri is not None:
        return [Plan(_config(job, job.uri))]
    sources = _pipeline(parts).crawl
    place = parts.location.url(layout.PIPELINE)
    if job.only:
        missing = set(job.only) - {masked(source.uri) for source in sources}
        if missing:
            msg = f"{', '.join(sorted(missing))} stands no longer under `crawl:` in {place}"
            raise InvalidData(msg)
        sources = [source for source in sources if masked(source.uri) in job.only]
    if not sources:
        msg = f"{job.dataset} has no sources to crawl: name one, or list some under `crawl:` in {place}"
        raise InvalidData(msg)
    return [Plan(_changed(source, _given(job))) for source in sources]


def _given(job: CrawlJob) -> dict[str, object]:
    """What the job was told, which goes before what is known of a source."""
    return job.model_dump(include=_ASKED & job.model_fields_set)


def _config(job: CrawlJob, uri: str) -> CrawlSource:
    return validate(CrawlSource, {"uri": uri, **job.model_dump(include=_ASKED)}, "the source to crawl")


def _changed(source: CrawlSource, values: Mapping[str, object]) -> CrawlSource:
    return validate(CrawlSource, {**source.model_dump(), **values}, "the source to crawl")


def _pipeline(parts: Repositories) -> PipelineConfig:
    data = parts.location.read_or_none(layout.PIPELINE)
    return PipelineConfig.load(data or b"", parts.location.url(layout.PIPELINE))


def _failed_before(job: CrawlJob, run_id: str, parts: Repositories) -> list[Plan]:
    """What failed in an earlier run, of each of its sources."""
    # a report holds no password: an address that has one is given again, or stands in pipeline.yml
    given = [job.uri] if job.uri else [source.uri for source in _pipeline(parts).crawl]
    addresses = {masked(uri): uri for uri in given}
    plans = []
    for source, failed in read_report(parts.location, run_id).failures():
        config = _changed(
            _config(job, addresses.get(source.uri, source.uri)), source.model_dump(exclude={"uri"})
        )
        files = [entry.path for entry in failed if not entry.folder]
        folders = [entry.path for entry in failed if entry.folder]
        plans.append(Plan(_changed(config, _given(job)), Chosen(files, folders)))
    return plans
