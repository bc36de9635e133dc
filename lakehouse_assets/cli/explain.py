"""`explain`: where a value comes from."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output
from lakehouse_assets.cli.call import Call
from lakehouse_assets.cli.verb import verb

if TYPE_CHECKING:
    from lakehouse_assets.operations.explain import Claim, ExplainedValue, Explanation

verbs = typer.Typer()

_LONGEST = 300
"""Characters of a value that are shown; a value may be a whole document."""


@verb(verbs, "explain", example="lakehouse explain -d eu_list eu-fsf-1 --prop name")
def explain(
    call: Call,
    entity_id: Annotated[str, typer.Argument(metavar="ID", help="The entity.", show_default=False)],
    prop: Annotated[str | None, typer.Option(metavar="NAME", help="Only this property.")] = None,
) -> None:
    """
    Tell where each value of an entity comes from.

    For each value: every origin that says it and since when, what the value was before it was cleaned, and what
    became of claims that do not count any more, as far back as older versions of the table reach. Times are UTC.
    """
    explanation = call.dataset().explain(entity_id, prop)
    if call.as_json:
        output.document(asdict(explanation))
        return
    for text in _lines(explanation, prop):
        output.line(text)


def _lines(explanation: "Explanation", prop: str | None) -> Iterator[str]:
    gone = ", deleted: nothing about it counts any more" if explanation.deleted else ""
    what = f"{explanation.id} ({', '.join(explanation.schemata)}) in {explanation.dataset}"
    yield output.visible(what + gone)
    if not explanation.values:
        yield f"  no origin ever gave it a value of {prop}"
    for name, values in groupby(explanation.values, key=lambda value: value.prop):
        yield ""
        yield output.visible(name)
        for value in values:
            yield f"  {_shown(value)}"
            for claim in value.claims:
                yield f"    {output.visible(_told(claim))}"
    yield ""
    yield _reach(explanation)


def _shown(value: "ExplainedValue") -> str:
    text = output.visible(value.value)
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}... ({humane.count(len(value.value), 'character')})"
    notes = [value.lang] if value.lang else []
    notes += ["external"] if value.external else []
    notes += [] if value.counts else ["does not count any more"]
    return f"{text} [{', '.join(notes)}]" if notes else text


def _told(claim: "Claim") -> str:
    who = claim.origin
    if claim.made_by == "mapping":
        names = ", ".join(claim.files)
        who = (
            f"mapping of {names} ({claim.content_hash})" if names else f"mapping of file {claim.content_hash}"
        )
    who += " (files that were crawled)" if claim.made_by == "crawl" else ""
    who += f", role {claim.role}" if claim.role else ""
    who += f", fragment {claim.fragment}" if claim.fragment else ""
    parts = [_seen(claim)]
    if claim.original_value is not None:
        parts.append(f"cleaned from {claim.original_value[:_LONGEST]!r}")
    if len(claim.said) > 1 or claim.rows > 1:
        parts.append(f"said {humane.count(len(claim.said), 'time')}, {humane.count(claim.rows, 'row')}")
    parts += _ended(claim)
    return f"{who}: {'; '.join(parts)}"


def _seen(claim: "Claim") -> str:
    first, last = _time(claim.first_seen), _time(claim.last_seen)
    if claim.last_seen is None:
        return f"first seen {first}"
    return f"seen {first}" if first == last else f"seen {first} to {last}"


def _ended(claim: "Claim") -> Iterator[str]:
    if claim.state == "superseded":
        yield f"superseded on {_time(claim.ended_at)} by what came next of its fragment"
    if claim.state == "removed":
        yield f"removed from the table on {_time(claim.ended_at)} by {claim.ended_by}"
    for stone in claim.tombstones:
        yield f"deleted on {_time(stone.deleted_at)}" + ("" if stone.hides else ", which hides it no more")
    if claim.state != "counts" and not claim.rows:
        yield "no longer in the newest version of the table"


def _reach(explanation: "Explanation") -> str:
    known = explanation.known_since
    when = f"version {known.version} of the table, {_time(known.at)}"
    if known.complete:
        return f"Everything is known since the table was made: {when}."
    return f"History is known from {when}; rows that were merged away before are gone."


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "an unknown day"
