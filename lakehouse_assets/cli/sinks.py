"""Where a result of bytes goes: stdout, or a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets.cli import output

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

    from lakehouse_assets.storage.digest import Sink


@contextmanager
def sink(out: Path | None) -> "Iterator[Sink]":
    """Stdout, or a file that appears when all of it is written."""
    from lakehouse_assets.storage.location import Location

    if out is None:
        yield _Stdout()
        return
    with Location(out.resolve().parent).writer(out.name) as file:
        yield file


class _Stdout:
    """Takes the bytes of a result, as a file does."""

    def write(self, data: "ReadableBuffer", /) -> None:
        output.write(data)
