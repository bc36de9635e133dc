"""Which archived contents somebody names: statements of any version that can be read, journals, mappings, jobs."""

import logging
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.errors import NotFound
from lakehouse_assets.garbage.checksums import Checksums
from lakehouse_assets.garbage.queues import queued_in_postgres
from lakehouse_assets.settings import Settings
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.footers import named
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import batches

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

_DIGITS = 64
_CHECKSUM = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_CHUNK = 1 << 20
_ROWS = 131_072
_FRAMES = (".parquet", ".arrow", ".ipc")


class References:
    """
    Takes note of those of some contents that are named in a lake.

    A value that is a checksum counts whatever property has it, and so do rows that were deleted: each data file that
    lies there is read, once, and only its values. Asked again, it reads what came since.
    """

    def __init__(self, lake: Location, names: Sequence[str], settings: Settings, contents: Checksums) -> None:
        """`names` are all datasets of the lake: each may name the files of another."""
        self._lake = lake
        self._names = names
        self._settings = settings
        self._contents = contents
        self._read: set[object] = set()

    def find(self) -> None:
        """Look for what is named now; what was so before stays."""
        if not len(self._contents):
            return
        for name in self._names:
            self._contents.name(self._lake.folders(f"{name}/{layout.MAPPINGS}"))
        self._contents.name(queued_in_postgres(self._settings))
        # rows move from the journal into the table, and from there into other files: until nothing new is there
        while any([self._look_into(key, stamp, kind) for key, stamp, kind in list(self._files())]):
            pass

    def named(self, checksums: Sequence[str]) -> set[str]:
        """Those of some contents that were named when it was looked last."""
        return self._contents.named(checksums)

    def _files(self) -> Iterator[tuple[str, object, str]]:
        for name in self._names:
            for folder in (layout.JOURNAL_ROWS, layout.STATEMENTS_TABLE):
                for key in self._lake.keys(f"{name}/{folder}"):
                    if key.endswith(".parquet") and "/_delta_log/" not in key:
                        yield key, None, "rows"
        for folder in (layout.LAKE_QUEUE, layout.LAKE_CHECKPOINTS):
            for entry in self._lake.entries(folder):
                kind = "frame" if entry.key.endswith(_FRAMES) else "text"
                yield entry.key, entry.modified, kind

    def _look_into(self, key: str, stamp: object, kind: str) -> bool:
        """Take note of what a file names; False when that was done before."""
        if (key, stamp) in self._read:
            return False
        self._read.add((key, stamp))
        try:
            if kind == "text":
                for some in batches(_checksums_in(self._lake, key), _ROWS):
                    self._contents.name(some)
            else:
                for values in _values(self._lake, key, [s.VALUE] if kind == "rows" else None):
                    self._contents.name(values)
        except NotFound:
            # vacuumed, worked or cleaned up meanwhile: what it held and counts lies elsewhere by now
            log.debug("%s is gone", self._lake.url(key))
        return True


def _values(lake: Location, key: str, columns: Sequence[str] | None) -> "Iterator[pa.LargeStringArray]":
    """The values of a table in a file that can be checksums, of all columns of text if none are named."""
    import pyarrow as pa
    import pyarrow.compute as pc

    with named(lake, key):
        for batch in _batches(lake, key, columns):
            for column in batch.columns:
                if pa.types.is_dictionary(column.type):
                    column = column.dictionary_decode()
                if not (
                    pa.types.is_string(column.type)
                    or pa.types.is_large_string(column.type)
                    or pa.types.is_string_view(column.type)
                ):
                    continue
                column = column.cast(pa.large_string())
                long = column.filter(pc.equal(pc.binary_length(column), _DIGITS))
                if len(long):
                    yield pc.ascii_lower(long)


def _batches(lake: Location, key: str, columns: Sequence[str] | None) -> "Iterator[pa.RecordBatch]":
    import pyarrow as pa
    import pyarrow.parquet as pq

    with lake.open_ranges(key) as file:
        if key.endswith(".parquet"):
            parquet = pq.ParquetFile(file)
            yield from parquet.iter_batches(batch_size=_ROWS, columns=columns)
        else:
            frames = pa.ipc.open_file(file)
            for number in range(frames.num_record_batches):
                yield frames.get_batch(number)


def _checksums_in(lake: Location, key: str) -> Iterator[str]:
    """What looks like a checksum in a file of text."""
    rest = b""
    with lake.open(key) as file:
        while chunk := file.read(_CHUNK):
            text = (rest + chunk).lower()
            # one that goes on in the next chunk is found there
            yield from (found[0].decode() for found in _CHECKSUM.finditer(text[: -_DIGITS - 1]))
            rest = text[-2 * _DIGITS - 2 :]
    yield from (found[0].decode() for found in _CHECKSUM.finditer(rest))
