"""
Parts of a long export that are kept while it is written, so that the next try goes on after them.

A process may die in the last of many minutes. What it has rendered lies in checkpoints by then, a part for some ranges
of the table, and whoever tries again takes it from there as long as the table is the same.
"""

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lakehouse_assets.checkpoints.scope import CheckpointScope
from lakehouse_assets.errors import NotFound
from lakehouse_assets.statements.datafiles import Snapshot
from lakehouse_assets.statements.reader import Pace, Reader

if TYPE_CHECKING:
    import polars as pl

    from lakehouse_assets.checkpoints.store import CheckpointStore

log = logging.getLogger(__name__)

RANGES = 8
"""So many ranges of the table are a part: half a million statements, and some hundred MB."""


class KeptParts:
    """
    What the tries of one piece of work keep for each other.

    Example:
        >>> kept = KeptParts(lake.checkpoints, run_id="r1", correlation_id="r1", least_rows=10_000_000)
        >>> dataset.export("entities", kept=kept)
    """

    def __init__(
        self, store: "CheckpointStore[pl.LazyFrame]", *, run_id: str, correlation_id: str, least_rows: int
    ) -> None:
        """Tables of fewer rows than `least_rows` are not worth it. All tries share the `correlation_id`."""
        self._store = store
        self._run_id = run_id
        self._correlation_id = correlation_id
        self.least_rows = least_rows

    def frames(
        self,
        name: str,
        reader: Reader,
        scan: "Callable[[Pace], Iterator[pl.DataFrame]]",
        render: "Callable[[pl.DataFrame], pl.DataFrame]",
    ) -> "Iterator[pl.DataFrame]":
        """
        What is rendered of each frame of a scan: first what an earlier try kept of it, then the others.

        `name` tells works apart whose results differ: dataset, artifact, and version of the code that renders.
        """
        work = _Work(self, name, reader)
        is_begun = False
        for rows in scan(work):
            if not is_begun:
                is_begun = True
                yield from work.kept()
            rendered = render(rows)
            work.keep(rendered)
            yield rendered
        if not is_begun:
            yield from work.kept()

    def get(self, name: str) -> "pl.LazyFrame | None":
        """A part, if it is there."""
        try:
            return self._store.get(name, run_id=self._run_id, correlation_id=self._correlation_id)
        except NotFound:
            return None

    def put(self, name: str, part: "pl.DataFrame") -> None:
        """Keep a part for all tries."""
        self._store.put(
            name,
            run_id=self._run_id,
            correlation_id=self._correlation_id,
            scope=CheckpointScope.CORRELATION,
            data=part.lazy(),
        )


class _Work(Pace):
    """One pass over the table: which ranges it leaves out, and what it keeps of the others."""

    def __init__(self, parts: KeptParts, name: str, reader: Reader) -> None:
        self._parts = parts
        self._name = name
        # what a scan needs beside its rows was read at this version, if the scan itself finds no other
        self._expected = _at(reader.table.snapshot())
        self._prefix = ""
        self._range = -1
        self._there = 0
        self._part = 0
        self._held: list[pl.DataFrame] = []

    def begin(self, snapshot: Snapshot) -> None:
        self._range, self._there, self._held, self._prefix = -1, 0, [], ""
        is_worth_it = sum(file.rows for file in snapshot.files) >= self._parts.least_rows
        if not is_worth_it or _at(snapshot) != self._expected:
            return
        self._prefix = f"{self._name}-{snapshot.table_id}-{snapshot.version}"
        while self._parts.get(f"{self._prefix}-{self._there}") is not None:
            self._there += 1
        self._part = self._there
        if self._there:
            log.info("%s: %s parts are there from an earlier try", self._name, self._there)

    def leaves_out(self) -> bool:
        self._range += 1
        return self._range < self._there * RANGES

    def kept(self) -> "Iterator[pl.DataFrame]":
        """The parts that an earlier try kept."""
        for number in range(self._there):
            part = self._parts.get(f"{self._prefix}-{number}")
            if part is None:
                msg = f"the part {number} of {self._name} was cleaned up while it was needed; run it again"
                raise NotFound(msg)
            yield part.collect()

    def keep(self, rendered: "pl.DataFrame") -> None:
        """Hold what was rendered of the newest range, and put a part that is whole."""
        import polars as pl

        if not self._prefix:
            return
        part = self._range // RANGES
        while self._part < part:
            # a part of which nothing counts is kept, too: those after it would not be found
            self._parts.put(f"{self._prefix}-{self._part}", pl.concat(self._held or [rendered.clear()]))
            self._held = []
            self._part += 1
        self._held.append(rendered)


def _at(snapshot: Snapshot | None) -> tuple[str, int] | None:
    return None if snapshot is None else (snapshot.table_id, snapshot.version)
