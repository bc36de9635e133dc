"""How the cells of a CSV are told apart: tried on its first lines."""

import csv
import re
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from lakehouse_assets.mapping.config import FileOptions
from lakehouse_assets.mapping.tables import find_header

_DELIMITERS = (",", ";", "\t", "|")
_QUOTES = ('"', "'")

# the line by which a spreadsheet is told
_TOLD = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """The character between cells, and the one around them."""

    delimiter: str
    quote: str

    def rows(self, lines: Sequence[str]) -> list[list[str]]:
        """The rows of some lines; those after one that cannot be read are left out."""
        found: list[list[str]] = []
        reader = csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, skipinitialspace=True)
        with suppress(csv.Error):
            found.extend(reader)
        return found


def detect_dialect(lines: Sequence[str], options: FileOptions, likely: Collection[str]) -> Dialect:
    """
    The dialect that is stated, or the one that makes most sense of the first lines.

    That is the one in which most of the likely columns show, then the one with the most even rows.
    """
    told = _TOLD.fullmatch(lines[0]) if lines else None
    delimiters = [options.delimiter] if options.delimiter else [told[1]] if told else _DELIMITERS
    quotes = [options.quote] if options.quote else _QUOTES
    tried = [Dialect(delimiter, quote) for quote in quotes for delimiter in delimiters]
    return max(tried, key=lambda dialect: _sense(dialect.rows(lines), likely))


def _sense(rows: Sequence[Sequence[str]], likely: Collection[str]) -> tuple[int, float]:
    """How many of the likely columns there are, and the share of rows that are as wide as a header of several cells."""
    at = find_header(rows, likely)
    if at >= len(rows):
        return 0, 0.0
    header = {cell.strip() for cell in rows[at]}
    widths = Counter(len(row) for row in rows[at:] if row)
    width = len(rows[at])
    even = widths[width] / max(sum(widths.values()), 1) if width > 1 else 0.0
    return len(header & set(likely)), even
