"""How many rows the files of a series have: neither many files nor large ones."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from lakehouse_assets.collections.bounds import bound_of, place_of_value
from lakehouse_assets.collections.commits import DataFile
from lakehouse_assets.collections.schema import Schema

if TYPE_CHECKING:
    import polars as pl

ROWS = 1_000_000
"""The most rows of a file."""

FEW_ROWS = 16_000
"""A change of some rows rewrites the files that these are in: of so many rows each, that is little."""

MANY_ROWS = 100_000
"""Rows that come together stay together, up to so many, until some of them change: then their file is cut smaller."""

_FILES = 256


def cut(
    schema: Schema,
    frame: "pl.DataFrame",
    *,
    total: int,
    between: Sequence[DataFile] = (),
    fresh: bool = False,
    size: int | None = None,
) -> "list[pl.DataFrame]":
    """
    Sorted rows in parts for files: of some thousand rows each, larger in series of many (`total`) rows, or of `size`.

    They are larger, too, if the rows are `fresh`, and take no other rows' place. No part reaches over one of the files
    `between`, and rows of the same index stay together.
    """
    size = min(size or max(rows_per_file(total), MANY_ROWS if fresh else 0), ROWS)
    parts = _apart(schema, frame, between)
    return [piece for part in parts for piece in _pieces(schema, part, size)]


def rows_per_file(total: int) -> int:
    """How many rows a file of a series should have, so that there are neither many files nor large ones."""
    return min(max(FEW_ROWS, -(-total // _FILES)), ROWS)


def _apart(schema: Schema, frame: "pl.DataFrame", between: Sequence[DataFile]) -> "list[pl.DataFrame]":
    if frame.is_empty() or not between:
        return [frame]
    column = frame[schema.first.name]
    first, last = column[0], column[-1]
    starts = [bound for file in between if (bound := bound_of(schema.first, file.lower)) is not None]
    inside = [start for start in starts if first < start < last]
    places = sorted({place_of_value(column, start, behind=False) for start in inside})
    cuts = [0, *places, frame.height]
    return [frame.slice(a, b - a) for a, b in pairwise(cuts) if b > a]


def _pieces(schema: Schema, frame: "pl.DataFrame", size: int) -> "Iterator[pl.DataFrame]":
    # a quarter more is better than one more file
    most = min(size * 5 // 4, ROWS)
    step = -(-frame.height // -(-frame.height // most)) if frame.height else 1
    start = 0
    while start < frame.height:
        end = _end_of_key(schema, frame, start + step)
        yield frame.slice(start, end - start)
        start = end


def _end_of_key(schema: Schema, frame: "pl.DataFrame", end: int) -> int:
    """Where rows of the same first index end that a cut at `end` would take apart."""
    if end >= frame.height:
        return frame.height
    column = frame[schema.first.name]
    last = column[end - 1]
    return end if column[end] != last else place_of_value(column, last, behind=True)
