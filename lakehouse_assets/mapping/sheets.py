"""Sheets of xlsx workbooks, row by row."""

import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets.errors import InvalidData, LakehouseError
from lakehouse_assets.mapping.config import FileOptions
from lakehouse_assets.mapping.tables import (
    HEADER_ROWS,
    SHOWN_CHARS,
    BadRow,
    Batch,
    find_header,
    frame_of,
    header_names,
    wrong_width,
)

if TYPE_CHECKING:
    from openpyxl.workbook.workbook import Workbook

_BATCH_ROWS = 10_000
_MOST_ROWS = 1_048_576

_SHARED_TEXTS = "xl/sharedStrings.xml"
_MOST_SHARED = 1 << 30
"""The texts of a workbook are held in memory; a zip archive of a few KB may unpack to any number of bytes."""

_ERRORS = frozenset({"#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!"})


class SheetTable:
    """A sheet of a workbook. Rows have the numbers that the spreadsheet shows."""

    def __init__(self, book: "Workbook", options: FileOptions, likely: Collection[str], name: str) -> None:
        self._book = book
        self._name = name
        self._sheet = _find_sheet(book.sheetnames, options.sheet, name)
        self._total = book[self._sheet].max_row
        rows = _rows(book, self._sheet, name)
        first = [row for _, row in islice(rows, max(HEADER_ROWS, options.header or 0))]
        at = options.header - 1 if options.header is not None else find_header(first, likely)
        if at >= len(first):
            msg = f"{name} has no row that names its columns in the sheet {self._sheet!r}; name another sheet"
            raise InvalidData(msg)
        self._header = at + 1
        self.columns: Sequence[str] = header_names(_trimmed(first[at]), name)
        self.description: Mapping[str, str] = {
            "format": "xlsx",
            "sheet": self._sheet,
            "header": str(self._header),
        }

    def batches(self, columns: Collection[str]) -> Iterator[Batch]:
        """The rows, with those of these columns that there are; rows that are wider than the header are bad."""
        import polars as pl

        width = len(self.columns)
        rows = islice(_rows(self._book, self._sheet, self._name), self._header, None)
        while taken := list(islice(rows, _BATCH_ROWS)):
            filled = [(number, _trimmed(row)) for number, row in taken]
            good = [(number, row) for number, row in filled if 0 < len(row) <= width]
            bad = [_too_wide(number, row, width) for number, row in filled if len(row) > width]
            cells = [[*row, *[""] * (width - len(row))] for _, row in good]
            numbers = pl.Series([number for number, _ in good], dtype=pl.Int64)
            read = min(taken[-1][0] / self._total, 1.0) if self._total else 0.0
            yield Batch(numbers, frame_of(cells, self.columns, columns), bad, read)


@contextmanager
def open_workbook(path: Path, name: str) -> "Iterator[Workbook]":
    """An open workbook that is read row by row, whatever its size; InvalidData when it is damaged."""
    import openpyxl

    _check_size(path, name)
    # by its path, it would ask for the right suffix
    with open(path, "rb") as file:
        with _readable(name):
            # a mapping wants what a formula came to, not the formula
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        try:
            yield book
        finally:
            book.close()


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except LakehouseError:
        raise
    except Exception as exc:
        # whatever zip, XML and their many parsers raise about a file that is damaged
        msg = f"cannot read {name}: {type(exc).__name__}: {exc}; open it in a spreadsheet and save it again, or as CSV"
        raise InvalidData(msg) from exc


def _check_size(path: Path, name: str) -> None:
    with zipfile.ZipFile(path) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    if sizes.get(_SHARED_TEXTS, 0) > _MOST_SHARED:
        msg = f"{name} unpacks to more than {_MOST_SHARED >> 30} GB of texts, too many for a workbook; save it as CSV"
        raise InvalidData(msg)


def _find_sheet(sheets: Sequence[str], wanted: str | None, name: str) -> str:
    if not sheets:
        msg = f"{name} has no sheet; save the table as CSV"
        raise InvalidData(msg)
    if wanted is None or wanted in sheets:
        return wanted or sheets[0]
    near = get_close_matches(wanted, sheets, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, sheets))}"
    msg = f"{name} has no sheet {wanted!r}; {hint}"
    raise InvalidData(msg)


def _rows(book: "Workbook", sheet: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a sheet as texts, from number 1, empty ones included."""
    found = book[sheet]
    # what a sheet says of its size may be anything; rows are as wide as their cells
    found.reset_dimensions()
    rows = found.iter_rows(values_only=True)
    for number in range(1, _MOST_ROWS + 2):
        with _readable(name):
            row = next(rows, None)
        if row is None:
            return
        if number <= _MOST_ROWS:
            yield number, [_text(cell) for cell in row]
    msg = f"{name} has rows beyond {_MOST_ROWS:,}, where no sheet can have any; save the table as CSV"
    raise InvalidData(msg)


def _text(cell: object) -> str:
    """What a cell shows, without the look that was chosen for it; nothing for an error."""
    match cell:
        case None:
            return ""
        case str():
            return "" if cell in _ERRORS else cell
        case bool():
            return "true" if cell else "false"
        case float():
            return _number(cell)
        case datetime():
            # spreadsheets have days as times at midnight
            return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
        case date() | time():
            return cell.isoformat()
        case _:
            return str(cell)


def _number(value: float) -> str:
    """A number with the 15 digits that a spreadsheet keeps, never with an exponent."""
    return format(Decimal(f"{value:.15g}"), "f")


def _trimmed(row: Sequence[str]) -> list[str]:
    """A row without the empty cells at its end."""
    width = len(row)
    while width and not row[width - 1].strip():
        width -= 1
    return list(row[:width])


def _too_wide(number: int, row: Sequence[str], width: int) -> BadRow:
    return BadRow(number, wrong_width(len(row), width), "\t".join(row)[:SHOWN_CHARS])
