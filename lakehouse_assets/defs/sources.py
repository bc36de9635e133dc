"""What sees that the sources of crawls changed, and has them crawled."""

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg

from lakehouse_assets import layout
from lakehouse_assets.archive.sources.http import masked
from lakehouse_assets.defs.artifacts import ARCHIVE
from lakehouse_assets.defs.cursors import read_cursor, write_cursor
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.pipelines import pipelines_of
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.defs.working import RUNNING, WAITING, datasets_at_work
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.model.pipeline import CrawlSource
from lakehouse_assets.operations.crawling.looks import Look, usual_interval

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

SOURCES = "watch_sources"

# what is looked at again as soon as this is looked at every time
_SOON = 15
# a look takes at most one part in so many of the time
_SHARE = 20
# Dagster ends a look after a minute; a server that does not answer must not keep the others waiting
_SECONDS = 20.0
_THREADS = 8
# a file that is being written is left to end, unless that takes too long
_SETTLED = 2.0
_PATIENCE = 300.0
# a source that cannot be looked at is tried again after that time
_AFTER_FAILURE = 60.0
_DIGITS = 12


class _State(NamedTuple):
    """What a source looked like when it was last crawled, when to look again, and since when it is being written to."""

    sign: str = "-"
    look_at: int = 0
    since: int = 0


_NEVER = _State()


@dataclass(frozen=True)
class _Watched:
    """A source of a dataset, and what is known of it."""

    dataset: Dataset
    source: CrawlSource
    key: str
    before: _State

    @property
    def is_local(self) -> bool:
        place = self.source.uri.rpartition("::")[2]
        return "://" not in place or place.startswith("file://")


def sources_sensor(
    naming: Naming, job: "UnresolvedAssetJobDefinition", *, seconds: int
) -> dg.SensorDefinition:
    """Asks for a run that crawls and makes a dataset as soon as one of the sources of its pipeline.yml changed."""

    name = naming.name(SOURCES)

    @dg.sensor(
        name=name,
        job=job,
        minimum_interval_seconds=seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.resource},
        description="Looks at what the sources under `crawl:` in each pipeline.yml list: folders every time, buckets "
        "every five minutes, web servers every hour, or as often as `every` says. A run crawls those that changed, and "
        "makes what follows from it.",
    )
    def watch_sources(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        lake, now = open_lake(context, naming), time.time()
        watched = list(_watched(context, naming, lake))
        states = {each.key: each.before for each in watched if each.before != _NEVER}
        changed: dict[str, list[_Watched]] = {}
        for each, look in _looks([each for each in watched if each.before.look_at <= now], context.log):
            state = _judged(each, look, now)
            states[each.key] = state
            if state.sign != each.before.sign:
                changed.setdefault(each.dataset.name, []).append(each)
        # while a run waits its turn, or crawls, what changes is left for the next one
        waiting = datasets_at_work(context.instance, (*RUNNING, *WAITING), sensor=name) if changed else set()
        requests = []
        for dataset, sources in changed.items():
            if dataset in waiting:
                states |= {each.key: each.before for each in sources}
            else:
                requests.append(_request(naming, dataset, sources, states))
        cursor = write_cursor(
            {key: " ".join(map(str, state)) for key, state in states.items() if state != _NEVER}
        )
        if not requests:
            reason = f"nothing changed in {len(watched)} sources of {lake.uri}"
            return dg.SensorResult(skip_reason=reason, cursor=cursor)
        return dg.SensorResult(cursor=cursor, run_requests=requests)

    return watch_sources


def _watched(context: dg.SensorEvaluationContext, naming: Naming, lake: Lake) -> Iterator[_Watched]:
    """The sources of all datasets."""
    seen = _seen(context.cursor)
    for dataset, pipeline in pipelines_of(context, naming, lake):
        for source in pipeline.crawl:
            # another filter is another source
            digest = hashlib.sha256(source.model_dump_json(exclude={"every"}).encode()).hexdigest()
            key = f"{dataset.name}/{digest[:_DIGITS]}"
            yield _Watched(dataset, source, key, seen.get(key, _NEVER))


def _seen(cursor: str | None) -> dict[str, _State]:
    found = {}
    for key, text in read_cursor(cursor).items():
        sign, *times = text.split()
        if len(times) == 2 and all(time.isdecimal() for time in times):
            found[key] = _State(sign, int(times[0]), int(times[1]))
    return found


def _looks(due: Sequence[_Watched], log: logging.Logger) -> Iterator[tuple[_Watched, Look | None]]:
    """What sources look like, None for those of which it cannot be told."""
    until = time.monotonic() + _SECONDS
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="look")
    try:
        far = {each.key: pool.submit(_look, each) for each in due if not each.is_local}
        for each in due:
            if each.is_local and time.monotonic() < until:
                yield each, _told(each, log)
        for each in due:
            if each.key in far:
                yield each, _told(each, log, far[each.key], until)
    finally:
        # what does not answer ends by its own time limit
        pool.shutdown(wait=False, cancel_futures=True)


def _look(each: _Watched) -> Look:
    return each.dataset.sources.look_at(each.source)


def _told(
    each: _Watched, log: logging.Logger, future: "Future[Look] | None" = None, until: float = 0.0
) -> Look | None:
    try:
        if future is None:
            return _look(each)
        return future.result(timeout=max(0.0, until - time.monotonic()))
    except (LakehouseError, TimeoutError) as exc:
        reason = str(exc) or f"{masked(each.source.uri)} did not answer within {_SECONDS:.0f} s"
        log.warning(f"{each.dataset.name}: {reason}")
        return None


def _judged(each: _Watched, look: Look | None, now: float) -> _State:
    """What to remember of a source; another sign when it is to be crawled."""
    every, before = each.source.every, each.before
    interval = (every or usual_interval(each.source.uri)).total_seconds()
    if look is None:
        return before._replace(look_at=int(now + max(interval, _AFTER_FAILURE)))
    pause = max(interval, look.seconds * _SHARE)
    look_at = int(now + pause) if pause > _SOON else 0
    sign = look.sign[:_DIGITS]
    if every is not None and not look.sure:
        # whoever says how often means that it is crawled as often
        sign = f"{sign}.{int(now // interval)}"
    age = now - look.newest / 1e9 if look.newest is not None else _SETTLED
    waited = now - before.since if before.since else 0.0
    if sign != before.sign and 0 <= age < _SETTLED and waited < _PATIENCE:
        return _State(before.sign, 0, before.since or int(now))
    return _State(sign, look_at)


def _request(
    naming: Naming, dataset: str, sources: Sequence[_Watched], states: Mapping[str, _State]
) -> dg.RunRequest:
    """A run that crawls some sources of a dataset; of the same state of them Dagster makes no second one."""
    # what looks as it once did is crawled all the same when it was crawled in between, or the dataset was made anew
    made = sources[0].dataset.location.modified(layout.CONFIG)
    crawled = [f"{state.job} {state.generation}" for state in sources[0].dataset.sources.states()]
    state = " ".join((str(made), *crawled, *(f"{each.key} {states[each.key].sign}" for each in sources)))
    config = {"pipeline": True, "only": [masked(each.source.uri) for each in sources]}
    return dg.RunRequest(
        partition_key=dataset,
        run_key=f"{dataset}:{hashlib.sha256(state.encode()).hexdigest()[:_DIGITS]}",
        run_config={"ops": {naming.op(ARCHIVE): {"config": config}}},
    )
