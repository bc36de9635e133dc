"""
What the lines of an export say, each as a digest: by two such tables two exports are compared without being read.

A table is a parquet file sorted by id, which says of each line also where it stands in the export.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from lakehouse_assets.exports.aligned import aligned
from lakehouse_assets.storage.digest import DigestWriter, Sink
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.spilling import spilling

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    import pyarrow as pa

    Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]

ID = "id"
PATH = "path"
DIGEST = "digest"
OFFSET = "offset"
SIZE = "size"
WAS = "was"

ROWS = 65_536
"""Rows of a row group, which is what is read at once."""

RUN_ROWS = 150_000
"""Rows that are sorted at once, at some 500 bytes each meanwhile; of more, sorted runs wait on disk."""

_OF_RUN = 8192
"""Rows read at once of each run that was spilled."""

_BYTES = 16
_BINARY = (DIGEST, WAS)
_NUMBERS = (OFFSET, SIZE)


class LineDigests:
    """
    Collects the digests of lines as they are written, and stores them sorted.

    Example:
        >>> with LineDigests(["id"], temp_directory=None) as digests:
        ...     digests.add(pl.DataFrame({"id": ["b", "a"]}), text_digests(lines), sizes_of(lines))
        ...     digests.store(location, "digests.parquet")
    """

    def __init__(self, keys: Sequence[str], *, temp_directory: str | None) -> None:
        """`keys` are the columns that name a line, the id first."""
        self._keys = list(keys)
        self._columns = [*keys, DIGEST, OFFSET, SIZE]
        self._offset = 0
        self._temp_directory = temp_directory
        self._held: list[pl.DataFrame] = []
        self._runs: list[Path] = []
        self._folder: Path | None = None
        self._stack = ExitStack()

    def __enter__(self) -> "LineDigests":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def skip(self, size: int) -> None:
        """Pass over bytes of the file that are no line to compare: a header."""
        self._offset += size

    def add(self, keys: "pl.DataFrame", digests: "pl.Series", sizes: "Numbers") -> None:
        """Take the digests and the sizes in bytes of lines that follow those before."""
        import numpy as np
        import polars as pl

        if not len(keys):
            return
        ends = self._offset + np.cumsum(sizes)
        places = [pl.Series(OFFSET, ends - sizes), pl.Series(SIZE, sizes)]
        self._offset = int(ends[-1])
        self._held.append(keys.with_columns(digests.alias(DIGEST), *places).select(self._columns))
        if sum(map(len, self._held)) >= RUN_ROWS:
            self._spill()

    def store(self, location: Location, key: str) -> None:
        """Write all of them into a file, which appears as a whole."""
        with location.writer(key) as file:
            write_table(self._sorted(), file, self._columns)

    def _sorted(self) -> "Iterator[pl.DataFrame]":
        import polars as pl

        if not self._runs:
            if self._held:
                yield self._take()
            return
        if self._held:
            self._spill()
        for parts in aligned([_rows(run.open("rb"), _OF_RUN) for run in self._runs], ID):
            yield pl.concat([part for part in parts if part is not None]).sort(self._keys)

    def _spill(self) -> None:
        with spilling(self._temp_directory):
            self._write_run()

    def _write_run(self) -> None:
        if self._folder is None:
            temp = tempfile.TemporaryDirectory(prefix="lakehouse-digests-", dir=self._temp_directory)
            self._folder = Path(self._stack.enter_context(temp))
        run = self._folder / f"{len(self._runs)}.parquet"
        with run.open("wb") as file:
            write_table([self._take()], file, self._columns)
        self._runs.append(run)

    def _take(self) -> "pl.DataFrame":
        import polars as pl

        rows, self._held = pl.concat(self._held), []
        return rows.sort(self._keys)


def text_digests(texts: "pl.Series") -> "pl.Series":
    """The digest of each text of a column without nulls."""
    import numpy as np
    import polars as pl

    if not len(texts):
        return pl.Series(DIGEST, [], dtype=pl.Binary)
    _, offsets, data = texts.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()
    bounds = np.frombuffer(offsets, dtype=np.int64, count=len(texts) + 1)
    return slice_digests(data, bounds[:-1], bounds[1:])


def slice_digests(data: "pa.Buffer", starts: "Numbers", stops: "Numbers") -> "pl.Series":
    """
    The digests of pieces of what lies in memory.

    A loop around hashlib takes half the time of DuckDB's functions, for which the pieces would have to be copied.
    """
    import polars as pl

    view = memoryview(data)
    bounds = zip(starts.tolist(), stops.tolist(), strict=True)
    found = [blake2b(view[start:stop], digest_size=_BYTES).digest() for start, stop in bounds]
    return pl.Series(DIGEST, found, dtype=pl.Binary)


def sizes_of(texts: "pl.Series") -> "Numbers":
    """How many bytes each text has."""
    import numpy as np

    return texts.str.len_bytes().to_numpy().astype(np.int64)


def write_table(frames: "Iterable[pl.DataFrame]", file: Sink, columns: Sequence[str]) -> int:
    """Write sorted frames with these columns as one table; returns its rows."""
    import polars as pl
    import pyarrow.parquet as pq

    empty = pl.DataFrame(schema={name: _type(name) for name in columns})
    schema, rows = empty.to_arrow(compat_level=pl.CompatLevel.oldest()).schema, 0
    # ids and digests are unique: a dictionary of them is made and thrown away
    options = {"compression": "zstd", "compression_level": 1, "use_dictionary": False}
    with pq.ParquetWriter(DigestWriter(file), schema, write_statistics=False, **options) as writer:
        for frame in frames:
            table = frame.select(columns).to_arrow(compat_level=pl.CompatLevel.oldest())
            writer.write_table(table.cast(schema), row_group_size=ROWS)
            rows += len(frame)
    return rows


def read_table(location: Location, key: str, *, rows: int | None = None) -> "Iterator[pl.DataFrame]":
    """The rows of a table that was stored, some at a time; NotFound without it."""
    yield from _rows(location.open_ranges(key), rows or ROWS)


def count_rows(location: Location, key: str) -> int:
    """How many lines a table tells of; NotFound without it."""
    import pyarrow.parquet as pq

    with location.open_ranges(key) as file:
        return int(pq.read_metadata(file).num_rows)


def _rows(file: BinaryIO, rows: int) -> "Iterator[pl.DataFrame]":
    import polars as pl
    import pyarrow.parquet as pq

    with file:
        for batch in pq.ParquetFile(file, pre_buffer=True).iter_batches(rows):
            yield pl.DataFrame(batch)


def _type(name: str) -> "pl.DataType":
    import polars as pl

    if name in _NUMBERS:
        return pl.Int64()
    return pl.Binary() if name in _BINARY else pl.String()
