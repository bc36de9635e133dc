"""
Counts of the jobs that a queue is done with: one small file for each day, written by any number of workers.

The day is that on which the jobs were deferred.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, ValidationError

from lakehouse_assets.errors import Conflict
from lakehouse_assets.jobs.naming import DONE, JSON, deferred_on
from lakehouse_assets.jobs.queue import Counts
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.location import Location

KEPT = timedelta(days=90)
"""For so long the counts of a day (UTC) are kept."""

_TRIES = 100
_PAUSE = 0.05


class Tally(BaseModel):
    """What became of jobs of a task and a dataset; `seconds` is how long they took."""

    model_config = ConfigDict(extra="ignore")

    task: str
    dataset: str | None = None
    succeeded: int = 0
    cancelled: int = 0
    aborted: int = 0
    seconds: float = 0.0

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        added = ("succeeded", "cancelled", "aborted", "seconds")
        return self.model_copy(update={name: getattr(self, name) + getattr(other, name) for name in added})

    def counts(self, queue: str) -> Counts:
        """The same as counts of a queue."""
        return Counts(queue=queue, **self.model_dump())


class Day(BaseModel):
    """A day: what is counted for good, and the batches that were counted last, by the names of their files."""

    model_config = ConfigDict(extra="ignore")

    total: list[Tally] = []
    last: dict[str, Tally] = {}

    def tallies(self) -> Iterator[Tally]:
        """All that was counted."""
        yield from self.total
        yield from self.last.values()


@dataclass
class DoneCounts:
    """
    The counts of a queue in its folder.

    A batch is counted before its file is removed. Until that is gone it stands under its name, so that who counts it
    again, after a crash, counts it once.
    """

    folder: Location
    is_waiting: Callable[[str], bool]
    """Whether the file of a batch is still there."""

    def add(self, name: str, tally: Tally) -> None:
        """Count a batch that is done, by the name of its file."""
        # whenever it is counted again, it is in the same file
        key = f"{DONE}/{deferred_on(name)}{JSON}"
        for _ in range(_TRIES):
            data = self.folder.read_or_none(key)
            day = _load(data)
            if data is None:
                self._forget_old()
            changed = self._with(day, name, tally).model_dump_json().encode()
            if self.folder.create(key, changed) if data is None else self.folder.swap(key, data, changed):
                return
            time.sleep(random.uniform(0, _PAUSE))
        msg = f"{self.folder.url(key)} changes all the time; work with fewer workers at once"
        raise Conflict(msg)

    def _with(self, day: Day, name: str, tally: Tally) -> Day:
        gone = [known for known in day.last if known != name and not self.is_waiting(known)]
        total = {(each.task, each.dataset): each for each in day.total}
        for known in gone:
            each = day.last[known]
            before = total.get((each.task, each.dataset))
            total[each.task, each.dataset] = before.plus(each) if before else each
        last = {known: each for known, each in day.last.items() if known not in gone}
        return Day(total=list(total.values()), last={**last, name: tally})

    def _forget_old(self) -> None:
        first = (now_utc() - KEPT).date().isoformat()
        for file in self.folder.names(DONE):
            if file.removesuffix(JSON) < first:
                self.folder.delete(f"{DONE}/{file}")

    def all(self) -> Iterable[Tally]:
        """All counts that are kept."""
        for file in self.folder.names(DONE):
            yield from _load(self.folder.read_or_none(f"{DONE}/{file}")).tallies()


def _load(data: bytes | None) -> Day:
    # counts that cannot be read are lost, and must not hold up any work
    try:
        return Day.model_validate_json(data) if data else Day()
    except ValidationError:
        return Day()
