"""Tables as text: CSV with any delimiter, quotes and encoding, also compressed."""

import codecs
import csv
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.mapping.config import FileOptions
from lakehouse_assets.mapping.csv_rows import PlainRows, QuotedRows
from lakehouse_assets.mapping.dialects import detect_dialect
from lakehouse_assets.mapping.encodings import detect_encoding
from lakehouse_assets.mapping.tables import MAX_CELL, Batch, find_header, header_names, reading
from lakehouse_assets.storage.compression import decompressed

_CHUNK = 2 << 20
_SAMPLE_LINES = 200
_SAMPLE_CHARS = 1 << 20
_NAMES = {"\t": "tab", " ": "space"}


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
        # the limit holds for the whole process; nobody asks for a lower one
        csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL))
        with self._text() as (text, taken):
            encoding = self._encoding.removesuffix("-sig")
            rows = QuotedRows(text, self._dialect, self.columns, encoding=encoding, name=self._name)
            plain = PlainRows(self._dialect, self.columns)
            with reading(self._name):
                number = rows.skip(self._header)
            while True:
                with reading(self._name):
                    chunk = text.read(_CHUNK) + text.readline()
                    if not chunk:
                        return
                    reader = plain if plain.can_read(chunk) else rows
                    batch = reader.read(chunk, number, columns)
                number += batch.taken
                yield Batch(batch.numbers, batch.cells, batch.bad, min(taken() / self._size, 1.0))

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
