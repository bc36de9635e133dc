"""What a look at the queues finds: who should be asked to work what, and when to look again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from lakehouse_assets.jobs import Batch, Counts

# a run costs up to two seconds of a core, which should be a tenth of its work at most
_WORTH_SECONDS = 20.0
_WORTH_JOBS = 1000


@dataclass(frozen=True)
class Seen:
    """
    What a look leaves for the next, as the cursor of the sensor holds it.

    `event` is the newest announcement, `sign` what the folders looked like from outside, `again` when to look in any
    case, `rest` until when not to (Unix seconds), `turn` how many looks asked for runs, `told` what Dagster was told of
    each queue.
    """

    event: int = 0
    sign: str = ""
    again: float = 0.0
    rest: float = 0.0
    turn: int = 0
    queues: tuple[str, ...] = ()
    told: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: str | None) -> "Seen":
        """What a cursor holds; nothing when there is none, or somebody wrote something else into it."""
        try:
            found = json.loads(cursor or "{}")
            return cls(
                event=int(found["event"]),
                sign=str(found["sign"]),
                again=float(found["again"]),
                rest=float(found["rest"]),
                turn=int(found["turn"]),
                queues=tuple(map(str, found["queues"])),
                told={str(name): list(map(float, values)) for name, values in found["told"].items()},
            )
        except (ValueError, TypeError, AttributeError, KeyError):
            return cls()

    def write(self) -> str:
        """The cursor."""
        return json.dumps(asdict(self), separators=(",", ":"))


@dataclass(frozen=True)
class Told:
    """What Dagster was told of a queue, and when (Unix seconds)."""

    at: float = 0.0
    todo: int = 0
    at_work: int = 0
    dead: int = 0
    late: int = 0

    @classmethod
    def read(cls, values: Sequence[float] | None) -> "Told":
        """What `write` gave."""
        at, *counts = values or (0.0,)
        return cls(at, *map(int, counts))

    def write(self) -> list[float]:
        """As the cursor holds it."""
        return [self.at, self.todo, self.at_work, self.dead, self.late]

    @property
    def is_well(self) -> bool:
        """Whether nothing failed for good, and nothing waits for too long."""
        return not self.dead and not self.late

    def is_like(self, other: "Told") -> bool:
        """Whether the same was told, at whatever time."""
        return replace(self, at=other.at) == other

    def checks_like(self, other: "Told") -> bool:
        """Whether the checks came to the same; before the first time they came to nothing."""
        return bool(other.at) and (self.dead, self.late) == (other.dead, other.late)


@dataclass(frozen=True)
class Group:
    """What is due of a queue for one dataset, in the order in which it is to be worked; None for jobs of no dataset."""

    queue: str
    dataset: str | None
    batches: Sequence[Batch]

    @property
    def jobs(self) -> int:
        """How many there are."""
        return sum(batch.count for batch in self.batches)

    def is_worth_a_run(self, counts: Sequence[Counts]) -> bool:
        """Whether a run would be at work for some time, as far as the jobs of before tell."""
        known = {each.task: each.seconds / each.succeeded for each in counts if each.succeeded}
        expected = sum(batch.count * known.get(batch.task, 0.0) for batch in self.batches)
        unknown = sum(batch.count for batch in self.batches if batch.task not in known)
        return expected >= _WORTH_SECONDS or unknown >= _WORTH_JOBS

    @property
    def order(self) -> tuple[int, datetime, str]:
        """Sorts groups: that with the most urgent batch first."""
        return self.batches[0].order


def groups(batches: Sequence[Batch], now: datetime) -> list[Group]:
    """What is due now, by queue and dataset, the most urgent first."""
    found: dict[tuple[str, str | None], list[Batch]] = {}
    for batch in batches:
        if batch.is_due(now):
            found.setdefault((batch.queue, batch.dataset), []).append(batch)
    made = [Group(*key, sorted(some, key=lambda each: each.order)) for key, some in found.items()]
    return sorted(made, key=lambda group: group.order)


def next_due(batches: Sequence[Batch], now: datetime) -> datetime | None:
    """When the next of them becomes due that is not yet."""
    return min(
        (each.not_before for each in batches if each.not_before and not each.is_due(now)), default=None
    )
