"""The sources that a dataset's pipeline.yml lists: what they look like, and how far their crawls got."""

from collections.abc import Iterator, Sequence

from lakehouse_assets.model.pipeline import CrawlSource
from lakehouse_assets.operations.crawling.looks import Look, look_at
from lakehouse_assets.operations.crawling.states import CrawlState, crawl_states, left_crawls
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.location import Location


class ListedSources:
    """
    The sources that are crawled again and again.

    Example:
        >>> [source.uri for source in dataset.sources]
        ['s3://bucket/documents']
        >>> dataset.sources.left()
        []
    """

    def __init__(self, dataset: Location, settings: Settings, sources: Sequence[CrawlSource]) -> None:
        self._dataset = dataset
        self._settings = settings
        self._sources = sources

    def __iter__(self) -> Iterator[CrawlSource]:
        return iter(self._sources)

    def look_at(self, source: CrawlSource) -> Look:
        """What a source looks like, without reading a file; LakehouseError when it cannot be told."""
        return look_at(source, self._dataset, self._settings)

    def left(self) -> list[tuple[CrawlSource, CrawlState]]:
        """Those whose crawl was left half done, and nobody works on it; quick without any."""
        return left_crawls(self._dataset, self._sources, self._settings) if self._sources else []

    def states(self) -> list[CrawlState]:
        """How far the crawls of each source got, also of those that were crawled by hand."""
        return crawl_states(self._dataset)
