"""Which rows count, remembered from one read to the next: a make reads the same unmerged rows several times."""

from typing import TYPE_CHECKING

from lakehouse_assets.statements import schema as s

if TYPE_CHECKING:
    import polars as pl

    from lakehouse_assets.statements.ranges import Range

MOST_ROWS = 4_000_000
"""Rows remembered at most, at 12 bytes each."""

_ROW = "row"


class Settled:
    """
    For ranges of one version of the table: the numbers of the rows that count, and when each was first seen.

    What exceeds `MOST_ROWS` is not remembered, and is compared again each time.
    """

    def __init__(self) -> None:
        self._kept: dict[object, pl.DataFrame] = {}
        self._rows = 0

    def find(self, wanted: "Range", *, keep: bool) -> "pl.DataFrame | None":
        """What was remembered of a range, by the same `keep`."""
        return self._kept.get(_key(wanted, keep))

    def remember(self, wanted: "Range", settled: "pl.DataFrame", *, keep: bool) -> None:
        """Keep what `numbered` rows of a range came to."""
        if self._rows + len(settled) <= MOST_ROWS:
            self._kept[_key(wanted, keep)] = settled.select(_ROW, s.FIRST_SEEN)
            self._rows += len(settled)


def numbered(rows: "pl.DataFrame") -> "pl.DataFrame":
    """Rows of a range with their numbers in it."""
    return rows.with_row_index(_ROW)


def chosen(rows: "pl.DataFrame", settled: "pl.DataFrame") -> "pl.DataFrame":
    """Those of all rows of a range that count, as they were settled before."""
    found = rows[settled[_ROW]]
    return found.with_columns(settled[s.FIRST_SEEN]) if s.FIRST_SEEN in found.columns else found


def _key(wanted: "Range", keep: bool) -> object:
    slices = tuple((slice.part.folder.uri, slice.part.key, slice.groups[0].start) for slice in wanted.slices)
    return wanted.low, wanted.high, keep, slices
