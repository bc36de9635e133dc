"""In which encoding a text is written, told by its bytes."""

import codecs
import logging
import re
from collections.abc import Iterator
from typing import BinaryIO

log = logging.getLogger(__name__)

_BOMS = (
    # the mark of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BLOCK = 1 << 20
_SAMPLE = 256 << 10
_HEAD = 4096

# a byte that UTF-8 does not have in this place
_ESCAPED = re.compile("[\udc80-\udcff]")

# the code pages of DOS, which a detector finds in a few odd characters of any western text
_DOUBTFUL = ("cp4", "cp7", "cp8")
_LEAST_CONFIDENCE = 0.08
_DEFAULT = "cp1252"


def detect_encoding(stream: BinaryIO) -> str:
    """
    The encoding of a text: by its byte order mark, as UTF-8, as UTF-16 without a mark, else by what it looks like.

    A text that is UTF-8 but for a few bytes counts as UTF-8. The whole stream is read.
    """
    head = stream.read(_BLOCK)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    found = _utf16(head[:_HEAD])
    return found or _by_bytes(_blocks(head, stream))


def _blocks(head: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """The stream in blocks that end with a line, as far as lines do end."""
    block = head
    while block:
        end = block.rfind(b"\n") + 1 or len(block)
        yield block[:end]
        chunk = stream.read(_BLOCK)
        if not chunk:
            yield block[end:]
        block = block[end:] + chunk if chunk else b""


def _utf16(head: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of western text is zero."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if max(even, odd) <= len(head) // 8:
        return None
    if min(even, odd) > max(even, odd) // 4:
        return None
    return "utf-16-le" if odd > even else "utf-16-be"


def _by_bytes(blocks: Iterator[bytes]) -> str:
    wrong = right = 0
    sample = bytearray()
    for block in blocks:
        if block.isascii():
            continue
        text = block.decode("utf-8", errors="surrogateescape")
        escaped = len(_ESCAPED.findall(text))
        wrong += escaped
        right += len(block) - len(text)
        if escaped and len(sample) < _SAMPLE:
            sample += b"\n".join(line for line in block.splitlines() if not line.isascii())
    if wrong <= right:
        return "utf-8"
    return _detected(bytes(sample[:_SAMPLE]))


def _detected(sample: bytes) -> str:
    """By the letters of the lines that have more than ASCII."""
    import chardet

    found = chardet.detect(sample)
    log.debug("chardet says %s", found)
    try:
        name = codecs.lookup(str(found["encoding"])).name
    except LookupError:
        return _fallback(sample)
    if _decodes(sample, _DEFAULT) and sample.decode(_DEFAULT) == sample.decode(name, errors="replace"):
        # the letters are those of several encodings: the usual one has the best chance for what follows
        return _DEFAULT
    sure = not name.startswith(_DOUBTFUL) or float(found["confidence"] or 0) >= _LEAST_CONFIDENCE
    return name if sure and _decodes(sample, name) else _fallback(sample)


def _fallback(sample: bytes) -> str:
    return _DEFAULT if _decodes(sample, _DEFAULT) else "latin-1"


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        sample.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
