"""What an import reads from: files and streams, decompressed, and told apart by name or by their beginning."""

import csv
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from lakehouse_assets.errors import InvalidData, LakehouseError, NotFound, StorageError
from lakehouse_assets.storage.compression import damages, decompressed, plain_name
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    from collections.abc import Sequence

STDIN = "-"

_READ = 8 << 20
_HEAD = 64 << 10
_PARQUET = b"PAR1"
_BOM = b"\xef\xbb\xbf"


class Format(StrEnum):
    """What an input holds."""

    entities = "entities"
    csv = "csv"
    parquet = "parquet"


_BY_SUFFIX = {
    ".csv": Format.csv,
    ".parquet": Format.parquet,
    ".json": Format.entities,
    ".jsonl": Format.entities,
    ".ijson": Format.entities,
    ".ndjson": Format.entities,
}
_REFUSED = (".xlsx", ".xls", ".ods", ".zip")


@dataclass(frozen=True)
class Source:
    """
    Something to read from: its name in messages and how to open it.

    `format` is None while only the content tells it, `size` where nobody knows how much there is.
    """

    name: str
    open: Callable[[], BinaryIO]
    format: Format | None = Format.entities
    size: int | None = None
    path: Path | None = None


class Measured(Protocol):
    """Something whose size may be known."""

    @property
    def size(self) -> int | None:
        """Its bytes, None when nobody knows."""


@dataclass
class Meter:
    """How much was read: bytes after decompression, and bytes of the files themselves, of `size` if that is known."""

    size: int | None
    plain: int = 0
    taken: int = 0

    @classmethod
    def of(cls, sources: "Sequence[Measured]") -> "Meter":
        """A meter for some inputs; their size is known when that of each is."""
        sizes = [source.size for source in sources]
        return cls(None if None in sizes else sum(size or 0 for size in sizes))


def file_source(name: str | Path, storage_options: Mapping[str, str] | None = None) -> Source:
    """
    A file, an object of a bucket, or stdin for `-`.

    Credentials are those of the environment, unless `storage_options` has some. NotFound or InvalidData when it is
    missing, a folder or of a kind that is not read.
    """
    if str(name) == STDIN:
        return Source("stdin", lambda: cast(BinaryIO, sys.stdin.buffer), format=None)
    suffix = Path(plain_name(str(name).lower())).suffix
    if suffix in _REFUSED:
        msg = f"{name} is not read: import takes entities as JSON lines, and statements as CSV or parquet"
        raise InvalidData(msg)
    if "://" in str(name):
        return _remote_source(str(name), _BY_SUFFIX.get(suffix), storage_options)
    path = Path(name)
    if path.is_dir():
        msg = f"{path} is a folder; name the files in it"
        raise InvalidData(msg)
    if not path.exists():
        msg = f"{path} does not exist"
        raise NotFound(msg)
    size = path.stat().st_size if path.is_file() else None
    return Source(str(path), lambda: open(path, "rb"), _BY_SUFFIX.get(suffix), size, path)


def _remote_source(uri: str, format: Format | None, storage_options: Mapping[str, str] | None) -> Source:
    if uri.startswith(("http://", "https://")):
        msg = f"{uri} is not read: import takes local files and s3://bucket/file; pipe it in, with - as the file"
        raise InvalidData(msg)
    folder, _, key = uri.rpartition("/")
    place = Location(folder, storage_options)
    size = place.size(key)
    if size is None:
        msg = f"{uri} does not exist; name a file, not a folder"
        raise NotFound(msg)
    return Source(uri, lambda: place.open(key), format, size)


def read_chunks(source: Source, meter: Meter) -> Iterator[bytes]:
    """The plain bytes of a source in pieces; InvalidData or StorageError when they cannot be read to the end."""
    before = meter.taken
    try:
        with source.open() as raw:
            stream = decompressed(raw)
            while chunk := stream.read(_READ):
                meter.plain += len(chunk)
                if source.size is not None:
                    meter.taken = before + min(raw.tell(), source.size)
                yield chunk
    except LakehouseError:
        # an object store's trouble is told already
        raise
    except damages() as exc:
        # what a decompressor raises has no number of the system
        by_system = isinstance(exc, OSError) and exc.errno is not None
        reason = exc.strerror if isinstance(exc, OSError) and by_system else exc
        msg = f"cannot read {source.name}: {reason}; nothing was imported"
        raise (StorageError if by_system else InvalidData)(msg) from exc
    meter.taken = before + (source.size or 0)


def recognize(source: Source, chunks: Iterator[bytes]) -> tuple[Format, Iterator[bytes]]:
    """What a source holds, and its bytes again from the start, without a byte order mark."""
    head = b""
    for chunk in chunks:
        head += chunk
        if b"\n" in head or len(head) > _HEAD:
            break
    head = head.removeprefix(_BOM)
    found = source.format or _by_content(head)
    return found, itertools.chain([head] if head else [], chunks)


def _by_content(head: bytes) -> Format:
    """Told by the first bytes; nothing else begins like a parquet file, or like the header of statements."""
    if head.startswith(_PARQUET):
        return Format.parquet
    first_line = head.partition(b"\n")[0].decode(errors="replace").rstrip("\r")
    if "{" not in first_line and {"entity_id", "prop"} <= set(header(first_line)):
        return Format.csv
    return Format.entities


def header(line: str) -> list[str]:
    """The names of columns in the first line of a CSV."""
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return []
