"""Tables in files of any kind: told apart by their content, read in batches of texts, each row with its number."""

import logging
import shutil
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.mapping.config import FileOptions
from lakehouse_assets.storage.compression import damages, decompressed

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

MAX_CELL = 64 << 20
"""Longer cells are refused: one of them would decide how much memory everybody needs."""

SHOWN_CHARS = 10_000
"""So much of a bad row is kept to be shown."""

HEADER_ROWS = 20
"""The names of the columns are looked for in so many rows: many tables begin with a title."""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read: its number, why, and its text."""

    number: int
    reason: str
    text: str


@dataclass(frozen=True)
class Batch:
    """
    Some rows: the number of each, its cells in columns of texts, and the rows that cannot be read.

    An empty cell is null or an empty text. `read` tells how far the file is read, from 0 to 1.
    """

    numbers: "pl.Series"
    cells: "pl.DataFrame"
    bad: Sequence[BadRow]
    read: float


class Table(Protocol):
    """A table in a file that is open; `description` says how it is read, for people."""

    columns: Sequence[str]
    description: Mapping[str, str]

    def batches(self, columns: Collection[str]) -> Iterator[Batch]:
        """The rows, with those of these columns that there are."""


@contextmanager
def open_table(
    path: Path, options: FileOptions | None = None, *, likely: Collection[str] = (), name: str = ""
) -> Iterator[Table]:
    """
    The table in a file: CSV in any form, xlsx or parquet, also compressed; InvalidData when it is none.

    `likely` are columns that it should have: they tell the header and the delimiter. `name` stands in messages.
    """
    name = name or str(path)
    with ExitStack() as stack:
        file = stack.enter_context(_plain(path, name))
        yield _table(file, options or FileOptions(), likely, name, stack)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Says which file it was when its bytes are damaged, or not in the encoding that was stated."""
    try:
        yield
    except damages() as exc:
        msg = f"cannot read {name}: {exc}; get the file again"
        raise InvalidData(msg) from exc
    except UnicodeError as exc:
        msg = f"cannot read {name}: {exc}; state another encoding in the mapping"
        raise InvalidData(msg) from exc


def _table(
    file: "_File", options: FileOptions, likely: Collection[str], name: str, stack: ExitStack
) -> Table:
    """Each kind is imported where it is met: most files are CSV."""
    head = file.head
    if head.startswith(b"PAR1"):
        from lakehouse_assets.mapping.parquet_tables import ParquetTable

        return ParquetTable(file.path, name)
    if head.startswith(b"PK\x03\x04"):
        from lakehouse_assets.mapping.sheets import SheetTable, open_workbook

        _check_workbook(file.path, name)
        return SheetTable(stack.enter_context(open_workbook(file.path, name)), options, likely, name)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        msg = f"{name} is a workbook of Excel before 2007; save it as .xlsx or CSV"
        raise InvalidData(msg)
    from lakehouse_assets.mapping.csv_tables import CsvTable

    return CsvTable(file.packed, options, likely, name)


@dataclass(frozen=True)
class _File:
    """A file without its compression, where that is no text; the text of a CSV is decompressed as it is read."""

    path: Path
    packed: Path
    head: bytes


@contextmanager
def _plain(path: Path, name: str) -> Iterator[_File]:
    with ExitStack() as stack:
        with reading(name):
            raw = stack.enter_context(open(path, "rb"))
            plain = decompressed(raw)
            head = plain.read(8)
            copy = None
            if plain is not raw and head.startswith((b"PAR1", b"PK\x03\x04")):
                # both are read from their end
                copy = stack.enter_context(tempfile.NamedTemporaryFile(prefix="lakehouse-table-"))
                copy.write(head)
                shutil.copyfileobj(plain, copy)
                copy.flush()
        yield _File(Path(copy.name) if copy is not None else path, path, head)


def _check_workbook(path: Path, name: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except zipfile.BadZipFile as exc:
        msg = f"cannot read {name}: {exc}; get the file again"
        raise InvalidData(msg) from exc
    if "xl/workbook.xml" not in names:
        msg = f"{name} is a zip archive and no .xlsx workbook; map a table that is in it, or save it as .xlsx or CSV"
        raise InvalidData(msg)


def find_header(rows: Sequence[Sequence[str]], likely: Collection[str]) -> int:
    """The place of the row that names the columns: the first with one that is likely, else the first with any cell."""
    wanted = set(likely)
    for number, row in enumerate(rows[:HEADER_ROWS]):
        if wanted & {cell.strip() for cell in row}:
            return number
    filled = (number for number, row in enumerate(rows) if any(cell.strip() for cell in row))
    return next((number for number in filled if not rows[number][0].startswith("sep=")), len(rows))


def wrong_width(found: int, wanted: int) -> str:
    """Why a row is no row of its table."""
    return f"{found} {'cell' if found == 1 else 'cells'}, where the header has {wanted}"


def header_names(row: Sequence[str], name: str) -> list[str]:
    """The names of columns; of those that stand there twice the last counts, as for followthemoney."""
    names = [cell.strip() for cell in row]
    doubled = sorted({found for found in names if found and names.count(found) > 1})
    if doubled:
        log.warning("%s names %s more than once; the last of each is read", name, ", ".join(doubled))
    return names


def frame_of(
    rows: Sequence[Sequence[str | None]], names: Sequence[str], columns: Collection[str]
) -> "pl.DataFrame":
    """The cells of some columns of rows that all have a cell for each name."""
    import polars as pl

    places = {name: number for number, name in enumerate(names) if name in columns}
    return pl.DataFrame(
        [pl.Series(name, [row[place] for row in rows], dtype=pl.String) for name, place in places.items()]
    )
