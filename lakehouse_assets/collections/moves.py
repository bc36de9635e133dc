"""Renaming series."""

from collections.abc import Sequence
from dataclasses import dataclass

from lakehouse_assets.collections.bounds import Interval
from lakehouse_assets.collections.changes import Change, Drop, Replace, Rewrite, Span
from lakehouse_assets.collections.commits import DataFile
from lakehouse_assets.collections.datafiles import DataFiles
from lakehouse_assets.collections.schema import Schema
from lakehouse_assets.collections.table import Revision, Table
from lakehouse_assets.errors import Conflict

_TRIES = 10


@dataclass(frozen=True)
class _Unchanged:
    """A drop of a series that must still have the files that were read."""

    series: str
    keys: frozenset[str]

    def plan(self, schema: Schema, files: DataFiles, present: Sequence[DataFile]) -> Rewrite | None:
        """Take out its files; Conflict when there are others by now."""
        if frozenset(file.key for file in present) != self.keys:
            msg = f"the series {self.series!r} was changed by somebody else meanwhile; nothing was changed, try again"
            raise Conflict(msg)
        return Drop(self.series).plan(schema, files, present)


def renamed(table: Table, source: str, target: str) -> list[Revision]:
    """Move the rows of a series to another one, in one version; nothing without such a series."""
    for attempt in range(_TRIES):
        snapshot = table.log.snapshot()
        present = snapshot.of(source)
        frames = tuple(table.rows(snapshot, source))
        if not present or not frames:
            return []
        index = table.schema.index
        first, last = frames[0].select(index).row(0), frames[-1].select(index).row(-1)
        changes: list[Change] = [
            _Unchanged(source, frozenset(file.key for file in present)),
            Replace(
                target, (Interval(first, last, True, True),), tuple(Span.of(table.schema, f) for f in frames)
            ),
        ]
        try:
            found = table.apply(changes, operation="RENAME")
        except Conflict:
            if attempt + 1 == _TRIES:
                raise
            continue
        return [found] if found else []
    return []
