"""Writing entities one by one: they wait in the journal, and are visible after the next flush."""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.operations.given import GivenStatements, line_of
from lakehouse_assets.operations.imports import ImportJob
from lakehouse_assets.statements.inputs import Format, Source
from lakehouse_assets.storage.spilling import spilling

if TYPE_CHECKING:
    from followthemoney.proxy import EntityProxy

HELD = 8 << 20
"""Entities wait in memory up to so many bytes, and beyond that in a temporary file."""


class JournalWriter:
    """
    Takes entities, and confirms them all when it is closed.

    What `close` confirmed survives the end of the process; of a block that raised nothing is left. Any number of
    writers, in any number of processes, may write at once: none waits for another.

    Example:
        >>> with dataset.entities.writer(origin="scraper") as writer:
        ...     writer.add({"id": "c1", "schema": "Company", "properties": {"name": ["Acme"]}})
        >>> writer.job.entities
        1
        >>> dataset.flush().rows
        2
    """

    def __init__(
        self, confirm: Callable[[Sequence[Source]], ImportJob | None], temp_directory: str | None
    ) -> None:
        """Use `Dataset.entities.writer`."""
        self._confirm = confirm
        self._temp_directory = temp_directory
        with spilling(temp_directory):
            self._lines = tempfile.SpooledTemporaryFile(HELD, prefix="lakehouse-writer-", dir=temp_directory)  # noqa: SIM115
        self._statements = GivenStatements(temp_directory)
        self._is_open = True
        self._count = 0
        self.job: ImportJob | None = None

    def add(self, entity: "EntityProxy | Mapping[str, object]") -> None:
        """Take one entity: a mapping, a proxy of followthemoney or an entity of statements."""
        if not self._is_open:
            msg = "this writer is closed; open another one"
            raise InvalidData(msg)
        with spilling(self._temp_directory):
            self._lines.write(line_of(entity, self._statements))
        self._count += 1

    def add_entity(self, entity: "EntityProxy | Mapping[str, object]") -> None:
        """The same as `add`."""
        self.add(entity)

    def add_many(self, entities: "Iterable[EntityProxy | Mapping[str, object]]") -> int:
        """Take entities one by one; returns how many."""
        before = self._count
        for entity in entities:
            self.add(entity)
        return self._count - before

    def close(self) -> ImportJob | None:
        """
        Confirm all that was added, all of it or nothing; returns the job that did it, None when nothing was added.

        Its `errors` count entities that could not be taken, which lie in quarantine.
        """
        if self._is_open:
            self._is_open = False
            try:
                if self._count:
                    self.job = self._confirm(self._sources())
            finally:
                self._release()
        return self.job

    def discard(self) -> None:
        """Forget all that was added since it was opened."""
        self._is_open = False
        self._release()

    def _sources(self) -> list[Source]:
        size = self._lines.tell()
        self._lines.seek(0)
        return [
            Source("the entities written", lambda: cast(BinaryIO, self._lines), size=size),
            Source("the statements written", self._statements.open, format=Format.csv),
        ]

    def _release(self) -> None:
        self._lines.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
