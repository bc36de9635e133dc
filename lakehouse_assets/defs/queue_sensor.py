"""What has jobs worked: looks at the queues when something was deferred, and once a minute in any case."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from time import monotonic

import dagster as dg

from lakehouse_assets import layout
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.queue_assets import dead_letters, evaluation, waiting_observation, worked_in_time
from lakehouse_assets.defs.queue_events import newest_announcement
from lakehouse_assets.defs.queue_looks import Group, Seen, Told, groups, next_due
from lakehouse_assets.defs.queue_runs import Runs, tags_of
from lakehouse_assets.defs.queue_work import WORK, WORK_OP
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.jobs import open_queue
from lakehouse_assets.jobs.naming import WAITING, queue_folder
from lakehouse_assets.jobs.procrastinate_queue import ProcrastinateQueue
from lakehouse_assets.jobs.stages import PRIORITY
from lakehouse_assets.lake import Lake
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.findings import CheckResult

log = logging.getLogger(__name__)

# the daemon looks that often at most
_SECONDS = 5
# what nobody announced, or whose run ended without having worked it, waits no longer
_LONGEST = timedelta(minutes=1)
# Dagster submits some five in a second
_MOST_RUNS = 20
# looking takes a tenth of the time at most, however much waits; in seconds what is not worth a rest
_REST = 10
_QUICK = 0.5

_Event = dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation


def work_sensor(naming: Naming, job: dg.JobDefinition, queues: Sequence[str]) -> dg.SensorDefinition:
    """Asks for runs that work what waits; `queues` are those that are assets."""

    @dg.sensor(
        name=naming.name(WORK),
        job=job,
        minimum_interval_seconds=_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.resource},
        description="Asks for a run for each queue and dataset that jobs wait for, one at a time. It looks when "
        "something was deferred, and once a minute in any case: what nobody announced is found, and what a run left "
        "that was killed. Between two runs for the same LAKEHOUSE_QUEUE_SECONDS go by, unless there is work for a run "
        "of some length; after one that failed it is a longer time each time. Turn it off to have all jobs wait.",
    )
    def work_jobs(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        seen, now = Seen.read(context.cursor), now_utc()
        lake = open_lake(context, naming)
        if now.timestamp() < seen.rest:
            return dg.SkipReason("the last look took long")
        event, sign = _signs(context.instance, naming, lake, seen.queues, seen.event)
        if event == seen.event and sign == seen.sign and now.timestamp() < seen.again:
            return dg.SkipReason("nothing was deferred")
        return _Look(context.instance, naming, lake, queues, seen, now).result()

    return work_jobs


def _signs(
    instance: dg.DagsterInstance, naming: Naming, lake: Lake, queues: Sequence[str], after: int
) -> tuple[int, str]:
    """What changes when something is deferred: the newest announcement, and what a look from outside shows."""
    found = (newest_announcement(instance, naming, queue, after=after) for queue in queues)
    event = max((number for number in found if number is not None), default=after)
    jobs = open_queue(lake)
    if isinstance(jobs, ProcrastinateQueue):
        return event, jobs.sign()
    if lake.location.path is None:
        return event, ""
    folders = [layout.LAKE_QUEUE, *(f"{queue_folder(queue)}/{WAITING}" for queue in queues)]
    paths = [lake.location.path / folder for folder in folders]
    times = [str(path.stat().st_mtime_ns) for path in paths if path.is_dir()]
    return event, sha256(" ".join(times).encode()).hexdigest()[:16]


class _Look:
    """One look at all queues."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        naming: Naming,
        lake: Lake,
        assets: Sequence[str],
        seen: Seen,
        now: datetime,
    ) -> None:
        self._began = monotonic()
        self._naming = naming
        self._lake = lake
        self._assets = assets
        self._seen = seen
        self._now = now
        jobs = open_queue(lake)
        self._queues = jobs.queues()
        # before the queues: what comes while they are read is seen the next time
        self._event, self._sign = _signs(instance, naming, lake, self._queues, seen.event)
        self._jobs = jobs
        self._waiting = {name: jobs.waiting(name) for name in self._queues}
        self._counts = {name: jobs.status(name) for name in self._queues}
        self._runs = Runs.of(instance, naming.name(WORK), now)
        self._soon = now + timedelta(seconds=_SECONDS)
        self._again = now + _LONGEST

    def result(self) -> dg.SensorResult:
        """What is asked for and told."""
        requests = list(self._requests())
        try:
            told, events = self._tell()
        except LakehouseError as exc:
            # what can only be shown must not keep jobs waiting
            log.warning("nothing is told of the queues: %s", exc)
            told, events = self._seen.told, []
        spent = monotonic() - self._began
        seen = Seen(
            event=self._event,
            sign=self._sign,
            again=self._again.timestamp(),
            rest=self._now.timestamp() + _REST * spent if spent > _QUICK else 0.0,
            turn=self._seen.turn + bool(requests),
            queues=tuple(self._queues),
            told=told,
        )
        reason = None if requests else self._summary()
        return dg.SensorResult(
            run_requests=requests, skip_reason=reason, cursor=seen.write(), asset_events=events
        )

    def _requests(self) -> Iterator[dg.RunRequest]:
        """A run for each group that is due, and for which there is none."""
        batches = [batch for some in self._waiting.values() for batch in some]
        self._look_at(next_due(batches, self._now))
        asked = 0
        for group in groups(batches, self._now):
            at = self._free_at(group)
            if at is not None and at > self._now:
                self._look_at(at)
            elif asked < _MOST_RUNS:
                asked += 1
                yield self._request(group)
                # it is not known when the run ends, and what it leaves
                self._look_at(self._soon)
            else:
                self._look_at(self._soon)

    def _free_at(self, group: Group) -> datetime | None:
        """When a run for a group may be asked for; None is now."""
        if (group.queue, group.dataset or "") in self._runs.unfinished:
            return self._soon
        counts = [each for each in self._counts[group.queue] if each.dataset == group.dataset]
        if not any(each.todo for each in counts):
            # a worker outside of Dagster has all of it
            return self._soon
        worth = group.is_worth_a_run(counts)
        spacing = timedelta(0) if worth else timedelta(seconds=self._lake.settings.queue_seconds)
        return self._runs.free_at(group.queue, group.dataset, spacing=spacing)

    def _look_at(self, at: datetime | None) -> None:
        if at is not None:
            self._again = min(self._again, at)

    def _request(self, group: Group) -> dg.RunRequest:
        refs = sha256("\n".join(batch.ref for batch in group.batches).encode()).hexdigest()[:16]
        config = {"queue": group.queue, "dataset": group.dataset or ""}
        return dg.RunRequest(
            # the same when the same look is repeated, and another one for every later look
            run_key=f"{group.queue}:{group.dataset or ''}:{self._event}:{self._seen.turn}:{refs}",
            run_config={"ops": {self._naming.name(WORK_OP): {"config": config}}},
            tags=tags_of(group.queue, group.dataset, group.batches[0].priority - PRIORITY),
        )

    def _tell(self) -> "tuple[Mapping[str, Sequence[float]], list[_Event]]":
        """What is told of queues that look otherwise than they were told to: once a minute, what is wrong at once."""
        told: dict[str, Sequence[float]] = {}
        events: list[_Event] = []
        for name in self._queues:
            before, now = Told.read(self._seen.told.get(name)), self._told(name)
            due = before.at + _LONGEST.total_seconds()
            if now.is_like(before) or (now.is_well == before.is_well and now.at < due):
                told[name] = before.write()
                if not now.is_like(before):
                    self._look_at(datetime.fromtimestamp(due, UTC))
                continue
            told[name] = now.write()
            events.append(waiting_observation(self._naming, name, self._counts[name]))
            if name in self._assets and not now.checks_like(before):
                events.append(evaluation(self._naming, dead_letters(self._jobs, name)))
                events.append(evaluation(self._naming, self._in_time(name)))
        return told, events

    def _told(self, queue: str) -> Told:
        counts = self._counts[queue]
        return Told(
            at=self._now.timestamp(),
            todo=sum(each.todo for each in counts),
            at_work=sum(each.doing + each.aborting for each in counts),
            dead=sum(each.failed for each in counts),
            late=int(not self._in_time(queue).passed),
        )

    def _in_time(self, queue: str) -> CheckResult:
        return worked_in_time(self._lake, queue, self._waiting[queue], self._now)

    def _summary(self) -> str:
        """Why nothing is asked for."""
        batches = sum(len(some) for some in self._waiting.values())
        if not batches:
            return "nothing waits"
        busy = len(self._runs.unfinished)
        return (
            f"{batches} batches wait for their time, or are at work; {busy} runs are at work or about to be"
        )
