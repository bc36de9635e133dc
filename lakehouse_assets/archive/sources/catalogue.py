"""What was seen at a source: each file, in which state, and what its content was."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from lakehouse_assets.archive.sources.base import SourceFile
from lakehouse_assets.errors import InvalidData

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

log = logging.getLogger(__name__)

_ROW_GROUP = 64 << 10


class Seen(NamedTuple):
    """
    A file of a source as a crawl left it: its state and its checksum.

    `archived` tells whether it is archived under this key, `entity` whether the statements have it, too.
    """

    key: str
    size: int | None
    changed: int | None
    tag: str | None
    checksum: str
    archived: bool
    entity: bool

    def is_state_of(self, file: SourceFile) -> bool:
        """Whether a file is still in this state, as far as its source can tell."""
        return file.is_known and (self.size, self.changed, self.tag) == file.state


class Catalogue:
    """
    The files of a source that were seen, about 120 bytes of memory for each.

    Example:
        >>> catalogue = Catalogue()
        >>> catalogue.add([Seen("a.pdf", 10, 1_700_000_000, None, "0" * 64, True, True)])
        >>> catalogue.write(sink)
        1
        >>> Catalogue.read(source).find([SourceFile("a.pdf", "a.pdf")])[0].size
        10
    """

    def __init__(self) -> None:
        """A catalogue without files."""
        self._before: pa.Table | None = None
        self._hashes: np.ndarray | None = None
        self._order: np.ndarray | None = None
        self._added: list[pa.RecordBatch] = []

    @classmethod
    def read(cls, source: BinaryIO, *, name: str = "the catalogue") -> "Catalogue":
        """The catalogue in a file; InvalidData when it is none."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.parquet as pq

        made = cls()
        try:
            table = pq.read_table(source, columns=_schema().names).cast(_schema())
        except (pa.ArrowInvalid, pa.ArrowKeyError, ValueError) as exc:
            msg = f"{name} cannot be read: {exc}; without it, all files are read once more"
            raise InvalidData(msg) from exc
        hashes = [
            np.fromiter(map(hash, batch.column(0).to_pylist()), np.int64, len(batch))
            for batch in table.select(["key"]).to_batches(max_chunksize=_ROW_GROUP)
        ]
        if hashes:
            found = np.concatenate(hashes)
            order = np.argsort(found, kind="stable").astype(np.uint32)
            made._before, made._hashes, made._order = table, found[order], order
        return made

    def find(self, files: Sequence[SourceFile]) -> list[Seen | None]:
        """What an earlier crawl saw of each of the files, whatever their state is now."""
        import numpy as np

        if self._before is None or self._hashes is None or self._order is None:
            return [None] * len(files)
        wanted = np.fromiter((hash(file.key) for file in files), np.int64, len(files))
        at = np.minimum(np.searchsorted(self._hashes, wanted), len(self._hashes) - 1)
        hits = np.flatnonzero(self._hashes[at] == wanted)
        found: list[Seen | None] = [None] * len(files)
        rows = self._before.take(self._order[at[hits]])
        columns = [rows.column(number).to_pylist() for number in range(rows.num_columns)]
        for place, *values in zip(hits.tolist(), *columns, strict=True):
            # another key may have the same hash: then the file counts as new
            if values[0] == files[place].key:
                values[4] = cast(bytes, values[4]).hex()
                found[place] = Seen(*values)
        return found

    def add(self, rows: Sequence[Seen]) -> None:
        """Note what is known of some files now, in place of what was."""
        import pyarrow as pa

        columns = list(zip(*rows, strict=True))
        if columns:
            columns[4] = tuple(map(bytes.fromhex, columns[4]))
            self._added.append(pa.record_batch([list(column) for column in columns], schema=_schema()))

    @property
    def has_changed(self) -> bool:
        """Whether anything was added since it was read."""
        return bool(self._added)

    def write(self, sink: BinaryIO) -> int:
        """Write all of it as parquet; returns how many files it has."""
        import polars as pl
        import pyarrow as pa
        import pyarrow.parquet as pq

        parts = [self._before] if self._before is not None else []
        table = pa.concat_tables([*parts, pa.Table.from_batches(self._added, schema=_schema())])
        frame = pl.DataFrame(table).unique(subset="key", keep="last", maintain_order=True)
        pq.write_table(
            frame.to_arrow().cast(_schema()),
            sink,
            compression="zstd",
            row_group_size=_ROW_GROUP,
            # keys and checksums hardly repeat
            use_dictionary=False,
        )
        return len(frame)


def _schema() -> "pa.Schema":
    import pyarrow as pa

    return pa.schema(
        {
            "key": pa.string(),
            "size": pa.int64(),
            "changed": pa.int64(),
            "tag": pa.string(),
            "checksum": pa.binary(32),
            "archived": pa.bool_(),
            "entity": pa.bool_(),
        }
    )
