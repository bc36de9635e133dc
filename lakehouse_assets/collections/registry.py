"""
The registry: which collections there are.

It is one small table. Every change is one commit on the version that was looked at: of two who create the same label
at once one is refused, looks again, and finds that it is there.
"""

import logging
import random
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from lakehouse_assets.collections.commits import Snapshot
from lakehouse_assets.collections.datafiles import DataFiles
from lakehouse_assets.collections.log import DeltaLog
from lakehouse_assets.collections.schema import Schema
from lakehouse_assets.errors import Conflict, NotFound
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

_SCHEMA = Schema(
    namespace="str*",
    label="str*",
    uid="str*",
    schema_json="str",
    path="str",
    created="timestamp_utc",
    deleted_at="timestamp_utc",
    changes="int",
)
_TRIES = 60
_PAUSE = 0.25


@dataclass(frozen=True)
class Entry:
    """
    A collection as the registry has it.

    Its rows lie in the folder `path`, and stay there when the label changes. Times are UTC. `changes` counts what
    became of it: of two registries that know the same collection (`uid`), the one that counts more is ahead.
    """

    namespace: str
    label: str
    uid: str
    schema_json: str
    path: str
    created: datetime
    deleted_at: datetime | None = None
    changes: int = 0

    @property
    def schema(self) -> Schema:
        """Its columns."""
        return Schema.loads(self.schema_json)

    @property
    def is_live(self) -> bool:
        """Whether it is not deleted."""
        return self.deleted_at is None

    def changed(self, **values: object) -> "Entry":
        """The same with other values, changed once more."""
        return replace(self, **{"changes": self.changes + 1, **values})  # type: ignore[arg-type]


Entries = Sequence[Entry]


class Registry:
    """
    The table of collections in a folder.

    Example:
        >>> registry = Registry(Location("memory://lake/.lakehouse/registry"))
        >>> registry.entries()
        []
    """

    def __init__(self, location: Location) -> None:
        self.location = location
        self._log = DeltaLog(location, index=_SCHEMA.first.name)
        self._files = DataFiles(_SCHEMA, location)
        self._known: tuple[frozenset[str], list[Entry]] = (frozenset(), [])

    def entries(self) -> list[Entry]:
        """All collections as they are now, deleted ones with them, sorted by namespace and label."""
        snapshot = self._snapshot()
        return self._read(snapshot) if snapshot is not None else []

    def change(self, edit: Callable[[list[Entry]], Entries], *, operation: str) -> list[Entry]:
        """
        Commit what `edit` makes of the entries; gives what there is then.

        It is called again when somebody else was faster. What it raises ends the change, and nothing is written.
        """
        for attempt in range(_TRIES):
            snapshot = self._snapshot()
            before = self._read(snapshot) if snapshot is not None else []
            after = sorted(edit(list(before)), key=lambda entry: (entry.namespace, entry.label, entry.uid))
            if after == before:
                return before
            if snapshot is None:
                snapshot = self._created()
                if snapshot.files:
                    continue
            added = self._files.write([_frame(after)], None) if after else []
            try:
                self._log.commit(snapshot, add=added, remove=list(snapshot.files), operation=operation)
            except Conflict as exc:
                log.debug("change %s of the registry: %s", attempt + 1, exc)
                for file in added:
                    self.location.delete(file.key)
                time.sleep(random.uniform(0, min(_PAUSE, 0.005 * 2**attempt)))
                continue
            return after
        msg = f"the registry {self.location.uri} was changed by others {_TRIES} times meanwhile; try again"
        raise Conflict(msg)

    def trim(self, age: timedelta) -> int:
        """Forget earlier versions that are so old, and the file that each of them is; gives how many."""
        from lakehouse_assets.collections.trimming import trim_log

        return trim_log(self._log, now_utc() - age, lineage=False) if self._snapshot() else 0

    def version(self) -> int:
        """The number of its newest version, -1 when there is none."""
        snapshot = self._snapshot()
        return snapshot.version if snapshot is not None else -1

    def _snapshot(self) -> Snapshot | None:
        try:
            return self._log.snapshot()
        except NotFound:
            return None

    def _created(self) -> Snapshot:
        # commits stand on it that a file is never created where there is one
        self.location.prove_conditions(f".probe-{uuid.uuid4().hex}")
        try:
            self._log.create(_SCHEMA.delta(in_series=False), name="collections")
        except Conflict:
            log.debug("somebody else made the registry %s", self.location.uri)
        return self._log.snapshot()

    def _read(self, snapshot: Snapshot) -> list[Entry]:
        keys, entries = frozenset(snapshot.files), self._known[1]
        # files never change
        if keys != self._known[0]:
            found = [row for file in snapshot.files.values() for row in self._files.read(file).to_dicts()]
            entries = sorted(
                (Entry(**row) for row in found), key=lambda entry: (entry.namespace, entry.label, entry.uid)
            )
            self._known = keys, entries
        return list(entries)


def _frame(entries: Entries) -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame([vars(entry) for entry in entries], schema=_SCHEMA.stored)
