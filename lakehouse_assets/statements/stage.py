"""Writing the data files of a partition, in id order, before a commit takes them in."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from lakehouse_assets.errors import Conflict, LakehouseError, StorageError
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.datafiles import Partition, StagedFile
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

log = logging.getLogger(__name__)

ROW_GROUP = 16_384
"""Rows read at once for a single entity: 3 ms each; smaller groups cost more to write and keep."""

MARK = b"lakehouse.canonical"
"""In a file's footer: `<batch>:<files>`. A partition whose files all carry one batch, and all of it, is canonical."""

SORTED = b"lakehouse.sorted"

# unique by nature: a dictionary of them is hashed and thrown away
_PLAIN = {s.ID, s.VALUE, s.ORIGINAL_VALUE, s.FIRST_SEEN, s.LAST_SEEN, s.DELETED_AT, s.EXTERNAL}


class Staging:
    """
    Writes rows, arriving in id order, to one new file per partition.

    Rows of one entity stay in one row group, so that a range of ids is a range of row groups. A block that raises
    leaves no file, unless a commit may have taken it in. The files' footers say that the rows are canonical, unless
    they are not.

    Example:
        >>> with Staging(table.location) as staging:
        ...     for frame in frames:
        ...         staging.write(frame)
        ...     files = staging.finish()
        ...     with staging.handing_over():
        ...         table.append(files)
    """

    def __init__(self, place: Location, *, canonical: bool = True) -> None:
        self.place = place
        self._canonical = canonical
        self._writers: dict[Partition, _FileWriter] = {}
        self._batch = uuid.uuid4().hex
        self._files: list[StagedFile] = []

    def __enter__(self) -> "Staging":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for writer in self._writers.values():
            writer.abort()
        if kind is not None:
            self.discard()

    def write(self, frame: "pl.DataFrame") -> None:
        """Take the rows of some entities: all columns, sorted, ids not below those that came before."""
        if not len(frame):
            return
        partitions = frame.partition_by(s.PARTITION_BY, maintain_order=True, as_dict=True)
        for (shard, bucket, origin), rows in partitions.items():
            partition = Partition(str(shard), str(bucket), str(origin))
            writer = self._writers.get(partition)
            if writer is None:
                batch = self._batch if self._canonical else None
                writer = self._writers[partition] = _FileWriter(self.place, partition, batch)
            writer.write(rows)

    def adopt(self, folder: Location, file: StagedFile) -> None:
        """Take in a data file that lies whole in another folder of the same store, without reading it."""
        key = _key(file.partition)
        self._files.append(replace(file, key=key))
        folder.copy(file.key, key, folder=self.place)

    @property
    def size(self) -> int:
        """The bytes of the files that are open."""
        return sum(writer.size for writer in self._writers.values())

    def finish(self) -> list[StagedFile]:
        """Close all files, which from here on lie there whole; returns those closed earlier, too."""
        for writer in self._writers.values():
            self._files.append(writer.finish())
        self._writers = {}
        return self._files

    @contextmanager
    def handing_over(self) -> Iterator[None]:
        """
        Let a commit in the block take the files of `finish` in.

        Afterwards they are not ours to remove, unless the commit says that it changed nothing.
        """
        files, self._files = self._files, []
        try:
            yield
        except (Conflict, StorageError):
            self._files = files
            raise

    def discard(self) -> None:
        """Remove the files of `finish`: no commit took them in."""
        files, self._files = self._files, []
        for number, file in enumerate(files):
            try:
                self.place.delete(file.key)
            except StorageError as exc:
                # what the work failed with counts, and may well be why this fails
                left = len(files) - number
                log.warning("%s files are left behind, no commit took them in: %s", left, exc)
                return


class _FileWriter:
    def __init__(self, table: Location, partition: Partition, batch: str | None) -> None:
        import pyarrow.parquet as pq

        self._partition = partition
        self._key = _key(partition)
        self._stack = ExitStack()
        self._held: list[pl.DataFrame] = []
        self._held_rows = 0
        self._rows = 0
        self._tombstones = 0
        self._first: str | None = None
        self._last = ""
        schema = s.file_schema()
        self._sink = self._stack.enter_context(table.writer(self._key))
        self._parquet: pq.ParquetWriter = pq.ParquetWriter(
            self._sink,
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[name for name in s.FILE_COLUMNS if name not in _PLAIN],
            write_statistics=[s.ENTITY_ID],
            store_schema=False,
        )
        # one file per partition and batch: the mark is known before the last row
        mark = {MARK: f"{batch}:1"} if batch else {}
        self._parquet.add_key_value_metadata({**mark, SORTED: b"1"})

    @property
    def size(self) -> int:
        return self._sink.size

    def write(self, rows: "pl.DataFrame") -> None:
        if self._first is None:
            self._first = rows[s.ENTITY_ID][0]
        self._last = rows[s.ENTITY_ID][-1]
        self._rows += len(rows)
        self._tombstones += len(rows) - rows[s.DELETED_AT].null_count()
        self._held.append(rows)
        self._held_rows += len(rows)
        if self._held_rows >= 2 * ROW_GROUP:
            self._flush(last=False)

    def _flush(self, *, last: bool) -> None:
        import polars as pl

        rows = pl.concat(self._held) if len(self._held) > 1 else self._held[0]
        start = 0
        for stop in _group_ends(rows[s.ENTITY_ID], last=last):
            self._parquet.write_table(_to_arrow(rows.slice(start, stop - start)), row_group_size=1 << 30)
            start = stop
        rest = rows.slice(start)
        self._held, self._held_rows = ([rest] if len(rest) else []), len(rest)

    def finish(self) -> StagedFile:
        if self._held:
            self._flush(last=True)
        self._parquet.close()
        self._stack.close()
        return StagedFile(
            self._key,
            self._partition,
            self._rows,
            self._sink.size,
            self._first or "",
            self._last,
            self._tombstones,
        )

    def abort(self) -> None:
        """Leave nothing: the sink discards its file when the block that it is open in raises."""
        with suppress(_Abort, LakehouseError, OSError), self._stack:
            # left open, it would write to a closed file when it is collected
            self._parquet.close()
            raise _Abort


class _Abort(Exception):
    """Ends the block of a file that is not wanted."""


def _group_ends(ids: "pl.Series", *, last: bool) -> list[int]:
    """Where row groups end: at least `ROW_GROUP` rows apart, never inside an entity. A rest waits unless it is last."""
    import numpy as np

    rows = len(ids)
    starts = np.flatnonzero((ids != ids.shift(1)).fill_null(True).to_numpy())
    ends: list[int] = []
    start = 0
    while start < rows:
        after = int(np.searchsorted(starts, start + ROW_GROUP))
        end = int(starts[after]) if after < len(starts) else rows
        if last and rows - end < ROW_GROUP // 2:
            end = rows
        if end == rows and not last:
            break
        ends.append(end)
        start = end
    return ends


def _to_arrow(rows: "pl.DataFrame") -> "pa.Table":
    import polars as pl

    return rows.select(s.FILE_COLUMNS).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(s.file_schema())


def _key(partition: Partition) -> str:
    """Where a new data file of a partition lies; the same pattern that other writers of Delta tables use."""
    values = {s.SHARD: partition.shard, s.BUCKET: partition.bucket, s.ORIGIN: partition.origin}
    folders = "/".join(f"{name}={quote(values[name], safe='')}" for name in s.PARTITION_BY)
    return f"{folders}/part-00000-{uuid.uuid4()}-c000.zstd.parquet"
