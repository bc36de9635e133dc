"""Tables as text: CSV with any delimiter, quotes and encoding, also compressed."""

import codecs
import csv
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from itertools import islice
from pathlib import Path

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.mapping.config import FileOptions
from lakehouse_assets.mapping.dialects import Dialect, detect_dialect
from lakehouse_assets.mapping.encodings import detect_encoding
from lakehouse_assets.mapping.tables import (
    MAX_CELL,
    SHOWN_CHARS,
    BadRow,
    Batch,
    find_header,
    frame_of,
    header_names,
    reading,
    wrong_width,
)
from lakehouse_assets.storage.compression import decompressed

_BATCH_ROWS = 20_000
_BATCH_CHARS = 16 << 20
_SAMPLE_LINES = 200
_SAMPLE_CHARS = 1 << 20
_NAMES = {"\t": "tab", " ": "space"}

# a byte that the encoding does not have
_NO_CHARACTER = re.compile("[\udc80-\udcff]")


class CsvTable:
    """A CSV file. Rows are counted as spreadsheets do: the first is number 1, empty ones count."""

    def __init__(self, path: Path, options: FileOptions, likely: Collection[str], name: str) -> None:
        self._path = path
        self._name = name
        self._size = max(path.stat().st_size, 1)
        self._encoding = self._find_encoding(options)
        lines = self._first_lines()
        self._dialect = detect_dialect(lines, options, likely)
        rows = self._dialect.rows(lines)
        at = options.header - 1 if options.header is not None else find_header(rows, likely)
        if at >= len(rows):
            msg = f"{name} has no row that names its columns; the first {len(rows)} rows were looked at"
            raise InvalidData(msg)
        self._header = at + 1
        self.columns: Sequence[str] = header_names(rows[at], name)
        self.description: Mapping[str, str] = {
            "format": "csv",
            "encoding": self._encoding.removesuffix("-sig"),
            "delimiter": _NAMES.get(self._dialect.delimiter, self._dialect.delimiter),
            "quote": self._dialect.quote,
            "header": str(self._header),
        }

    def batches(self, columns: Collection[str]) -> Iterator[Batch]:
        """The rows, with those of these columns that there are; rows that are not as wide as the header are bad."""
        import polars as pl

        # the limit holds for the whole process; nobody asks for a lower one
        csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL))
        with self._text() as (text, taken):
            rows = _Rows(_Lines(text), self._dialect, len(self.columns), self._encoding)
            with reading(self._name):
                rows.skip(self._header)
            while rows.read_batch(self._name):
                frame = frame_of(rows.cells, self.columns, columns)
                numbers = pl.Series(rows.numbers, dtype=pl.Int64)
                yield Batch(numbers, frame, rows.bad, min(taken() / self._size, 1.0))

    def _find_encoding(self, options: FileOptions) -> str:
        if options.encoding is not None:
            # a byte order mark is no part of the first name
            is_utf8 = codecs.lookup(options.encoding).name == "utf-8"
            return "utf-8-sig" if is_utf8 else options.encoding
        with reading(self._name), open(self._path, "rb") as raw:
            return detect_encoding(decompressed(raw))

    def _first_lines(self) -> list[str]:
        with self._text() as (text, _), reading(self._name):
            return text.readlines(_SAMPLE_CHARS)[:_SAMPLE_LINES]

    @contextmanager
    def _text(self) -> Iterator[tuple[TextIOWrapper, Callable[[], int]]]:
        with (
            open(self._path, "rb") as raw,
            TextIOWrapper(decompressed(raw), encoding=self._encoding, errors="surrogateescape") as text,
        ):
            yield text, raw.tell


class _Lines:
    """Lines as they are read; those since the last `forget` are kept, for rows that turn out to be bad."""

    def __init__(self, text: TextIOWrapper) -> None:
        self._text = text
        self._before = 0
        self._kept: list[str] = []
        self.chars = 0
        self.damaged = False
        self.ended = False

    def __iter__(self) -> Iterator[str]:
        for line in self._text:
            self._kept.append(line)
            self.chars += len(line)
            if not line.isascii() and _NO_CHARACTER.search(line):
                self.damaged = True
            yield line
        self.ended = True

    def between(self, first: int, last: int) -> str:
        """The lines after the number `first`, up to the number `last`, as far as they are shown."""
        text = "".join(self._kept[first - self._before : last - self._before])[:SHOWN_CHARS]
        return text.encode(errors="surrogateescape").decode(errors="replace")

    def forget(self) -> None:
        """Keep nothing of what was read so far."""
        self._before += len(self._kept)
        self._kept, self.chars, self.damaged = [], 0, False


class _Rows:
    """Rows in batches: those that are as wide as the header, and the bad ones."""

    def __init__(self, lines: _Lines, dialect: Dialect, width: int, encoding: str) -> None:
        self._lines = lines
        self._width = width
        self._encoding = encoding.removesuffix("-sig")
        self._reader = csv.reader(
            lines, delimiter=dialect.delimiter, quotechar=dialect.quote, skipinitialspace=True
        )
        self._number = 0
        self._more = True
        self.numbers: list[int] = []
        self.cells: list[list[str]] = []
        self.bad: list[BadRow] = []

    def skip(self, rows: int) -> None:
        """Pass over the rows up to the header."""
        self._number += sum(1 for _ in islice(self._reader, rows))

    def read_batch(self, name: str) -> bool:
        """Read the next rows; False when there are none."""
        self._lines.forget()
        self.numbers, self.cells, self.bad = [], [], []
        with reading(name):
            while self._more and len(self.cells) < _BATCH_ROWS and self._lines.chars < _BATCH_CHARS:
                self._more = self._read_row()
        return bool(self.cells or self.bad) or self._more

    def _read_row(self) -> bool:
        before = self._reader.line_num
        self._number += 1
        try:
            row = next(self._reader, None)
        except csv.Error as exc:
            self._refuse(before, str(exc))
            return True
        if row is None:
            return False
        reason = self._fault(row)
        if reason is not None:
            self._refuse(before, reason)
        elif len(row) == self._width:
            self.numbers.append(self._number)
            self.cells.append(row)
        return True

    def _fault(self, row: list[str]) -> str | None:
        """Why a row cannot be taken; None also for an empty one, which is passed over."""
        # a row that ends with its line is given before the next line is asked for
        if self._lines.ended:
            return "a quote that is opened in it is never closed"
        if len(row) != self._width and any(cell.strip() for cell in row):
            return wrong_width(len(row), self._width)
        if self._lines.damaged and any(_NO_CHARACTER.search(cell) for cell in row):
            return f"not {self._encoding}"
        return None

    def _refuse(self, before: int, reason: str) -> None:
        after = self._reader.line_num
        if after - before > 1:
            reason += f"; it takes {after - before} lines"
        self.bad.append(BadRow(self._number, reason, self._lines.between(before, after)))
