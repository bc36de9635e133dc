"""What was seen at a source: each file, in which state, and what its content was."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from lakehouse_assets.archive.sources.base import SourceFile
from lakehouse_assets.errors import InvalidData

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_ROW_GROUP = 64 << 10
_HELD = 4 << 20


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
    The files of a source that were seen; those of earlier crawls are held in memory, 120 bytes each.

    What is added waits in a temporary file, so a first crawl of any size needs little.

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
        self._file = tempfile.SpooledTemporaryFile(_HELD, prefix="lakehouse-crawl-")  # noqa: SIM115
        self._sizes: list[int] = []
        self._added: list[np.ndarray] = []

    @classmethod
    def read(cls, source: BinaryIO, *, name: str = "the catalogue") -> "Catalogue":
        """The catalogue in a file; InvalidData when it is none."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.parquet as pq

        made = cls()
        try:
            table = pq.ParquetFile(source).read(columns=_schema().names).cast(_schema())
        except (pa.ArrowInvalid, pa.ArrowKeyError, ValueError) as exc:
            msg = f"{name} cannot be read: {exc}; without it, all files are read once more"
            raise InvalidData(msg) from exc
        batches = table.select(["key"]).to_batches(max_chunksize=_ROW_GROUP)
        if batches:
            hashes = np.concatenate([_hashes(batch.column(0).to_pylist()) for batch in batches])
            order = np.argsort(hashes, kind="stable").astype(np.uint32)
            made._before, made._hashes, made._order = table, hashes[order], order
        return made

    def find(self, files: Sequence[SourceFile]) -> list[Seen | None]:
        """What an earlier crawl saw of each of the files, whatever their state is now."""
        import numpy as np

        if self._before is None or self._hashes is None or self._order is None:
            return [None] * len(files)
        wanted = _hashes([file.key for file in files])
        at = np.minimum(np.searchsorted(self._hashes, wanted), len(self._hashes) - 1)
        hits = np.flatnonzero(self._hashes[at] == wanted)
        found: list[Seen | None] = [None] * len(files)
        rows = self._before.take(_arrow(self._order[at[hits]]))
        columns = [rows.column(number).to_pylist() for number in range(rows.num_columns)]
        for place, *values in zip(hits.tolist(), *columns, strict=True):
            # another key may have the same hash: then the file counts as new
            if values[0] == files[place].key:
                values[4] = cast(bytes, values[4]).hex()
                found[place] = Seen(*values)
        return found

    def add(self, rows: Sequence[Seen]) -> None:
        """Note what is known of some files now, in place of what was."""
        import polars as pl

        if not rows:
            return
        columns = list(zip(*rows, strict=True))
        columns[4] = tuple(map(bytes.fromhex, columns[4]))
        made = pl.DataFrame(
            dict(zip(_schema().names, columns, strict=True)),
            schema={
                "key": pl.String,
                "size": pl.Int64,
                "changed": pl.Int64,
                "tag": pl.String,
                "checksum": pl.Binary,
                "archived": pl.Boolean,
                "entity": pl.Boolean,
            },
        )
        (batch,) = made.to_arrow().cast(_schema()).combine_chunks().to_batches()
        self._added.append(_hashes(columns[0]))
        self._sizes.append(self._file.write(batch.serialize()))

    @property
    def has_changed(self) -> bool:
        """Whether anything was added since it was read."""
        return bool(self._sizes)

    def write(self, sink: BinaryIO) -> int:
        """Write all of it as parquet; returns how many files it has."""
        import pyarrow.parquet as pq

        files = 0
        # keys and checksums hardly repeat
        with pq.ParquetWriter(sink, _schema(), compression="zstd", use_dictionary=False) as writer:
            for batch in self._batches():
                writer.write_batch(batch, _ROW_GROUP)
                files += len(batch)
        return files

    def _batches(self) -> "Iterator[pa.RecordBatch]":
        """What was known before and is not known anew, then what is."""
        import numpy as np
        import pyarrow as pa

        if self._before is not None and self._hashes is not None and self._order is not None:
            new = np.concatenate(self._added) if self._added else np.empty(0, np.int64)
            stays = np.empty(len(self._order), bool)
            # if another key has the same hash it is forgotten, and its file read once more
            stays[self._order] = ~np.isin(self._hashes, new)
            for start in range(0, len(stays), _ROW_GROUP):
                rows = self._before.slice(start, _ROW_GROUP)
                yield from rows.filter(_arrow(stays[start : start + _ROW_GROUP])).to_batches()
        self._file.seek(0)
        for size in self._sizes:
            yield pa.ipc.read_record_batch(pa.py_buffer(self._file.read(size)), _schema())
        self._file.seek(0, os.SEEK_END)


def _hashes(keys: Sequence[str]) -> "np.ndarray":
    """Numbers by which keys are found; others in each process."""
    import numpy as np

    return np.fromiter(map(hash, keys), np.int64, len(keys))


def _arrow(numbers: "np.ndarray") -> "pa.Array":
    """Numbers as Arrow has them; Arrow itself would load pandas, where there is one, to look what they are."""
    import polars as pl

    return pl.Series(numbers).to_arrow()


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
