"""`get`, `query` and `statements`: what a dataset says."""

import sys
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lakehouse_assets.cli import output, statement_json
from lakehouse_assets.cli.call import Call, WrongUsage
from lakehouse_assets.cli.codes import DONE, FAILED
from lakehouse_assets.cli.moments import moment
from lakehouse_assets.cli.sinks import sink
from lakehouse_assets.cli.verb import verb

verbs = typer.Typer()


class Format(StrEnum):
    """How statements are printed."""

    csv = "csv"
    json = "json"
    parquet = "parquet"


@verb(verbs, "get", example="lakehouse get -d eu_list eu-fsf-1 eu-fsf-2")
def get(
    call: Call,
    ids: Annotated[list[str], typer.Argument(metavar="ID", help="Entities.", show_default=False)],
) -> int:
    """
    Print entities by id, as JSON lines.

    Those that are missing are named on stderr, and the exit code is 1.
    """
    wanted = list(dict.fromkeys(ids))
    found = call.dataset().get(wanted)
    _print_lines(found[entity_id] for entity_id in wanted if entity_id in found)
    missing = [entity_id for entity_id in wanted if entity_id not in found]
    for entity_id in missing:
        output.say(f"error: no entity {output.visible(entity_id)} in {call.dataset_name()}")
    return FAILED if missing else DONE


@verb(verbs, "query", example="lakehouse query -d eu_list --schema Person --where country=fr --limit 10")
def query(
    call: Call,
    schema: Annotated[str | None, typer.Option(metavar="NAME", help="Of this schema.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="PROP=VALUE", help="With this value; can be repeated.")
    ] = None,
    origin: Annotated[str | None, typer.Option(metavar="NAME", help="What this origin says.")] = None,
    bucket: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this bucket: thing, interval, document ...")
    ] = None,
    changed_since: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", parser=moment, help="Changed since: 2026-11-21."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="At most so many.")] = None,
) -> None:
    """Print the entities that fit, as JSON lines."""
    values = _conditions(where or [])
    lines = call.dataset().query(
        schema=schema,
        where=values,
        origin=origin,
        bucket=bucket,
        changed_since=changed_since,
        limit=limit,
    )
    _print_lines(lines)


@verb(
    verbs,
    "statements",
    example="lakehouse statements -d eu_list --prop name --format parquet -o names.parquet",
)
def statements(
    call: Call,
    entity: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Of this entity; can be repeated.")
    ] = None,
    origin: Annotated[str | None, typer.Option(metavar="NAME", help="Of this origin.")] = None,
    bucket: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of this bucket: thing, interval, document ...")
    ] = None,
    schema: Annotated[str | None, typer.Option(metavar="NAME", help="Of this schema.")] = None,
    prop: Annotated[str | None, typer.Option(metavar="NAME", help="Of this property.")] = None,
    changed_since: Annotated[
        datetime | None, typer.Option(metavar="TIME", parser=moment, help="First seen since: 2026-11-21.")
    ] = None,
    format: Annotated[Format | None, typer.Option(help="csv by default, json lines with --json.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write a file instead of stdout.")
    ] = None,
) -> None:
    """
    Print statements: each value with origin and times.

    All that count, in the order of the export statements.csv, or those that fit what is asked for.
    """
    from lakehouse_assets.operations.selections import Selection

    chosen = format or (Format.json if call.as_json else Format.csv)
    if chosen is Format.parquet and out is None and sys.stdout.isatty():
        msg = "parquet is nothing to look at: name a file with -o FILE, or send it to a program"
        raise WrongUsage(msg)
    selection = Selection(entity or None, origin, bucket, schema, prop, changed_since)
    dataset = call.dataset()
    with sink(out) as file:
        if chosen is Format.parquet:
            dataset.statements_parquet(file, selection)
            return
        blocks = dataset.statements_csv(selection)
        for block in statement_json.lines(blocks) if chosen is Format.json else blocks:
            file.write(block)


def _print_lines(lines: Iterable[bytes]) -> None:
    for text in lines:
        output.write(text if text.endswith(b"\n") else text + b"\n")


def _conditions(pairs: list[str]) -> dict[str, str]:
    """The values by property; wrong usage for what has no `=`, and for a property that is named twice."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            msg = f"--where {pair!r}: write PROP=VALUE, like country=fr"
            raise WrongUsage(msg)
        if found.setdefault(name, value) != value:
            msg = f"--where {name} is given twice; an entity would have to have both, ask for one"
            raise WrongUsage(msg)
    return found
