"""Several differences as one: what changed from one version to a later one, whatever happened in between."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.diffs.compare import with_op
from lakehouse_assets.diffs.kinds import DEL, OP, DiffKind, Entry
from lakehouse_assets.diffs.lines import Lines, open_lines, portions
from lakehouse_assets.exports.aligned import aligned
from lakehouse_assets.exports.base import DatasetView
from lakehouse_assets.exports.digests import (
    DIGEST,
    ID,
    OFFSET,
    PATH,
    SIZE,
    WAS,
    read_table,
    sizes_of,
    write_table,
)
from lakehouse_assets.exports.text import buffers
from lakehouse_assets.model.deltas import Difference
from lakehouse_assets.storage.compression import decompressing
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    import polars as pl

MOST_AT_ONCE = 64
"""How many differences are read side by side: each is two open files."""

_ROWS = 4096
"""Rows read at once of each of them."""

_NUMBER = "number"
_LINE = "line"
# another program's lines have no digests: they are taken for different from all others
_GONE = b"gone"
_THERE = b"there"


class Between:
    """
    What changed by some differences of one kind that follow each other, the oldest first.

    What changed and changed back is no change. `counts` says by what was done how many `blocks` have given out.

    Example:
        >>> found = dataset.differences.between(datetime(2026, 11, 1))
        >>> b"".join(found.blocks())
        b'{"op":"DEL","entity":{"id":"p1"}}\\n'
        >>> found.counts["DEL"]
        1
    """

    def __init__(
        self, view: DatasetView, kind: DiffKind, versions: Sequence[Difference], *, since: str, until: str
    ) -> None:
        """`since` and `until` are the versions that they lead from and to."""
        self.since = since
        self.until = until
        self.versions = list(versions)
        self.counts: Counter[str] = Counter()
        self._view = view
        self._kind = kind

    def blocks(self) -> Iterator[bytes]:
        """The changes as a file has them, some at a time, by id."""
        if self._kind.form.header:
            yield self._kind.form.header
        with ExitStack() as stack:
            temp = tempfile.TemporaryDirectory(prefix="lakehouse-between-", dir=self._view.temp_directory)
            pile = _Pile(self._view, self._kind, Path(stack.enter_context(temp)), stack)
            for changed in pile.combined(self.versions):
                changed = with_op(changed)
                self.counts.update(dict(changed[OP].value_counts(name="count").iter_rows()))
                for buffer in buffers(self._kind.form.render(changed, changed[_LINE])):
                    yield bytes(buffer)


@dataclass(frozen=True)
class _Source:
    """Changes by id, and the lines that they name."""

    rows: "Iterator[pl.DataFrame]"
    lines: Lines


class _Pile:
    """Differences that are put together, in a folder for what is in between."""

    def __init__(self, view: DatasetView, kind: DiffKind, folder: Path, stack: ExitStack) -> None:
        self._view = view
        self._kind = kind
        self._folder = Location(folder)
        self._stack = stack
        self._count = 0

    def combined(self, versions: Sequence[Difference]) -> "Iterator[pl.DataFrame]":
        """The keys of what changed, its digests before and after, and its line."""
        early, late = versions[:-MOST_AT_ONCE], versions[-MOST_AT_ONCE:]
        sources = [self._stored(self.combined(early))] if early else []
        sources += [self._opened(version) for version in late]
        for parts in aligned([source.rows for source in sources], ID):
            for changed in portions(_first_to_last(parts, self._kind.keys)):
                yield _with_lines(changed, sources)

    def _opened(self, version: Difference) -> _Source:
        location, changes = self._view.location, layout.diff_changes(self._kind.target, version.at)
        if not location.exists(changes):
            return self._stored(self._theirs(version))
        lines = open_lines(location, version.path, temp_directory=self._view.temp_directory)
        return _Source(read_table(location, changes, rows=_ROWS), self._stack.enter_context(lines))

    def _theirs(self, version: Difference) -> "Iterator[pl.DataFrame]":
        """The changes of another program's file, by id; of an id the last one counts."""
        import polars as pl

        with self._view.location.open(version.path) as file:
            entries = self._kind.form.read(decompressing(file, version.path))
            told: dict[tuple[str, str], Entry] = {(entry.id, entry.path): entry for entry in entries}
        if told:
            rows = [
                (*key, _GONE if entry.op == DEL else None, None if entry.op == DEL else _THERE, entry.line)
                for key, entry in sorted(told.items())
            ]
            types = {ID: pl.String, PATH: pl.String, WAS: pl.Binary, DIGEST: pl.Binary, _LINE: pl.Binary}
            yield pl.DataFrame(rows, schema=types, orient="row").with_columns(pl.col(_LINE).cast(pl.String))

    def _stored(self, frames: "Iterator[pl.DataFrame]") -> _Source:
        """Changes with their lines, written down."""
        self._count += 1
        lines, table = f"{self._count}.lines", f"{self._count}.parquet"
        with self._folder.writer(lines) as out, self._folder.writer(table) as file:
            write_table(_places(frames, out.write), file, [*self._kind.keys, WAS, DIGEST, OFFSET, SIZE])
        opened = open_lines(self._folder, lines, temp_directory=None)
        return _Source(read_table(self._folder, table, rows=_ROWS), self._stack.enter_context(opened))


def _first_to_last(parts: "Sequence[pl.DataFrame | None]", keys: Sequence[str]) -> "pl.DataFrame":
    """What each line was before the first and is after the last of its changes, without those that are the same."""
    import polars as pl

    frames = [
        part.with_columns(pl.lit(number).alias(_NUMBER))
        for number, part in enumerate(parts)
        if part is not None
    ]
    rows = pl.concat(frame.select(*keys, WAS, DIGEST, OFFSET, SIZE, _NUMBER) for frame in frames)
    ends = [pl.col(name).last() for name in (DIGEST, OFFSET, SIZE, _NUMBER)]
    by_line = rows.sort(*keys, _NUMBER).group_by(keys, maintain_order=True)
    return by_line.agg(pl.col(WAS).first(), *ends).filter(pl.col(WAS).ne_missing(pl.col(DIGEST)))


def _with_lines(changed: "pl.DataFrame", sources: Sequence[_Source]) -> "pl.DataFrame":
    """The changes with their lines, each from the source that told of it last."""
    import polars as pl

    parts = [
        group.with_columns(sources[int(str(number))].lines.at(group[OFFSET], group[SIZE]).alias(_LINE))
        for (number,), group in changed.with_row_index("row").group_by(_NUMBER)
    ]
    return pl.concat(parts).sort("row").with_columns(pl.col(_LINE).cast(pl.String))


def _places(
    frames: "Iterator[pl.DataFrame]", write: Callable[[memoryview], object]
) -> "Iterator[pl.DataFrame]":
    """Changes with the places of their lines, which are written one behind the other."""
    import numpy as np
    import polars as pl

    written = 0
    for frame in frames:
        lines = frame[_LINE].fill_null("")
        for buffer in buffers(lines):
            write(buffer)
        sizes = sizes_of(lines)
        starts = pl.Series(OFFSET, written + np.cumsum(sizes) - sizes)
        written += int(sizes.sum())
        there = frame[_LINE].is_not_null()
        yield frame.with_columns(
            pl.when(there).then(starts).alias(OFFSET), pl.when(there).then(pl.Series(SIZE, sizes)).alias(SIZE)
        )
