"""What a crawl was asked for, and what came of it."""

from pydantic import field_serializer

from lakehouse_assets.archive.sources.http import masked
from lakehouse_assets.model.crawl import HandleExistingMode
from lakehouse_assets.model.job import DatasetJob


class CrawlJob(DatasetJob):
    """
    A crawl of the source at `uri`, or of those of pipeline.yml without one, of `only` some of these if it names any by
    their addresses; `done` counts files that were archived.

    `verify` only compares, `retry_failed` names an earlier run of which nothing but the failures is tried again. Each
    file `seen` is `stored`, `known`, `skipped` by a filter, or one of the `errors`; `report` is where these are named.
    With `journal` the entities wait in the journal for the next flush.
    """

    uri: str | None = None
    only: list[str] = []
    prefix: str | None = None
    exclude_prefix: str | None = None
    glob: str | None = None
    exclude_glob: str | None = None
    make_entities: bool = False
    journal: bool = False
    existing: HandleExistingMode | None = HandleExistingMode.skip_path
    verify: bool = False
    retry_failed: str | None = None
    sources: int = 0
    seen: int = 0
    stored: int = 0
    known: int = 0
    skipped: int = 0
    skipped_by: dict[str, int] = {}
    renamed: int = 0
    left_out: int = 0
    bytes: int = 0
    seconds: float = 0.0
    report: str | None = None
    content_version: str | None = None

    @field_serializer("uri")
    def _without_password(self, uri: str | None) -> str | None:
        return masked(uri) if uri is not None else None
