"""`export` and `make`: what is published of a dataset."""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakehouse_assets.cli import humane, output, reporting
from lakehouse_assets.cli.call import Call, WrongUsage
from lakehouse_assets.cli.codes import DONE, FAILED
from lakehouse_assets.cli.progress import Bar
from lakehouse_assets.cli.verb import verb
from lakehouse_assets.errors import LakehouseError

if TYPE_CHECKING:
    from lakehouse_assets.lake import Dataset, Lake

ARTIFACTS = ("statements", "entities", "documents", "statistics", "index")
"""In the order in which they are made; the index lists the others."""

_FIELDS = (
    "rows", "bytes", "digest", "seconds", "skipped", "errors", "path", "notes", "failed_assertions",
)  # fmt: skip

_DIFFED = ("entities", "documents")
"""Those of which the differences are kept."""

_MOST_NAMED = 5

Artifact = Mapping[str, object]

log = logging.getLogger(__name__)

verbs = typer.Typer()

Force = Annotated[bool, typer.Option("--force", help="Also what is fresh.")]
NoAssertions = Annotated[
    bool, typer.Option("--no-assertions", help="Publish even what pipeline.yml asserts against.")
]


@verb(verbs, "export", example="lakehouse export -d eu_list statements entities")
def export(
    call: Call,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARTIFACT", help="Which; all by default.", show_default=False),
    ] = None,
    force: Force = False,
    no_assertions: NoAssertions = False,
    no_diff: Annotated[
        bool,
        typer.Option(
            "--no-diff", help="Do not keep what changed in entities and documents; the next export does."
        ),
    ] = False,
    initial_diff: Annotated[
        bool,
        typer.Option(
            "--initial-diff", help="Keep the first export as a difference, too, that adds everything."
        ),
    ] = False,
) -> None:
    """
    Write statements, entities, documents, statistics, index.

    Of entities and documents, what changed since the export before is kept, too: `lakehouse diff` shows it.
    """
    wanted = _wanted(names or [])
    if no_diff and initial_diff:
        msg = "--no-diff leaves differences out, and --initial-diff asks for the first one: give one of them"
        raise WrongUsage(msg)
    dataset = call.dataset()
    fields: dict[str, Any] = {"make_diff": not no_diff, "initial_diff": initial_diff}
    # one index for all, written as the last of them
    update_index = "index" not in wanted
    with Bar("exporting", shown=not call.quiet) as progress:
        jobs = {
            name: dataset.export(
                name,
                force=force,
                assertions=not no_assertions,
                update_index=update_index,
                progress=progress,
                **(fields if name in _DIFFED else {}),
            )
            for name in wanted
        }
    made = {
        name: output.fields(job, *_FIELDS, *(["diffs"] if name in _DIFFED else []))
        for name, job in jobs.items()
    }
    reporting.report(dataset)
    if call.as_json:
        output.document(_document(dataset.name, made))
    else:
        _print(dataset.name, made)


@verb(verbs, "make", example="lakehouse make --all")
def make(
    call: Call,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="More datasets.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All datasets of the lake.")] = False,
    force: Force = False,
    no_assertions: NoAssertions = False,
) -> int:
    """
    Write every export that is not fresh, and the catalogue.

    One dataset that fails does not keep the others from being made.
    """
    lake = call.lake()
    chosen = lake.datasets() if every else list(dict.fromkeys([*call.datasets, *(names or [])]))
    if not chosen and not every:
        msg = "which datasets? Add -d NAME, or --all"
        raise WrongUsage(msg)
    made, failed = _make_each(call, lake, chosen, force=force, assertions=not no_assertions)
    catalog = lake.export_catalog(force=force)
    reporting.report_catalog(lake)
    if call.as_json:
        several = every or len(chosen) > 1
        found = {"datasets": made} if several else {**made[0]} if made else {}
        result = {"rows": catalog.rows, "bytes": catalog.bytes, "skipped": catalog.skipped}
        output.document({**found, "catalog": result, "failed": failed})
    return FAILED if failed else DONE


def _make_each(
    call: Call, lake: "Lake", names: Sequence[str], *, force: bool, assertions: bool
) -> tuple[list[dict[str, object]], list[str]]:
    """Make one dataset after the other; one that fails does not stop the others."""
    made, failed = [], []
    for dataset in [lake.dataset(name) for name in names]:
        try:
            made.append(_make(call, dataset, force=force, assertions=assertions))
        except LakehouseError as exc:
            failed.append(dataset.name)
            output.say(f"error: {dataset.name}: {output.visible(str(exc))}")
            log.debug("cannot make %s", dataset.name, exc_info=True)
    return made, failed


def _make(call: Call, dataset: "Dataset", *, force: bool, assertions: bool) -> dict[str, object]:
    with Bar(f"making {dataset.name}", shown=not call.quiet) as progress:
        job = dataset.make(force=force, assertions=assertions, progress=progress, catalog=False)
    reporting.report(dataset)
    if not call.as_json:
        _print(dataset.name, job.artifacts)
    return {**_document(dataset.name, job.artifacts), "seconds": job.seconds, "run_id": job.run_id}


def _wanted(names: Sequence[str]) -> list[str]:
    """The artifacts in the order in which they are made; wrong usage for others."""
    given = {part for name in names for part in name.split(",") if part}
    unknown = sorted(given - set(ARTIFACTS))
    if unknown:
        msg = f"no such export: {', '.join(unknown)}; there are {', '.join(ARTIFACTS)}"
        raise WrongUsage(msg)
    return [name for name in ARTIFACTS if name in given or not given]


def _document(dataset: str, made: Mapping[str, Artifact]) -> dict[str, object]:
    """The artifacts, and what they come to; a single one is told at the top, too."""
    numbers = {
        key: sum(float(str(artifact.get(key) or 0)) for artifact in made.values())
        for key in ("rows", "bytes", "seconds", "errors")
    }
    only = next(iter(made.values())) if len(made) == 1 else {}
    return {
        "dataset": dataset,
        **{key: number if key == "seconds" else int(number) for key, number in numbers.items()},
        "digest": only.get("digest"),
        "path": only.get("path"),
        "skipped": all(artifact.get("skipped") for artifact in made.values()),
        "notes": only.get("notes", {}),
        "artifacts": made,
    }


def _print(dataset: str, made: Mapping[str, Artifact]) -> None:
    for name, artifact in made.items():
        size = humane.size(int(str(artifact["bytes"])))
        if artifact["skipped"]:
            output.line(f"{dataset}: {name} is fresh ({size})")
        else:
            rows, took = int(str(artifact["rows"])), float(str(artifact["seconds"]))
            output.line(
                f"{dataset}: {name} written to {artifact['path']}: "
                f"{humane.count(rows, 'row')}, {size} in {humane.seconds(took)}"
            )
        notes = artifact.get("notes")
        if isinstance(notes, dict):
            _warn_of(f"{dataset}: {name}", notes)
        diffs = artifact.get("diffs")
        if isinstance(diffs, dict):
            _tell_of(dataset, diffs)


def _tell_of(dataset: str, diffs: Mapping[str, Mapping[str, int | str]]) -> None:
    """What changed since the export before, and where that is kept."""
    for name, changed in diffs.items():
        if "path" in changed:
            counts = ", ".join(f"{int(changed[word]):,} {word}" for word in ("added", "modified", "deleted"))
            output.line(f"{dataset}: {name} changed, {counts}: {changed['path']}")


def _warn_of(place: str, notes: Mapping[str, int | list[str]]) -> None:
    """Name what somebody should look at: `incompatible: 2 (p1, p2)`."""
    for name, ids in notes.items():
        if isinstance(ids, list):
            named = ", ".join([*ids[:_MOST_NAMED], *(["..."] if len(ids) > _MOST_NAMED else [])])
            number = notes.get(f"{name}_count", len(ids))
            output.warn(f"{place}: {name.replace('_', ' ')}: {number} ({named})")
