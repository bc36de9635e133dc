"""What stages do, collected by their worker until it counts: entities to be written, and jobs to be queued."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lakehouse_assets.jobs.models import AnyJob, unpack
from lakehouse_assets.jobs.writer import import_written
from lakehouse_assets.statements.inputs import Format, Source
from lakehouse_assets.storage.spool import Spool

if TYPE_CHECKING:
    from lakehouse_assets.lake import Dataset


# most of what a job says is small
_HELD = 8 << 20


class Outbox:
    """Jobs that wait for their senders to be done."""

    def __init__(self, temp_directory: str | None) -> None:
        self._spool = Spool(temp_directory, held=_HELD)
        self.count = 0

    def add(self, job: AnyJob) -> str:
        """Take a job as it is now; returns its id. NotJson when it cannot be written."""
        job_id = job.id
        self._spool.write(job.to_line())
        self.count += 1
        return job_id

    def mark(self) -> tuple[int, int]:
        """Where it ends now, for `cut`."""
        return self._spool.size, self.count

    def cut(self, mark: tuple[int, int]) -> None:
        """Forget what came after a mark."""
        size, self.count = mark
        self._spool.cut(size)

    def __iter__(self) -> Iterator[AnyJob]:
        return map(unpack, self._spool.lines())

    def close(self) -> None:
        """Forget all of them."""
        self._spool.close()


@dataclass
class _Written:
    """What stages wrote to a dataset under one origin: entities as lines of JSON, and statements as CSV."""

    dataset: "Dataset"
    origin: str
    lines: Spool
    statements: Spool

    @property
    def sizes(self) -> tuple[int, int]:
        return self.lines.size, self.statements.size

    def take(self, sources: Sequence[Source]) -> None:
        for source in sources:
            with source.open() as stream:
                if source.format is Format.entities:
                    self.lines.copy(stream)
                else:
                    header = stream.readline()
                    self.statements.write(header if not self.statements.size else b"")
                    self.statements.copy(stream)

    def close(self) -> None:
        self.lines.close()
        self.statements.close()

    def sources(self) -> list[Source]:
        return [
            Source("the entities of jobs", self.lines.open, size=self.lines.size),
            Source("the statements of jobs", self.statements.open, format=Format.csv),
        ]


@dataclass
class Committed:
    """What was made visible: how many statements each dataset got, and how many entities were refused."""

    statements: dict[str, int] = field(default_factory=dict)
    refused: int = 0


@dataclass
class Writes:
    """What stages wrote since the last `commit`."""

    temp_directory: str | None = None
    _written: dict[tuple[str, str], _Written] = field(default_factory=dict)

    def take(self, dataset: "Dataset", origin: str, sources: Sequence[Source]) -> None:
        """Take entities that a stage wrote."""
        key = (dataset.name, origin)
        if key not in self._written:
            spools = Spool(self.temp_directory, held=_HELD), Spool(self.temp_directory, held=_HELD)
            self._written[key] = _Written(dataset, origin, *spools)
        self._written[key].take(sources)

    def mark(self) -> dict[tuple[str, str], tuple[int, int]]:
        """How much there is now, for `cut`."""
        return {key: written.sizes for key, written in self._written.items()}

    def cut(self, mark: dict[tuple[str, str], tuple[int, int]]) -> None:
        """Forget what came after a mark."""
        for key, written in self._written.items():
            lines, statements = mark.get(key, (0, 0))
            written.lines.cut(lines)
            written.statements.cut(statements)

    def commit(self) -> Committed:
        """Make all of it visible: first each journal gets its part, then these are flushed."""
        done = Committed()
        datasets: dict[str, Dataset] = {}
        for written in self._written.values():
            if any(written.sizes):
                job = import_written(written.dataset, written.origin, written.sources())
                done.refused += job.errors
                datasets[written.dataset.name] = written.dataset
            written.close()
        self._written.clear()
        for name, dataset in datasets.items():
            done.statements[name] = dataset.flush().rows
        return done
