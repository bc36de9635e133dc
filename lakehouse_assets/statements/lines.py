"""Lines of JSON from files and streams, in blocks: decompressed, numbered, and sorted by entity id."""

import io
import sys
import zlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from lakehouse_assets.errors import InvalidData, NotFound, StorageError
from lakehouse_assets.storage.compression import decompressing

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Offsets = np.ndarray[tuple[int], np.dtype[np.int64]]

STDIN = "-"

MAX_LINE = 64 << 20
"""Longer lines are refused: one of them would decide how much memory everybody needs."""

_READ = 8 << 20
_LINE_BITS = 40
_MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\x28\xb5\x2f\xfd": ".zst"}
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class BadLine:
    """A line that cannot be imported: where it stands, why, and its text as far as it is kept."""

    position: int
    reason: str
    text: bytes


OnBad = Callable[[BadLine], None]


@dataclass(frozen=True)
class Block:
    """Some lines and where each stands (`position`, see `place`)."""

    positions: "pa.Array"
    lines: "pa.Array"

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True)
class Source:
    """Something to read lines from: its name in messages and how to open it."""

    name: str
    open: Callable[[], BinaryIO]


def position(file_number: int, line_number: int) -> int:
    """A line's place among several inputs as one number that sorts in reading order."""
    return (file_number << _LINE_BITS) | line_number


def place(at: int) -> tuple[int, int]:
    """The file's number (from 0) and the line's (from 1) of a position."""
    return at >> _LINE_BITS, at & ((1 << _LINE_BITS) - 1)


def file_source(name: str | Path) -> Source:
    """A file, or stdin for `-`; NotFound or InvalidData when it is missing or a folder."""
    if str(name) == STDIN:
        return Source("stdin", lambda: cast(BinaryIO, sys.stdin.buffer))
    path = Path(name)
    if path.is_dir():
        msg = f"{path} is a folder; name the files in it"
        raise InvalidData(msg)
    if not path.exists():
        msg = f"{path} does not exist"
        raise NotFound(msg)
    return Source(str(path), lambda: open(path, "rb"))


def read_blocks(sources: Sequence[Source], on_bad: OnBad, on_bytes: Callable[[int], None]) -> Iterator[Block]:
    """
    All lines that are UTF-8 and not too long, in blocks of some MB; the others go to `on_bad`.

    Empty lines are skipped. `on_bytes` hears of the bytes read after decompression.
    """
    for number, source in enumerate(sources):
        yield from _read(_chunks(source), number, on_bad, on_bytes)


def _chunks(source: Source) -> Iterator[bytes]:
    """The plain bytes of a source in pieces; InvalidData or StorageError when they cannot be read to the end."""
    try:
        with source.open() as raw:
            stream = _decompress(cast(io.BufferedReader, raw))
            while chunk := stream.read(_READ):
                yield chunk
    except _damages() as exc:
        # what a decompressor raises has no number of the system
        by_system = isinstance(exc, OSError) and exc.errno is not None
        reason = exc.strerror if isinstance(exc, OSError) and by_system else exc
        msg = f"cannot read {source.name}: {reason}; nothing was imported"
        raise (StorageError if by_system else InvalidData)(msg) from exc


def _decompress(raw: io.BufferedReader) -> BinaryIO:
    """The plain bytes behind gzip, zstandard or bzip2, told apart by their first bytes."""
    head = raw.peek(4)[:4] if hasattr(raw, "peek") else b""
    for magic, suffix in _MAGIC.items():
        if head.startswith(magic):
            return decompressing(raw, suffix)
    return raw


def _damages() -> tuple[type[Exception], ...]:
    """What reading damaged compressed data raises."""
    import zstandard

    return (EOFError, OSError, zlib.error, zstandard.ZstdError)


def _read(
    chunks: Iterator[bytes], file_number: int, on_bad: OnBad, on_bytes: Callable[[int], None]
) -> Iterator[Block]:
    rest = b""
    line_number = 0
    skipping = False  # inside a line that is too long
    first = True
    for chunk in chunks:
        on_bytes(len(chunk))
        if first:
            chunk, first = chunk.removeprefix(_BOM), False
        end = chunk.rfind(b"\n") + 1
        if skipping:
            start = chunk.find(b"\n") + 1
            if not start:
                continue
            chunk, skipping, end = chunk[start:], False, end - start
        if not end:
            rest += chunk
            if len(rest) > MAX_LINE:
                line_number += 1
                on_bad(BadLine(position(file_number, line_number), _too_long(), rest[:1000]))
                rest, skipping = b"", True
            continue
        text, rest = rest + chunk[:end], chunk[end:]
        line_number = yield from _block(text, file_number, line_number, on_bad)
    if rest:
        yield from _block(rest + b"\n", file_number, line_number, on_bad)


def _too_long() -> str:
    return f"the line is longer than {MAX_LINE >> 20} MB"


def _block(text: bytes, file_number: int, lines_before: int, on_bad: OnBad) -> Generator[Block, None, int]:
    """A block of whole lines; returns how many lines there are up to its end."""
    import numpy as np
    import pyarrow as pa

    ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == 10) + 1
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), ends])
    lines = pa.Array.from_buffers(
        pa.large_binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    )
    first = position(file_number, lines_before + 1)
    positions = np.arange(first, first + len(ends), dtype=np.int64)
    keep = np.ones(len(ends), dtype=bool)
    for index in np.flatnonzero(np.diff(offsets) > MAX_LINE).tolist():
        keep[index] = False
        on_bad(BadLine(int(positions[index]), _too_long(), lines[index].as_py()[:1000]))
    try:
        texts = lines.cast(pa.large_string())
    except pa.ArrowInvalid:
        for number in _not_utf8(lines):
            keep[number] = False
            on_bad(BadLine(int(positions[number]), "not UTF-8", lines[number].as_py()))
        texts = None
    keep[_blank(text, offsets)] = False
    if not keep.all():
        mask = pa.array(keep)
        positions, lines = positions[keep], lines.filter(mask)
        texts = lines.cast(pa.large_string())
    if len(positions):
        yield Block(pa.array(positions), texts)
    return lines_before + len(ends)


def _not_utf8(lines: "pa.Array") -> list[int]:
    """Which of the lines are no UTF-8; only asked when a block as a whole is not."""
    found = []
    for index, line in enumerate(lines):
        try:
            line.as_py().decode()
        except UnicodeDecodeError:
            found.append(index)
    return found


def _blank(text: bytes, offsets: "Offsets") -> list[int]:
    """Which lines hold nothing but white space; only short ones can."""
    import numpy as np

    short = np.flatnonzero(np.diff(offsets) <= 16).tolist()
    return [index for index in short if not text[offsets[index] : offsets[index + 1]].strip()]
