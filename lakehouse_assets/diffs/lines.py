"""Lines of a file by where they stand in it, also of a compressed one."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO

from lakehouse_assets.exports.digests import SIZE
from lakehouse_assets.storage.compression import SUFFIXES, decompressing
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.spilling import spilling

if TYPE_CHECKING:
    import polars as pl

_COPY = 4 << 20
_GAP = 256 << 10
"""What lies between two lines is read along when it is no more than this: on an object store a read is a request."""
_MOST = 16 << 20
"""How many bytes are read at once, and rendered at once."""


def portions(places: "pl.DataFrame") -> "Iterator[pl.DataFrame]":
    """Rows with the sizes of lines in portions whose lines can be held at once; a longer line is one by itself."""
    import numpy as np

    ends = np.cumsum(places[SIZE].fill_null(0).to_numpy())
    cuts = np.flatnonzero(np.diff(ends // _MOST)) + 1
    bounds = [0, *cuts.tolist(), len(places)]
    for start, stop in pairwise(bounds):
        if stop > start:
            yield places[start:stop]


class Lines:
    """A plain file, from which lines are read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def at(self, offsets: "pl.Series", sizes: "pl.Series") -> "pl.Series":
        """The bytes at some places of the file; null where the place is."""
        import polars as pl

        found: list[bytes | None] = [None] * len(offsets)
        places = [
            (start, start + size, number)
            for number, (start, size) in enumerate(zip(offsets.to_list(), sizes.to_list(), strict=True))
            if start is not None
        ]
        for block in _blocks(sorted(places)):
            first, last = block[0][0], max(stop for _, stop, _ in block)
            self._file.seek(first)
            data = self._file.read(last - first)
            for start, stop, number in block:
                found[number] = data[start - first : stop - first]
        return pl.Series("line", found, dtype=pl.Binary)


@contextmanager
def open_lines(location: Location, path: str, *, temp_directory: str | None) -> Iterator[Lines]:
    """The lines of a file of a dataset; a compressed one is unpacked into a temporary file."""
    if not path.endswith(SUFFIXES):
        with location.open_ranges(path) as file:
            yield Lines(file)
        return
    with ExitStack() as stack:
        with spilling(temp_directory), location.open(path) as packed:
            temp = tempfile.TemporaryFile(prefix="lakehouse-lines-", dir=temp_directory)  # noqa: SIM115
            plain = stack.enter_context(temp)
            shutil.copyfileobj(decompressing(packed, path), plain, _COPY)
        yield Lines(plain)


def _blocks(places: list[tuple[int, int, int]]) -> Iterator[list[tuple[int, int, int]]]:
    """Sorted places in groups that are read at once."""
    block: list[tuple[int, int, int]] = []
    for place in places:
        if block and (place[0] - block[-1][1] > _GAP or place[1] - block[0][0] > _MOST):
            yield block
            block = []
        block.append(place)
    if block:
        yield block
