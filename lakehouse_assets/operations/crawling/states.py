"""How far the crawls of a dataset's sources got, and which of them were left half done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from lakehouse_assets import layout
from lakehouse_assets.errors import LakehouseError, StateCorrupt
from lakehouse_assets.model.pipeline import CrawlSource
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.crawling.bookmark import PREFIX, bookmark_name
from lakehouse_assets.operations.crawling.job import CrawlJob
from lakehouse_assets.operations.crawling.plans import open_source
from lakehouse_assets.settings import Settings
from lakehouse_assets.state import StateStore
from lakehouse_assets.storage.jobs import Jobs
from lakehouse_assets.storage.location import Location

# a crawl that is at work writes its record every ten seconds
_ALIVE = timedelta(minutes=2)
_RUNNING = "_running.json"


@dataclass(frozen=True)
class CrawlState:
    """
    The bookmark of one source.

    `generation` counts its writes, `hash` is that of what it holds. It was `left` half done when the crawl that wrote
    it is over, and did not come to its end; `problem` says why it cannot be read.
    """

    job: str
    source: str = ""
    generation: int = 0
    hash: str = ""
    status: str = ""
    updated_at: str = ""
    run_id: str = ""
    left: bool = False
    problem: str | None = None


def crawl_states(dataset: Location) -> list[CrawlState]:
    """The bookmarks of all sources that were ever crawled."""
    store = StateStore(dataset / layout.STATE)
    return [_state(store, dataset, job) for job in store.jobs() if job.startswith(PREFIX)]


def left_crawls(
    dataset: Location, sources: Sequence[CrawlSource], settings: Settings
) -> list[tuple[CrawlSource, CrawlState]]:
    """Of these sources those whose crawl was left half done; quick when there are none."""
    names = dataset.names(layout.STATE)
    running = {
        name.removesuffix(_RUNNING) for name in names if name.endswith(_RUNNING) and name.startswith(PREFIX)
    }
    if not running:
        return []
    store = StateStore(dataset / layout.STATE)
    found = []
    for source in sources:
        job = _job_of(source, dataset, settings)
        if job in running and (state := _state(store, dataset, job)).left:
            found.append((source, state))
    return found


def _job_of(source: CrawlSource, dataset: Location, settings: Settings) -> str | None:
    try:
        return bookmark_name(open_source(source.uri, dataset, settings).uri)
    except LakehouseError:
        # what is not there cannot be crawled on
        return None


def _state(store: StateStore, dataset: Location, job: str) -> CrawlState:
    try:
        state = store.get_or_create(job)
    except StateCorrupt as exc:
        return CrawlState(job, problem=str(exc))
    return CrawlState(
        job=job,
        source=str(state.get("source", "")),
        generation=state.generation,
        hash=state.hash,
        status=state.status,
        updated_at=state.updated_at,
        run_id=state.run_id,
        left=state.interrupted and not _is_at_work(dataset, state.run_id),
    )


def _is_at_work(dataset: Location, run_id: str) -> bool:
    job = Jobs(dataset).get(CrawlJob, run_id) if run_id else None
    return (
        job is not None
        and job.running
        and job.last_updated is not None
        and now_utc() - job.last_updated < _ALIVE
    )
