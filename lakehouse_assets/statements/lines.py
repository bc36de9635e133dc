"""Lines of JSON in blocks, each with its number."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Offsets = np.ndarray[tuple[int], np.dtype[np.int64]]

MAX_LINE = 64 << 20
"""Longer lines are refused: one of them would decide how much memory everybody needs."""

_LINE_BITS = 40


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


def position(file_number: int, line_number: int) -> int:
    """A line's place among several inputs as one number that sorts in reading order."""
    return (file_number << _LINE_BITS) | line_number


def place(at: int) -> tuple[int, int]:
    """The file's number (from 0) and the line's (from 1) of a position."""
    return at >> _LINE_BITS, at & ((1 << _LINE_BITS) - 1)


def read_blocks(chunks: Iterator[bytes], file_number: int, on_bad: OnBad) -> Iterator[Block]:
    """
    All lines that are UTF-8 and not too long, in blocks of some MB; the others go to `on_bad`.

    Empty lines are skipped.
    """
    rest = b""
    line_number = 0
    skipping = False  # inside a line that is too long
    for chunk in chunks:
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
                on_bad(BadLine(position(file_number, line_number), too_long(), rest[:1000]))
                rest, skipping = b"", True
            continue
        text, rest = rest + chunk[:end], chunk[end:]
        line_number = yield from _block(text, file_number, line_number, on_bad)
    if rest:
        yield from _block(rest + b"\n", file_number, line_number, on_bad)


def too_long() -> str:
    """Why a line of more than `MAX_LINE` bytes is not taken."""
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
        on_bad(BadLine(int(positions[index]), too_long(), lines[index].as_py()[:1000]))
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
