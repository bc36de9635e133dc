"""Rows of a CSV of statements in blocks, each with its number; the header is row 1."""

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.statements.inputs import header
from lakehouse_assets.statements.lines import MAX_LINE, BadLine, OnBad, position, too_long
from lakehouse_assets.statements.rows import RawRows, check_columns

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from pyarrow.csv import InvalidRow

    Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]

_QUOTE, _NEWLINE = b'"', b"\n"


def read_csv(name: str, chunks: Iterator[bytes], file_number: int, on_bad: OnBad) -> Iterator[RawRows]:
    """
    The rows of a file; those with too many or too few cells, and those that are no UTF-8, go to `on_bad`.

    InvalidData when the header is not that of statements, or a quote is never closed: where rows end is unknown then.
    """
    names: list[str] = []
    rows = 1
    for text in _whole_rows(name, chunks, file_number, on_bad):
        if not names:
            names, text = _header(name, text)
            if not text:
                continue
        block = _Block(names, text, rows, file_number, on_bad)
        yield block.read(check_columns(name, names))
        rows = block.last_row


def _header(name: str, text: bytes) -> tuple[list[str], bytes]:
    first, _, rest = text.partition(_NEWLINE)
    names = header(first.decode(errors="replace").rstrip("\r"))
    check_columns(name, names)
    return names, rest


def _whole_rows(name: str, chunks: Iterator[bytes], file_number: int, on_bad: OnBad) -> Iterator[bytes]:
    """The text in pieces that end where a row ends: at a line's end with no quote open."""
    rest = b""
    rows = 0
    for chunk in chunks:
        text = rest + chunk
        end = _last_end(text)
        rest = text[end:]
        if end:
            rows += text.count(_NEWLINE, 0, end)
            yield text[:end]
        elif len(rest) > MAX_LINE:
            msg = f"{name}, line {rows + 1}: {too_long()}, or a quote is not closed. Nothing was imported"
            raise InvalidData(msg)
    if rest.count(_QUOTE) % 2:
        where = f"{name}, line {rows + 1}"
        msg = f"{where}: a quote that is opened here or before is never closed. Nothing was imported; mend it"
        raise InvalidData(msg)
    if rest:
        yield rest + _NEWLINE


def _last_end(text: bytes) -> int:
    """Where the last whole row ends, 0 when there is none."""
    is_open = text.count(_QUOTE) % 2 == 1
    end = len(text)
    while (found := text.rfind(_NEWLINE, 0, end)) >= 0:
        # what follows the line's end holds an even number of quotes when it lies outside of a quoted value
        is_open ^= text.count(_QUOTE, found, end) % 2 == 1
        if not is_open:
            return found + 1
        end = found
    return 0


class _Block:
    """Some whole rows of a file."""

    def __init__(
        self, names: list[str], text: bytes, rows_before: int, file_number: int, on_bad: OnBad
    ) -> None:
        self._names = names
        self._text = text
        self._rows_before = rows_before
        self._file_number = file_number
        self._on_bad = on_bad
        self._skipped: list[int] = []
        self.last_row = rows_before

    def read(self, columns: list[str]) -> RawRows:
        """The rows that have as many cells as the header."""
        import numpy as np
        import polars as pl

        table = self._parse(columns)
        total = len(table) + len(self._skipped)
        numbers = np.arange(self._rows_before + 1, self._rows_before + 1 + total, dtype=np.int64)
        self.last_row = self._rows_before + total
        keep = np.ones(total, dtype=bool)
        keep[self._skipped] = False
        numbers = numbers[keep]
        table, numbers = self._utf8(table, numbers)
        frame = pl.DataFrame(table)
        positions = pl.Series(position(self._file_number, 0) | numbers)
        return RawRows(frame, positions, self._text_of(numbers))

    def _parse(self, columns: list[str]) -> "pa.Table":
        import pyarrow as pa
        from pyarrow import csv as arrow

        # bytes, not texts: one row that is no UTF-8 would end it all
        types = dict.fromkeys(columns, pa.large_binary())
        return arrow.read_csv(
            pa.BufferReader(self._text),
            read_options=arrow.ReadOptions(
                column_names=self._names, use_threads=False, block_size=len(self._text) + 1
            ),
            parse_options=arrow.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=self._invalid
            ),
            convert_options=arrow.ConvertOptions(column_types=types, include_columns=columns),
        )

    def _invalid(self, row: "InvalidRow") -> str:
        self._skipped.append(row.number - 1)
        if row.text.strip():
            reason = f"{row.actual_columns} cells, where the header has {row.expected_columns}"
            self._report(self._rows_before + row.number, reason, row.text.encode())
        return "skip"

    def _report(self, row: int, reason: str, text: bytes) -> None:
        self._on_bad(BadLine(position(self._file_number, row), reason, text))

    def _utf8(self, table: "pa.Table", numbers: "Numbers") -> "tuple[pa.Table, Numbers]":
        """Texts in place of bytes, without the rows that are none."""
        import numpy as np
        import pyarrow as pa

        schema = pa.schema([(name, pa.large_string()) for name in table.schema.names])
        try:
            return table.cast(schema), numbers
        except pa.ArrowInvalid:
            keep = np.ones(len(table), dtype=bool)
            text_of = self._text_of(numbers)
            for index, row in enumerate(table.to_pylist()):
                if not all(_is_utf8(cell) for cell in row.values()):
                    keep[index] = False
                    self._report(int(numbers[index]), "not UTF-8", text_of(index))
            return table.filter(pa.array(keep)).cast(schema), numbers[keep]

    def _text_of(self, numbers: "Numbers") -> Callable[[int], bytes]:
        """Gives a row's own text; only asked of the few that are bad."""
        first, found = self._rows_before + 1, list[str]()

        def text(index: int) -> bytes:
            if not found:
                found.extend(_split(self._text))
            at = int(numbers[index]) - first
            return found[at].encode(errors="surrogateescape") if at < len(found) else b""

        return text


def _split(text: bytes) -> list[str]:
    """The text of each row."""
    rows, held = [], ""
    for line in io.StringIO(text.decode(errors="surrogateescape"), newline="\n"):
        held += line
        if held.count('"') % 2 == 0:
            rows.append(held)
            held = ""
    return rows


def _is_utf8(cell: bytes | None) -> bool:
    try:
        (cell or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
