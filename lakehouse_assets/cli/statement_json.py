"""Statements as JSON lines, as `ftm statements` writes them."""

import csv
import io
import json
from collections.abc import Iterable, Iterator

_MAY_BE_NULL = ("prop_type", "original_value", "origin", "lang", "first_seen", "last_seen", "role")

# a value may be a whole document
_LONGEST_VALUE = 1 << 30


def lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """One JSON object for each row of a CSV with a header, given in blocks of bytes."""
    csv.field_size_limit(_LONGEST_VALUE)
    for row in csv.DictReader(_text_lines(blocks), strict=True):
        statement: dict[str, object] = {**row, "external": row["external"] == "true"}
        for name in _MAY_BE_NULL:
            statement[name] = row[name] or None
        yield json.dumps(statement, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def rows(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """One JSON object for each row of any CSV with a header."""
    csv.field_size_limit(_LONGEST_VALUE)
    for row in csv.DictReader(_text_lines(blocks), strict=True):
        yield json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


def _text_lines(blocks: Iterable[bytes]) -> Iterator[str]:
    r"""The lines of the blocks, cut at \n alone: values hold other ends of lines."""
    rest = b""
    for block in blocks:
        whole, newline, rest_of_block = (rest + block).rpartition(b"\n")
        rest = rest_of_block
        if newline:
            yield from io.StringIO((whole + newline).decode(), newline="\n")
    if rest:
        yield rest.decode()
