"""The runs that work on queues: one at a time for each queue and dataset, and one for a queue's jobs of no dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import dagster as dg

from lakehouse_assets.defs.working import PARTITION, RUNNING, WAITING

QUEUE = "lakehouse/queue"
DATASET = "lakehouse/dataset"
PRIORITY = "dagster/priority"

_FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
# what is wrong with a machine may be over then; jobs that fail do not fail their run
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=1)
_MOST_DOUBLINGS = 10
_LOOK_BACK = 2 * _LONGEST_PAUSE
_MOST = 500

Key = tuple[str, str]
"""A queue and a dataset; the dataset of jobs of none is ""."""


@dataclass(frozen=True)
class Runs:
    """The runs of a job: for what some wait or are at work, and the last ones, the newest first."""

    unfinished: frozenset[Key]
    last: Mapping[Key, Sequence[dg.RunRecord]]

    @classmethod
    def of(cls, instance: dg.DagsterInstance, job: str, now: datetime) -> "Runs":
        """Those that an instance knows."""
        busy = instance.get_runs(dg.RunsFilter(job_name=job, statuses=[*WAITING, *RUNNING]))
        recent = dg.RunsFilter(job_name=job, created_after=now - _LOOK_BACK)
        last: dict[Key, list[dg.RunRecord]] = {}
        for record in instance.get_run_records(recent, limit=_MOST):
            last.setdefault(_key(record.dagster_run), []).append(record)
        return cls(frozenset(map(_key, busy)), last)

    def free_at(self, queue: str, dataset: str | None, *, spacing: timedelta) -> datetime | None:
        """
        When the next run may be asked for; None when there was none yet.

        So long after the last one was; if that failed, some time after its end, which doubles each time.
        """
        records = self.last.get((queue, dataset or ""), ())
        if not records:
            return None
        failures = 0
        while failures < len(records) and records[failures].dagster_run.status in _FAILED:
            failures += 1
        if not failures:
            began: datetime = records[0].create_timestamp
            return began + spacing
        ended: datetime = records[0].update_timestamp
        pause = _FIRST_PAUSE * (1 << min(failures - 1, _MOST_DOUBLINGS))
        return ended + min(_LONGEST_PAUSE, pause)


def tags_of(queue: str, dataset: str | None, priority: int) -> Mapping[str, str]:
    """The tags of a run; by that of the partition Dagster lets it wait for other runs on the same dataset."""
    tags = {QUEUE: queue, PRIORITY: str(priority)}
    return tags if dataset is None else {**tags, DATASET: dataset, PARTITION: dataset}


def _key(run: dg.DagsterRun) -> Key:
    return run.tags.get(QUEUE, ""), run.tags.get(DATASET, "")
