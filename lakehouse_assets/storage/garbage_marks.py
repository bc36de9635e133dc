"""
Which files are marked as needless, and since when: `.lakehouse/gc/<heap>.parquet`, in the order of their keys.

What is found now and what was marked before are gone through side by side, so that it does not matter how many there
are.
"""

from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from lakehouse_assets import layout
from lakehouse_assets.model.times import micros, of_micros
from lakehouse_assets.storage.files import Entry
from lakehouse_assets.storage.key_list import KeyList
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import batches
from lakehouse_assets.storage.spool import Rows

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 10_000


class Mark(NamedTuple):
    """Since when a file is marked, and when it was last changed then; both in microseconds since 1970."""

    key: str
    since: int
    modified: int


class Found(NamedTuple):
    """
    A file that nobody needs, with the time since when it is marked, or None if it is not.

    Without a size it is the mark of a file at which nobody looked this time.
    """

    key: str
    size: int | None
    modified: int
    since: int | None


class Due:
    """The files that may be deleted now, in the order of their keys; they can be gone through more than once."""

    def __init__(self, found: Rows[Found], is_due: Callable[[Found], bool]) -> None:
        self._found = found
        self._is_due = is_due
        self._count = sum(1 for _ in self)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        for found in self._found:
            if found.size is not None and self._is_due(found):
                yield Entry(found.key, found.size, of_micros(found.modified))

    def batches(self) -> Iterator[list[Entry]]:
        """They in lists that fit into memory."""
        return batches(self, _BATCH)


class Gone:
    """The keys of deleted files."""

    def __init__(self, temp_directory: str | None) -> None:
        self._temp_directory = temp_directory
        self._runs: list[KeyList] = []
        self._last = ""

    def keys(self) -> Iterator[str]:
        """They as they went."""
        return chain.from_iterable(self._runs)

    def add(self, keys: Iterable[str]) -> None:
        """Take note of more."""
        for key in keys:
            # most go in order, so there are few runs
            if not self._runs or key < self._last:
                self._runs.append(KeyList(temp_directory=self._temp_directory))
            self._runs[-1].append(key)
            self._last = key

    def beside(self, found: Iterable[Found]) -> Iterator[tuple[Found, bool]]:
        """Files, in the order of their keys, each with whether it is gone."""
        gone = merge(*self._runs)
        last = next(gone, None)
        for each in found:
            while last is not None and last < each.key:
                last = next(gone, None)
            yield each, last == each.key


class Marks:
    """The marks of one heap."""

    def __init__(self, root: Location, heap: str) -> None:
        self._root = root
        self._key = layout.gc_marks(heap)
        self.count = 0
        """How many were read."""

    def beside(
        self, needless: Iterable[Entry], covers: Callable[[str], bool], odd: KeyList
    ) -> Iterator[Found]:
        """
        Files, in the order of their keys, each with its mark if it is the same file still.

        Marks of files at which nobody looked come along. Names that are no text go to `odd`: marks cannot hold them.
        """
        marks = self._read()
        mark = next(marks, None)
        for entry in needless:
            if not _is_text(entry.key):
                odd.append(entry.key)
                continue
            while mark is not None and mark.key < entry.key:
                if not covers(mark.key):
                    yield Found(mark.key, None, mark.modified, mark.since)
                mark = next(marks, None)
            since, modified = None, micros(entry.modified)
            if mark is not None and mark.key == entry.key:
                since = mark.since if mark.modified == modified else None
                mark = next(marks, None)
            yield Found(entry.key, entry.size, modified, since)
        while mark is not None:
            if not covers(mark.key):
                yield Found(mark.key, None, mark.modified, mark.since)
            mark = next(marks, None)

    def write(self, marks: Iterable[Mark]) -> int:
        """Put other ones in their place, in the order of their keys; gives how many there are."""
        parts = batches(marks, _BATCH)
        first = next(parts, None)
        if first is None:
            self._root.delete(self._key)
            return 0
        import pyarrow as pa
        import pyarrow.parquet as pq

        schema = pa.schema([("key", pa.string()), ("since", pa.int64()), ("modified", pa.int64())])
        count = 0
        with self._root.writer(self._key) as file, pq.ParquetWriter(file, schema) as writer:
            part: list[Mark] | None = first
            while part is not None:
                columns = dict(zip(Mark._fields, zip(*part, strict=True), strict=True))
                writer.write_table(pa.table(columns, schema))
                count += len(part)
                part = next(parts, None)
        return count

    def _read(self) -> Iterator[Mark]:
        if not self._root.exists(self._key):
            return
        import pyarrow.parquet as pq

        with self._root.open_ranges(self._key) as file:
            for batch in pq.ParquetFile(file).iter_batches(_BATCH):
                yield from self._of(batch)

    def _of(self, batch: "pa.RecordBatch") -> Iterator[Mark]:
        self.count += batch.num_rows
        columns = [batch.column(name).to_pylist() for name in Mark._fields]
        return map(Mark._make, zip(*columns, strict=True))


def _is_text(key: str) -> bool:
    """Whether a name is Unicode; a disk may have others."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
