"""
Rows of a CSV, chunk by chunk of its text.

A chunk without quotes is read at once. In one with quotes a row may go on over any number of lines, also into the next
chunk; Python's own reader knows where, and reads as followthemoney does.
"""

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TextIO

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.mapping.dialects import Dialect
from lakehouse_assets.mapping.tables import SHOWN_CHARS, BadRow, frame_of, wrong_width

if TYPE_CHECKING:
    import polars as pl
    from pyarrow.csv import InvalidRow

# a byte that the encoding does not have
_NO_CHARACTER = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class Rows:
    """
    The rows of a chunk: the number of each, their cells, and those that are bad.

    `taken` counts them all, also those that are empty and passed over.
    """

    numbers: "pl.Series"
    cells: "pl.DataFrame"
    bad: Sequence[BadRow]
    taken: int


class PlainRows:
    """Reads chunks whose rows are their lines."""

    def __init__(self, dialect: Dialect, names: Sequence[str]) -> None:
        self._dialect = dialect
        self._names = names

    def can_read(self, chunk: str) -> bool:
        """Whether each line of a chunk is a row, and each character one of the encoding."""
        if self._dialect.quote in chunk or not self._dialect.delimiter.isascii():
            return False
        # an empty line is no row
        if chunk.startswith("\n") or "\n\n" in chunk:
            return False
        return chunk.isascii() or not _NO_CHARACTER.search(chunk)

    def read(self, chunk: str, number: int, columns: Collection[str]) -> Rows:
        """The rows of a chunk that follows the row of this number."""
        import numpy as np
        import polars as pl
        import pyarrow as pa
        from pyarrow import csv as arrow

        skipped: list[tuple[int, int, str]] = []

        def skip(row: "InvalidRow") -> str:
            skipped.append((row.number - 1, row.actual_columns, row.text))
            return "skip"

        # by their places: two may have the same name, and the last of them counts
        wanted = {name: place for place, name in enumerate(self._names) if name in columns}
        places = [str(place) for place in wanted.values()] or ["0"]
        data = chunk.encode()
        table = arrow.read_csv(
            pa.BufferReader(data),
            read_options=arrow.ReadOptions(
                column_names=[str(place) for place in range(len(self._names))],
                use_threads=False,
                block_size=len(data) + 1,
            ),
            parse_options=arrow.ParseOptions(
                delimiter=self._dialect.delimiter,
                quote_char=False,
                ignore_empty_lines=False,
                invalid_row_handler=skip,
            ),
            convert_options=arrow.ConvertOptions(
                column_types=dict.fromkeys(places, pa.large_string()), include_columns=places
            ),
        )
        taken = len(table) + len(skipped)
        keep = np.ones(taken, dtype=bool)
        keep[[place for place, _, _ in skipped]] = False
        numbers = pl.Series(np.flatnonzero(keep) + number + 1, dtype=pl.Int64)
        cells = pl.DataFrame(table).rename({str(place): name for name, place in wanted.items()})
        bad = [
            BadRow(number + place + 1, wrong_width(width, len(self._names)), text[:SHOWN_CHARS])
            for place, width, text in skipped
            if any(cell.strip() for cell in text.split(self._dialect.delimiter))
        ]
        return Rows(numbers, cells.select(list(wanted)), bad, taken)


class _Lines:
    """The lines of chunks, and those that follow where a row goes on; those of a chunk are kept for its bad rows."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._given: Iterator[str] = iter(())
        self._before = 0
        self._kept: list[str] = []
        self.left = 0
        self.damaged = False
        self.ended = False

    def give(self, chunk: str) -> None:
        """Go on with the lines of a chunk, and forget those before."""
        self._before += len(self._kept)
        self._kept = []
        self._given = io.StringIO(chunk, newline="\n")
        self.left = chunk.count("\n") + (not chunk.endswith("\n"))
        self.damaged = not chunk.isascii() and _NO_CHARACTER.search(chunk) is not None

    def __iter__(self) -> Iterator[str]:
        while line := next(self._given, None) or self._text.readline():
            if self.left:
                self.left -= 1
            else:
                self.damaged = self.damaged or _NO_CHARACTER.search(line) is not None
            self._kept.append(line)
            yield line
        self.ended = True

    def between(self, first: int, last: int) -> str:
        """The lines after the number `first`, up to the number `last`, as far as they are shown."""
        text = "".join(self._kept[first - self._before : last - self._before])[:SHOWN_CHARS]
        return text.encode(errors="surrogateescape").decode(errors="replace")


class QuotedRows:
    """Reads any chunks, and what follows one whose last row goes on."""

    def __init__(
        self, text: TextIO, dialect: Dialect, names: Sequence[str], *, encoding: str, name: str
    ) -> None:
        self._lines = _Lines(text)
        self._name = name
        self._names = names
        self._encoding = encoding
        self._reader = csv.reader(
            self._lines, delimiter=dialect.delimiter, quotechar=dialect.quote, skipinitialspace=True
        )

    def skip(self, rows: int) -> int:
        """Pass over the rows up to the header; how many there are."""
        try:
            return sum(1 for _ in islice(self._reader, rows))
        except csv.Error as exc:
            msg = f"cannot read {self._name}: {exc} before its header; say in the mapping how to read it"
            raise InvalidData(msg) from exc

    def read(self, chunk: str, number: int, columns: Collection[str]) -> Rows:
        """The rows that begin in a chunk, which follows the row of this number."""
        import polars as pl

        self._lines.give(chunk)
        numbers: list[int] = []
        cells: list[list[str]] = []
        bad: list[BadRow] = []
        taken = 0
        while self._lines.left:
            before = self._reader.line_num
            taken += 1
            row, reason = self._next()
            if reason is not None:
                bad.append(self._bad_row(number + taken, reason, before))
            elif len(row) == len(self._names):
                numbers.append(number + taken)
                cells.append(row)
        return Rows(pl.Series(numbers, dtype=pl.Int64), frame_of(cells, self._names, columns), bad, taken)

    def _next(self) -> tuple[list[str], str | None]:
        """The next row, and why it cannot be taken."""
        try:
            row = next(self._reader)
        except csv.Error as exc:
            return [], str(exc)
        # a row that ends with its line is given before the next line is asked for
        if self._lines.ended:
            return row, "a quote that is opened in it is never closed"
        if len(row) != len(self._names):
            is_empty = not any(cell.strip() for cell in row)
            return row, None if is_empty else wrong_width(len(row), len(self._names))
        if self._lines.damaged and any(_NO_CHARACTER.search(cell) for cell in row):
            return row, f"not {self._encoding}"
        return row, None

    def _bad_row(self, number: int, reason: str, before: int) -> BadRow:
        after = self._reader.line_num
        if after - before > 1:
            reason += f"; it takes {after - before} lines"
        return BadRow(number, reason, self._lines.between(before, after).rstrip("\n"))
