"""What a table is, whatever file it comes from: batches of texts, each row with its number, below a header."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.storage.compression import damages

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
