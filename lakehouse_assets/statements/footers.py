"""What the end of a data file says: its row groups, and whether it is sorted and canonical."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse_assets.errors import NotFound, StorageError
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.datafiles import DataFile
from lakehouse_assets.statements.stage import MARK, SORTED
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_KEPT = 4096


@dataclass(frozen=True)
class RowGroup:
    """Rows that are read at once: where they begin in the file, and bounds of their entity ids (None: unknown)."""

    start: int
    rows: int
    first: str | None
    last: str | None


@dataclass(frozen=True)
class Footer:
    """
    The end of one data file. `batch` names the write that made it canonical, `batch_files` how many files that
    write gave its partition.
    """

    groups: tuple[RowGroup, ...]
    columns: frozenset[str]
    sorted: bool
    batch: str | None
    batch_files: int


class Footers:
    """Footers by file; data files never change, so each is read once."""

    def __init__(self, table: Location) -> None:
        self._table = table
        self._kept: OrderedDict[str, Footer] = OrderedDict()

    def of(self, file: DataFile) -> Footer:
        """The footer of a file of the table."""
        footer = self._kept.get(file.key)
        if footer is None:
            footer = self._kept[file.key] = read_footer(self._table, file.key)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return footer


def read_footer(table: Location, key: str) -> Footer:
    """The footer of a parquet file; NotFound or StorageError when it cannot be read."""
    import pyarrow.parquet as pq

    path = table.local(key)
    with named(table, key):
        if path is not None:
            return _footer(pq.read_metadata(path))
        with table.open_ranges(key) as file:
            return _footer(pq.read_metadata(file))


@contextmanager
def named(table: Location, key: str) -> Iterator[None]:
    """Say of which data file it is what reading it in the block raises."""
    import polars as pl
    import pyarrow as pa

    try:
        yield
    except StorageError:
        raise
    except FileNotFoundError as exc:
        msg = f"{table.url(key)} is gone: somebody vacuumed the table while it was read; try again"
        raise NotFound(msg) from exc
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError) as exc:
        msg = f"cannot read {table.url(key)}: {exc}; put the file back from a backup"
        raise StorageError(msg) from exc


def is_canonical(footers: list[Footer]) -> bool:
    """Whether files hold one batch of canonical rows, all of it and nothing else."""
    batches = {footer.batch for footer in footers}
    return len(batches) == 1 and None not in batches and footers[0].batch_files == len(footers)


def _footer(metadata: "pq.FileMetaData") -> Footer:
    notes = metadata.metadata or {}
    batch, _, files = notes.get(MARK, b"").decode().partition(":")
    names = [metadata.schema.column(number).name for number in range(metadata.num_columns)]
    column = names.index(s.ENTITY_ID)
    groups, start = [], 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        first, last = _bounds(group.column(column).statistics)
        groups.append(RowGroup(start, group.num_rows, first, last))
        start += group.num_rows
    return Footer(tuple(groups), frozenset(names), notes.get(SORTED) == b"1", batch or None, int(files or 0))


def _bounds(statistics: "pq.Statistics | None") -> tuple[str | None, str | None]:
    if statistics is None or not statistics.has_min_max:
        return None, None
    return statistics.min, statistics.max
