"""
Reading a partition in ranges of entity ids, so that memory does not grow with it.

A range ends at the last id of some row group. Files whose row groups are small and apart, as this program writes
them, are read once from end to end; what others wrote unsorted is sorted first, in runs of bounded size.
"""

import errno
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.datafiles import DataFile, Partition
from lakehouse_assets.statements.footers import Footer, Footers, RowGroup, named, read_footer
from lakehouse_assets.statements.stage import ROW_GROUP
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.spilling import spilling

if TYPE_CHECKING:
    import polars as pl

RANGE_ROWS = 65_536
"""Rows worked on at once. At 64k to 131k rows a statements.csv costs a third less CPU than at 262k and more: the
same memory is used again, and the caches hold it."""

ROW_BYTES = 1000
"""Memory that a row of an unsorted file takes while it is sorted, with room to spare."""

RUN_ROWS = 1_000_000
"""Rows of an unsorted file that are sorted at once, unless a memory limit says otherwise."""

_WIDE = 8 * ROW_GROUP
_COPY = 8 << 20


@dataclass(frozen=True)
class Part:
    """A file and where its rows belong; `folder` and `key` say where it lies."""

    folder: Location
    key: str
    partition: Partition
    footer: Footer

    @property
    def rows(self) -> int:
        """The rows in the file."""
        return sum(group.rows for group in self.footer.groups)


@dataclass(frozen=True)
class Slice:
    """Row groups of a file that follow each other."""

    part: Part
    groups: tuple[RowGroup, ...]


@dataclass(frozen=True)
class Range:
    """The rows with `low` < entity id <= `high` (None: open), and which parts of files hold them."""

    low: str | None
    high: str | None
    slices: tuple[Slice, ...]
    in_order: bool
    """Whether reading the slices one after the other gives sorted rows."""

    def near(self, ids: "pl.Series") -> "Range":
        """The same range with only those row groups that can hold one of some sorted ids."""
        place = 0 if self.low is None else int(ids.search_sorted(self.low, "right"))
        if place == len(ids) or (self.high is not None and ids[place] > self.high):
            return replace(self, slices=())
        slices = [found for slice in self.slices for found in _runs(slice.part, _holding(slice.groups, ids))]
        return replace(self, slices=tuple(slices))


@contextmanager
def open_parts(
    table: Location,
    files: Sequence[DataFile],
    footers: Footers,
    *,
    temp_directory: str | None,
    run_rows: int,
) -> Iterator[list[Part]]:
    """
    Files as parts that can be read in ranges.

    Those with wide row groups are sorted into temporary files first, `run_rows` rows at a time; so are files that are
    so many that one row group of each would be more than that.
    """
    with ExitStack() as stack:
        parts = [Part(table, file.key, file.partition, footers.of(file)) for file in files]
        if sum(part.rows for part in parts) > run_rows:
            is_many = len(parts) * ROW_GROUP > run_rows
            small = [part for part in parts if _is_wide(part.footer) or (is_many and part.rows < run_rows)]
            if small:
                joined = {part.key for part in small}
                kept = [part for part in parts if part.key not in joined]
                with spilling(temp_directory):
                    temp = tempfile.TemporaryDirectory(prefix="lakehouse-runs-", dir=temp_directory)
                    folder = Path(stack.enter_context(temp))
                    parts = [*kept, *_sorted_runs(small, folder, run_rows)]
        yield parts


def plan(parts: Sequence[Part], rows: int = RANGE_ROWS) -> list[Range]:
    """Ranges of about that many rows that together cover everything, in ascending order."""
    groups = [group for part in parts for group in part.footer.groups]
    if not groups:
        return []
    cuts: list[str | None] = []
    if all(group.last is not None for group in groups):
        held = 0
        for group in sorted(groups, key=lambda group: group.last or ""):
            held += group.rows
            if held >= rows and (not cuts or group.last != cuts[-1]):
                cuts.append(group.last)
                held = 0
    highest = max((group.last for group in groups if group.last is not None), default=None)
    if cuts and cuts[-1] == highest:
        cuts.pop()
    bounds = [None, *cuts, None]
    return [select(parts, low, high) for low, high in pairwise(bounds)]


def select(parts: Sequence[Part], low: str | None, high: str | None, *, first: str | None = None) -> Range:
    """The range of ids above `low` and up to `high`; with `first`, only row groups that can hold it or later ids."""
    slices: list[Slice] = []
    for part in parts:
        wanted = (
            group
            for group in part.footer.groups
            if _touches(group, low, high) and not (first and group.last and group.last < first)
        )
        slices.extend(_runs(part, wanted))
    slices.sort(key=lambda found: found.groups[0].first or "")
    return Range(low, high, tuple(slices), _in_order(slices))


def _runs(part: Part, wanted: Iterable[RowGroup]) -> Iterator[Slice]:
    """Row groups of a file as slices: those that follow each other are one."""
    groups: list[RowGroup] = []
    for group in wanted:
        if groups and groups[-1].start + groups[-1].rows != group.start:
            yield Slice(part, tuple(groups))
            groups = []
        groups.append(group)
    if groups:
        yield Slice(part, tuple(groups))


def _holding(groups: Sequence[RowGroup], ids: "pl.Series") -> Iterator[RowGroup]:
    """The row groups that can hold one of some sorted ids."""
    for group in groups:
        place = 0 if group.first is None else int(ids.search_sorted(group.first))
        if place < len(ids) and (group.last is None or ids[place] <= group.last):
            yield group


def read(wanted: Range, columns: Sequence[str]) -> "pl.DataFrame":
    """The rows of a range with these columns; in the order of the files."""
    import polars as pl

    frames = [_read_slice(part, wanted, columns) for part in wanted.slices]
    if not frames:
        types = s.frame_schema()
        return pl.DataFrame(schema={name: types[name] for name in columns})
    return pl.concat(frames) if len(frames) > 1 else frames[0]


def _read_slice(slice: Slice, wanted: Range, columns: Sequence[str]) -> "pl.DataFrame":
    import polars as pl

    part = slice.part
    present = [name for name in columns if name in part.footer.columns]
    needed = present if s.ENTITY_ID in present else [*present, s.ENTITY_ID]
    frame = _rows(part, slice.groups, needed)
    low, high = wanted.low, wanted.high
    if low is not None and any(group.first is None or group.first <= low for group in slice.groups):
        frame = frame.filter(pl.col(s.ENTITY_ID) > low)
    if high is not None and any(group.last is None or group.last > high for group in slice.groups):
        frame = frame.filter(pl.col(s.ENTITY_ID) <= high)
    types = s.frame_schema()
    place = {s.SHARD: part.partition.shard, s.BUCKET: part.partition.bucket, s.ORIGIN: part.partition.origin}
    return frame.select(
        pl.col(name).cast(types[name])
        if name in part.footer.columns
        else pl.lit(place.get(name), dtype=types[name]).alias(name)
        for name in columns
    )


def _rows(part: Part, groups: Sequence[RowGroup], columns: Sequence[str]) -> "pl.DataFrame":
    import polars as pl

    start, rows = groups[0].start, sum(group.rows for group in groups)
    path = part.folder.local(part.key)
    with named(part.folder, part.key):
        if path is not None:
            return pl.scan_parquet(path, glob=False).slice(start, rows).select(columns).collect()
        return _remote_rows(part, start, rows, columns)


def _remote_rows(part: Part, start: int, rows: int, columns: Sequence[str]) -> "pl.DataFrame":
    import polars as pl
    import pyarrow.parquet as pq

    numbers = [
        number for number, group in enumerate(part.footer.groups) if start <= group.start < start + rows
    ]
    with part.folder.open_ranges(part.key) as file:
        table = pq.ParquetFile(file, pre_buffer=True).read_row_groups(numbers, columns=list(columns))
    return pl.DataFrame(table)


def _touches(group: RowGroup, low: str | None, high: str | None) -> bool:
    above = low is None or group.last is None or group.last > low
    below = high is None or group.first is None or group.first <= high
    return above and below


def _in_order(slices: Sequence[Slice]) -> bool:
    """Whether all files are sorted and the slices lie one behind the other."""
    last: str | None = None
    for slice in slices:
        first = slice.groups[0].first
        if not slice.part.footer.sorted or first is None or (last is not None and first <= last):
            return False
        last = slice.groups[-1].last
    return True


def _is_wide(footer: Footer) -> bool:
    """Whether a file's row groups are too large, or overlap too much, to be read in ranges."""
    groups = footer.groups
    if any(group.rows > _WIDE or group.first is None for group in groups):
        return True
    return any((later.first or "") < (group.last or "") for group, later in pairwise(groups))


def _sorted_runs(parts: Sequence[Part], folder: Path, run_rows: int) -> Iterator[Part]:
    """The rows of files, sorted in runs, as parts with small row groups."""
    import polars as pl

    for number, partition in enumerate(sorted({part.partition for part in parts})):
        held: list[pl.DataFrame] = []
        run = 0
        for piece in _pieces([part for part in parts if part.partition == partition], folder, run_rows):
            if held and sum(len(rows) for rows in held) + len(piece) > run_rows:
                yield _run(held, partition, folder, f"{number}-{run}.parquet")
                held, run = [], run + 1
            held.append(piece)
        if held:
            yield _run(held, partition, folder, f"{number}-{run}.parquet")


def _pieces(parts: Sequence[Part], folder: Path, run_rows: int) -> "Iterator[pl.DataFrame]":
    """The rows of files of one partition, so many at a time."""
    import polars as pl

    types = s.frame_schema()
    for part in parts:
        path = part.folder.local(part.key) or _download(part, folder / "download.parquet")
        for start in range(0, part.rows, run_rows):
            with named(part.folder, part.key):
                rows = pl.scan_parquet(path, glob=False).slice(start, run_rows).collect()
            absent = [
                pl.lit(None, types[name]).alias(name) for name in s.FILE_COLUMNS if name not in rows.columns
            ]
            yield rows.with_columns(absent).select(pl.col(name).cast(types[name]) for name in s.FILE_COLUMNS)


def _run(held: "Sequence[pl.DataFrame]", partition: Partition, folder: Path, name: str) -> Part:
    import polars as pl

    try:
        pl.concat(held).sort(s.ENTITY_ID).write_parquet(
            folder / name, compression="lz4", row_group_size=ROW_GROUP, statistics=True
        )
    except pl.exceptions.ComputeError as exc:
        # polars tells in words alone that a disk is full
        raise OSError(errno.EIO, str(exc)) from exc
    runs = Location(folder)
    return Part(runs, name, partition, read_footer(runs, name))


def _download(part: Part, target: Path) -> Path:
    with part.folder.open(part.key) as source, open(target, "wb") as file:
        shutil.copyfileobj(source, file, _COPY)
    return target
