"""What every export takes and gives back, and the file it writes to."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, BinaryIO, Protocol

from lakehouse_assets import layout
from lakehouse_assets.exports.digests import LineDigests
from lakehouse_assets.exports.keeping import KeptParts
from lakehouse_assets.model.dataset import DatasetConfig
from lakehouse_assets.statements.reader import Reader
from lakehouse_assets.storage.compression import compressing
from lakehouse_assets.storage.digest import DigestWriter
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.records import Records
from lakehouse_assets.storage.tags import Tags
from lakehouse_assets.storage.versions import Versions

if TYPE_CHECKING:
    import polars as pl
    from _typeshed import ReadableBuffer

Notes = Mapping[str, int | list[str]]

MAX_NAMED = 100
"""How many ids a result names; it counts all of them."""


@dataclass(frozen=True)
class ExportResult:
    """
    One file that was written: `key` is the artifact, `path` the file, which may be compressed.

    `bytes` and `digest` are those of the file as stored; `notes` says what somebody should look at.
    """

    key: str
    path: str
    rows: int
    bytes: int
    digest: str
    seconds: float
    notes: Notes = field(default_factory=dict)


@dataclass(frozen=True)
class DatasetView:
    """A dataset as the exports see it."""

    location: Location
    dataset: str
    config: DatasetConfig
    reader: Reader
    versions: Versions
    records: Records
    tags: Tags
    keep_digests: bool = False
    """Whether exports that can be compared with the next one leave digests of their lines."""
    temp_directory: str | None = None
    """Where work that does not fit into memory is spilled to; the system's own place by default."""
    public_url_prefix: str | None = None
    """What the job, the config or the environment says, the first of them that says anything."""
    kept: KeptParts | None = None
    """Where parts of long exports are kept for the next try, if this is one that may be tried again."""

    @property
    def public_prefix(self) -> str | None:
        """The address under which the dataset's files can be downloaded."""
        return self.config.public_prefix(override=self.public_url_prefix)

    def with_config(self, config: DatasetConfig) -> "DatasetView":
        """The same dataset under another config."""
        return replace(self, config=config)


class Export(Protocol):
    """One artifact: what it is called, where it lies, what it is made from, and how it is written."""

    @property
    def name(self) -> str:
        """What people call it: `statements`."""

    @property
    def target(self) -> str:
        """Where it lies, which is also its tag: `exports/statements.csv`."""

    @property
    def asset(self) -> str:
        """The asset's name: `statements_csv`."""

    @property
    def targets(self) -> Sequence[str]:
        """Every file it writes, `target` first."""

    @property
    def version(self) -> int:
        """Grows when the same content gives other bytes than before: what older code made is stale then."""

    @property
    def is_compressed(self) -> bool:
        """Whether it follows the dataset's `compression`."""

    @property
    def is_published(self) -> bool:
        """Whether its bytes depend on the public address."""

    @property
    def sources(self) -> Sequence[str]:
        """What it is made from: `layout.STATEMENTS_TABLE` for the statements, else files."""

    def write(self, view: DatasetView) -> list[ExportResult]:
        """Write the artifact, and say what was written; the first result is the artifact itself."""


class Output:
    """A file that is being written, which counts what it takes."""

    def __init__(self, key: str, path: str, target: DigestWriter, stream: BinaryIO) -> None:
        self.key = key
        self.path = path
        self.rows = 0
        self._target = target
        self._stream = stream
        self._started = time.monotonic()

    def write(self, data: bytes) -> None:
        """Write bytes that are no rows: a header."""
        self._stream.write(data)

    def write_rows(self, data: "ReadableBuffer", *, rows: int) -> None:
        """Write bytes that make up so many rows."""
        self._stream.write(data)
        self.rows += rows

    def write_lines(self, lines: "pl.Series") -> None:
        """Write whole lines, their ends included."""
        from lakehouse_assets.exports.text import buffers

        for buffer in buffers(lines):
            self._stream.write(buffer)
        self.rows += len(lines)

    def result(self, **notes: int | list[str]) -> ExportResult:
        """What was written; to be asked for when the file is closed."""
        seconds = time.monotonic() - self._started
        target = self._target
        return ExportResult(self.key, self.path, self.rows, target.size, target.digest, seconds, notes)


@contextmanager
def output(view: DatasetView, key: str, *, compression: str | None = None) -> Iterator[Output]:
    """A file of the dataset that appears when the block ends well; compressed on request."""
    path = layout.compressed(key, compression)
    with view.location.writer(path) as target, compressing(target, compression) as stream:
        yield Output(key, path, target, stream)


@contextmanager
def digested_output(
    view: DatasetView, key: str, *, diff: str, keys: Sequence[str], compression: str | None = None
) -> Iterator[tuple[Output, LineDigests | None]]:
    """
    The same, and what collects the digests of its lines, where the view keeps them.

    They are stored when the file is in its place: `diff` is one of the `layout.DIFF_*` folders, `keys` name a line.
    """
    if not view.keep_digests:
        with output(view, key, compression=compression) as file:
            yield file, None
        return
    with LineDigests(keys, temp_directory=view.temp_directory) as digests:
        with output(view, key, compression=compression) as file:
            yield file, digests
        digests.store(view.location, layout.diff_digests(diff, file.result().digest))
