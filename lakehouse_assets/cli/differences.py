"""`diff`: what changed in a dataset."""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets import layout
from lakehouse_assets.cli import humane, output, statement_json
from lakehouse_assets.cli.call import Call, WrongUsage
from lakehouse_assets.cli.moments import moment
from lakehouse_assets.cli.sinks import sink
from lakehouse_assets.cli.verb import verb
from lakehouse_assets.model.times import iso_z

if TYPE_CHECKING:
    from lakehouse_assets.dataset import Dataset
    from lakehouse_assets.diffs.between import Between
    from lakehouse_assets.diffs.statements import StatementChanges

verbs = typer.Typer()

_WORDS = {"ADD": "added", "MOD": "modified", "DEL": "deleted"}


class Format(StrEnum):
    """How changed statements are printed."""

    csv = "csv"
    parquet = "parquet"


@verb(verbs, "diff", example="lakehouse diff -d eu_list --from 2026-11-01 -o november.delta.json")
def diff(
    call: Call,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="From what it was then; from the version before the last by default.",
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="To what it was then; to the newest by default."),
    ] = None,
    documents: Annotated[bool, typer.Option("--documents", help="Of the list of files.")] = False,
    statements: Annotated[
        bool,
        typer.Option(
            "--statements", help="Of the statements; TIME may be the number of a version of their table, too."
        ),
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List what is kept.")] = False,
    format: Annotated[Format | None, typer.Option(help="Of --statements; csv by default.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write a file instead of stdout.")
    ] = None,
) -> None:
    """
    Print what changed between two versions: entities that were added, modified or deleted, as JSON lines.

    Each export of entities or documents keeps what changed since the one before. What lies between two times is put
    together: applied to the earlier export it gives the later one. Statements are compared in their table, as far back
    as that reaches.
    """
    _check(documents=documents, statements=statements, listed=listed, format=format, out=out)
    dataset = call.dataset()
    if listed:
        _list(call, dataset)
        return
    if statements:
        changes = dataset.differences.statements(_version(since), _version(until))
        if format is Format.parquet:
            with sink(out) as file:
                changes.parquet(file)
        else:
            _print(call, dataset, changes, changes.csv(), out)
        _tell(call, dataset, changes, f"version {changes.since}", f"version {changes.until}")
        return
    found = dataset.differences.between(
        _moment(since), _moment(until), kind="documents" if documents else "entities"
    )
    _print(call, dataset, found, found.blocks(), out)
    _tell(call, dataset, found, _time(found.since), _time(found.until))


def _check(
    *, documents: bool, statements: bool, listed: bool, format: Format | None, out: Path | None
) -> None:
    """Wrong usage for options that cannot go together."""
    if documents + statements + listed > 1:
        msg = "--documents, --statements and --list ask for different things: give one of them"
        raise WrongUsage(msg)
    if format is not None and not statements:
        msg = "--format goes with --statements"
        raise WrongUsage(msg)
    if format is Format.parquet and out is None and sys.stdout.isatty():
        msg = "parquet is nothing to look at: name a file with -o FILE, or send it to a program"
        raise WrongUsage(msg)


def _list(call: Call, dataset: "Dataset") -> None:
    versions = dataset.differences.versions()
    if call.as_json:
        output.document({"dataset": dataset.name, "versions": [version.model_dump() for version in versions]})
        return
    columns = ["time", "of", "added", "modified", "deleted", "size", "file"]
    rows = [
        (
            _time(version.version),
            version.kind,
            *(humane.count(number) for number in version.counts.values()),
            humane.size(version.size),
            version.path,
        )
        for version in versions
    ]
    output.table(columns, rows, numbers=["added", "modified", "deleted", "size"])


def _print(
    call: Call,
    dataset: "Dataset",
    changes: "Between | StatementChanges",
    blocks: Iterable[bytes],
    out: Path | None,
) -> None:
    """The changes as they are, or with --json as members of one object."""
    with sink(out) as file:
        if not call.as_json or out is not None:
            for block in blocks:
                file.write(block)
    if not call.as_json:
        return
    head = {"dataset": dataset.name, "from": changes.since, "to": changes.until}
    output.write(json.dumps(head).encode()[:-1])
    if out is None:
        output.write(b', "changes": [')
        for number, item in enumerate(_objects(blocks)):
            output.write((b", " if number else b"") + item.rstrip(b"\n"))
        output.write(b"]")
    else:
        output.write(f', "path": {json.dumps(str(out))}'.encode())
    output.write(b", " + json.dumps(_counts(changes.counts)).encode()[1:] + b"\n")


def _objects(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Each change as a JSON object, whether it is one already or a row of CSV."""
    blocks = iter(blocks)
    first = next(blocks, b"")
    rest = _chained(first, blocks)
    if first.startswith(b"{"):
        yield from (line for block in rest for line in block.splitlines())
    elif first.startswith(b'"op"'):
        yield from statement_json.lines(rest)
    elif first:
        yield from statement_json.rows(rest)


def _chained(first: bytes, blocks: Iterable[bytes]) -> Iterator[bytes]:
    yield first
    yield from blocks


def _tell(
    call: Call, dataset: "Dataset", changes: "Between | StatementChanges", since: str, until: str
) -> None:
    """What it comes to, for whoever watches."""
    if call.quiet or call.as_json:
        return
    counts = _counts(changes.counts)
    told = ", ".join(f"{humane.count(number)} {word}" for word, number in counts.items())
    output.say(
        f"{dataset.name}: {told if any(counts.values()) else 'nothing changed'} from {since} to {until}"
    )


def _counts(counts: Mapping[str, int]) -> dict[str, int]:
    return {word: counts.get(op, 0) for op, word in _WORDS.items()}


def _time(version: str) -> str:
    return iso_z(layout.parse_stamp(version))


def _version(text: str | None) -> datetime | int | None:
    """A version of the table by its number, or by a time."""
    return int(text) if text is not None and text.isdecimal() and len(text) < 8 else _moment(text)


def _moment(text: str | None) -> datetime | None:
    """A time, also as it stands in the names of files."""
    if text is None:
        return None
    try:
        return layout.parse_stamp(text)
    except ValueError:
        return moment(text)
