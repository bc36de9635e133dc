"""Whether a source changed since it was crawled, told by a look at what it lists: no file is read."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

from lakehouse_assets.archive.sources.base import FileSource, SourceFile
from lakehouse_assets.archive.sources.filters import Filters
from lakehouse_assets.archive.sources.http import HttpSource
from lakehouse_assets.model.pipeline import CrawlSource
from lakehouse_assets.operations.crawling.plans import Plan, open_source
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.location import Location

_BYTES = 8
_ALL = Filters()

_USUAL = {"file": timedelta(0), "http": timedelta(hours=1), "https": timedelta(hours=1)}
_USUAL_ELSEWHERE = timedelta(minutes=5)
"""How often a source is looked at that does not say it: servers of others are not asked all the time."""


@dataclass(frozen=True)
class Look:
    """
    What a source looked like.

    `sign` is another one as soon as a wanted file came, went or changed; `newest` is when the newest of them was
    written to (nanoseconds since 1970, UTC), if the source is a local folder. Not `sure` is a look at a web server: its
    pages need not tell that a file changed.
    """

    sign: str
    newest: int | None
    sure: bool
    seconds: float


def look_at(config: CrawlSource, dataset: Location, settings: Settings) -> Look:
    """Look at a source of a dataset; LakehouseError when that cannot be done."""
    began = time.monotonic()
    # of a packed file it is enough to look at the file itself
    is_packed = "::" in config.uri
    with closing(open_source(config.uri.rpartition("::")[2], dataset, settings)) as source:
        states = _States(source, _ALL if is_packed else Plan(config).filters)
        sign = _sum_of(states)
    return Look(sign, states.newest, not isinstance(source, HttpSource), time.monotonic() - began)


def usual_interval(uri: str) -> timedelta:
    """How often a source is looked at when pipeline.yml does not say it."""
    place = uri.rpartition("::")[2]
    return _USUAL.get(place.partition("://")[0] if "://" in place else "file", _USUAL_ELSEWHERE)


class _States:
    """What a source tells of its files, one by one; `newest` is known at the end."""

    def __init__(self, source: FileSource, filters: Filters) -> None:
        self._source = source
        self._filters = filters
        self._is_local = source.uri.startswith("file://")
        self.newest: int | None = None

    def __iter__(self) -> Iterator[str]:
        if isinstance(self._source, HttpSource):
            yield from self._source.states()
            return
        for found in self._source.files():
            if not isinstance(found, SourceFile):
                yield f"{found.path} {type(found).__name__}"
            elif self._filters.refused_by(found.key) is None:
                if self._is_local and found.changed is not None:
                    self.newest = max(self.newest or 0, found.changed)
                yield f"{found.path} {found.size} {found.changed} {found.tag}"


def _sum_of(states: _States) -> str:
    """A digest that does not depend on the order, which folders do not have."""
    total = 0
    for state in states:
        digest = hashlib.blake2b(state.encode(errors="surrogateescape"), digest_size=_BYTES).digest()
        total += int.from_bytes(digest)
    return f"{total % (1 << (8 * _BYTES)):016x}"
