"""Sorting lines by entity id, whatever their number, within a fixed amount of memory."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets.storage.spilling import spilling

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

RUN_BYTES = 48 << 20
"""Lines are sorted in memory up to this size; more are sorted in runs of it that are merged afterwards."""

BLOCK_BYTES = 8 << 20
"""What is handed on at once: parsed and exploded, lines take about fifteen times their size."""

ROW_BLOCK_BYTES = 32 << 20
"""The same for rows of statements, which are in columns already."""

_GROUP = 256


class LineSorter:
    """
    Takes lines with their ids in any order and gives them back sorted by id, in blocks.

    All lines of one id come in the same block, and the blocks' id ranges do not overlap. What does not fit into
    memory is kept in sorted runs (Arrow files) in a temporary folder that `close` removes.

    Example:
        >>> with LineSorter(None) as sorter:
        ...     sorter.add(table_of_position_id_line)
        ...     for table in sorter.blocks(): ...
    """

    def __init__(self, temp_directory: str | None, *, block_bytes: int | None = None) -> None:
        self._temp_directory = temp_directory
        self._block_bytes = block_bytes or BLOCK_BYTES
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._held: list[pa.Table] = []
        self._held_bytes = 0
        self._runs: list[_Run] = []

    def __enter__(self) -> "LineSorter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the runs."""
        self._held, self._runs = [], []
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, table: "pa.Table") -> None:
        """Take lines: a table of `position` (int64), `id` (text) and whatever belongs to them."""
        self._held.append(table)
        self._held_bytes += table.nbytes
        if self._held_bytes > RUN_BYTES:
            self._write_run()

    def blocks(self) -> "Iterator[pa.Table]":
        """Everything that was added, sorted by id and, for one id, by position."""
        if not self._runs:
            yield from _in_memory(self._held, self._block_bytes)
            return
        if self._held:
            self._write_run()
        low: str | None = None
        for high in [*_cuts(self._runs, self._block_bytes), None]:
            found = [part for run in self._runs for part in run.between(low, high)]
            if found:
                yield _sort(_concat(found))
            low = high

    def _write_run(self) -> None:
        with spilling(self._temp_directory):
            self._write()

    def _write(self) -> None:
        import pyarrow as pa

        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="lakehouse-sort-", dir=self._temp_directory)
        path = Path(self._folder.name) / f"{len(self._runs)}.arrow"
        table = _sort(_concat(self._held))
        self._held, self._held_bytes = [], 0
        firsts, sizes = [], []
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            for start in range(0, len(table), _GROUP):
                group = table.slice(start, _GROUP)
                writer.write_batch(group.combine_chunks().to_batches()[0])
                firsts.append(group["id"][0].as_py())
                sizes.append(group.nbytes)
        self._runs.append(_Run(path, firsts, sizes))


@dataclass(frozen=True)
class _Run:
    """Lines sorted by id in a file of small batches, and the first id and size of each."""

    path: Path
    firsts: list[str]
    sizes: list[int]

    def between(self, low: str | None, high: str | None) -> "Iterator[pa.Table]":
        """The lines with `low` <= id < `high`; None is an open end."""
        import bisect

        import pyarrow as pa

        # the lines of `low` itself can begin in the batch before the first that starts with it
        start = 0 if low is None else max(bisect.bisect_left(self.firsts, low) - 1, 0)
        stop = len(self.firsts) if high is None else bisect.bisect_left(self.firsts, high)
        if start >= stop:
            return
        with pa.memory_map(str(self.path)) as file:
            reader = pa.ipc.open_file(file)
            table = pa.Table.from_batches([reader.get_batch(number) for number in range(start, stop)])
            yield _between(table, low, high)


def _between(table: "pa.Table", low: str | None, high: str | None) -> "pa.Table":
    import pyarrow.compute as pc

    mask = None
    if low is not None:
        mask = pc.greater_equal(table["id"], low)
    if high is not None:
        below = pc.less(table["id"], high)
        mask = below if mask is None else pc.and_(mask, below)
    return table if mask is None else table.filter(mask)


def _cuts(runs: list[_Run], block_bytes: int) -> list[str]:
    """Ids at which to cut, so that what lies between two of them is about a block."""
    groups = sorted(pair for run in runs for pair in zip(run.firsts, run.sizes, strict=True))
    cuts: list[str] = []
    size = 0
    for first, group_size in groups:
        if size >= block_bytes and (not cuts or first > cuts[-1]):
            cuts.append(first)
            size = 0
        size += group_size
    return cuts


def _in_memory(tables: "list[pa.Table]", block_bytes: int) -> "Iterator[pa.Table]":
    if not tables:
        return
    table = _concat(tables)
    order = _order(table)
    ids = _series(table["id"]).gather(order)
    # cut where the id changes, at about the size of a block
    step = max(1, len(table) * block_bytes // max(table.nbytes, 1))
    start = 0
    while start < len(table):
        stop = min(start + step, len(table))
        while stop < len(table) and ids[stop] == ids[stop - 1]:
            stop += 1
        yield table.take(order.slice(start, stop - start).to_arrow())
        start = stop


def _sort(table: "pa.Table") -> "pa.Table":
    return table.take(_order(table).to_arrow())


def _order(table: "pa.Table") -> "pl.Series":
    """The order of rows by id, then position; strings compare by code point."""
    import polars as pl

    frame = pl.DataFrame({"id": _series(table["id"]), "position": _series(table["position"])})
    return frame.select(pl.arg_sort_by("id", "position")).to_series().cast(pl.Int64)


def _series(column: "pa.ChunkedArray") -> "pl.Series":
    import polars as pl

    return pl.Series(column)


def _concat(tables: "list[pa.Table]") -> "pa.Table":
    """One table in one piece: taking rows from several pieces would put them together each time."""
    import pyarrow as pa

    return pa.concat_tables(tables).combine_chunks()
