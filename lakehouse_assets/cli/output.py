"""Results on stdout, everything else on stderr."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from lakehouse_assets.errors import StorageError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from pydantic import BaseModel

# a file is as wide as its longest line
_WIDE = 10_000

_STYLES = {"fresh": "green", "passed": "green", "stale": "yellow", "warning": "yellow", "failed": "bold red"}


class OutputClosed(Exception):
    """Whoever read our output has had enough: `lakehouse query -d acme | head`."""


def write(block: "ReadableBuffer") -> None:
    """Write bytes of a result."""
    try:
        sys.stdout.buffer.write(block)
    except BrokenPipeError as exc:
        raise OutputClosed from exc
    except OSError as exc:
        raise _refused(exc) from exc


def flush() -> None:
    """Hand everything written to its reader."""
    try:
        sys.stdout.flush()
    except BrokenPipeError as exc:
        raise OutputClosed from exc
    except OSError as exc:
        raise _refused(exc) from exc


def discard() -> None:
    """Throw away what nobody reads any more, or Python would complain about it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def line(text: str) -> None:
    """Write a line of a result."""
    write(f"{text}\n".encode(errors="backslashreplace"))


def document(result: Mapping[str, object]) -> None:
    """Write a result as one JSON object."""
    line(json.dumps(result, ensure_ascii=False, default=_plain))


def fields(job: "BaseModel", *names: str) -> dict[str, object]:
    """Some fields of a job's record, in this order."""
    told = job.model_dump(include=set(names))
    return {name: told[name] for name in names}


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[str] = ()) -> None:
    """Write a table, coloured and cut to the window on a terminal; `numbers` stand on the right."""
    # imported here: 0.1 s that most calls do not need
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = sys.stdout.isatty()
    made = Table(box=box.SIMPLE_HEAD if shown else None, pad_edge=False)
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        # as plain text: a title in brackets is no markup
        made.add_row(*(Text(visible(cell), style=_STYLES.get(cell, "")) for cell in row))
    console = Console(force_terminal=None if shown else False, width=None if shown else _WIDE)
    with console.capture() as captured:
        console.print(made)
    for text in captured.get().splitlines():
        line(text.rstrip())


def warn(text: str) -> None:
    """Say on stderr what the user should know."""
    say(f"warning: {visible(text)}")


def say(text: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(f"{text}\n")


def visible(text: str) -> str:
    """The text in one line and without characters that move a terminal's cursor."""
    joined = "; ".join(part.strip() for part in text.splitlines() if part.strip())
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in joined)


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Sequence):
        return list(value)
    return str(value)


def _refused(exc: OSError) -> StorageError:
    # what is left in the buffer is lost: Python would try again at its end, and exit with a code of its own
    discard()
    return StorageError(f"cannot write the result: {exc.strerror or exc}")
