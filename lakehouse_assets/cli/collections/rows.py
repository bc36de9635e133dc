"""The rows of a collection, and its versions."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output
from lakehouse_assets.cli.call import Call, WrongUsage
from lakehouse_assets.cli.collections.group import Label, Labels, Namespace, group
from lakehouse_assets.cli.moments import moment
from lakehouse_assets.cli.verb import verb
from lakehouse_assets.model.times import iso_z

if TYPE_CHECKING:
    import polars as pl

    from lakehouse_assets.collections import Collection, Revision

SeriesName = Annotated[str, typer.Argument(metavar="SERIES", show_default=False, help="The series in it.")]
Before = Annotated[
    str | None, typer.Option(metavar="TIME", help="As it was before then: 2026-11-21, 2026-11-21T08:30:00Z.")
]
Version = Annotated[
    int | None, typer.Option(metavar="N", help="As it was in this version; `log` lists them.")
]


@verb(group, "write", example="lakehouse collections write temperature paris paris.csv")
def write(
    call: Call,
    label: Label,
    series: SeriesName,
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", show_default=False, help="A .csv or .parquet file, also at a URL."),
    ],
    namespace: Namespace = "collection",
) -> None:
    """
    Write the rows of a file into a series, in place of those between its first and its last row.

    A file with the rows that are there already changes nothing, and makes no version.
    """
    repo = call.lake().collections
    found = repo.get(label, namespace)
    before = found.table.log.snapshot().version
    rows = repo.import_series(found / series, file)
    version = found.table.log.snapshot().version
    told = {"label": found.label, "series": series, "rows": rows, "version": version}
    if call.as_json:
        output.document({**told, "changed": version > before})
    else:
        changed = f"version {version}" if version > before else "nothing changed"
        output.line(f"{found.label} / {series}: {humane.count(rows, 'row')}, {changed}")


@verb(group, "read", example="lakehouse collections read temperature paris --start 2026-01-01 --limit 10")
def read(
    call: Call,
    label: Label,
    series: Annotated[
        str | None,
        typer.Argument(
            metavar="SERIES", show_default=False, help="The series; without one, their names are listed."
        ),
    ] = None,
    start: Annotated[
        list[str] | None,
        typer.Option(metavar="INDEX", help="From this index on; once more for each further index column."),
    ] = None,
    stop: Annotated[
        list[str] | None, typer.Option(metavar="INDEX", help="Up to this index, which is left out.")
    ] = None,
    closed: Annotated[
        str, typer.Option(metavar="SIDES", help="Which ends belong to it: left, right, both or none.")
    ] = "left",
    limit: Annotated[int | None, typer.Option(metavar="N", min=0, help="So many rows at most.")] = None,
    tail: Annotated[int | None, typer.Option(metavar="N", min=1, help="The last rows only.")] = None,
    before: Before = None,
    version: Version = None,
    namespace: Namespace = "collection",
) -> None:
    """Print the rows of a series as CSV, or with --json as one object a line."""
    if before is not None and version is not None:
        msg = "--before and --version both say what to go back to; take one"
        raise WrongUsage(msg)
    if tail is not None and (limit is not None or version is not None):
        msg = "--tail goes with --start, --stop and --before only"
        raise WrongUsage(msg)
    found = call.lake().collections.get(label, namespace)
    at = moment(before) if before is not None else None
    if series is None:
        _list_series(call, found)
        return
    ends = tuple(start) if start else None, tuple(stop) if stop else None
    rows = found / series
    if tail is not None:
        pages: Iterator[pl.DataFrame] = iter([rows.tail(tail, *ends, closed=closed, before=at)])
    elif version is not None:
        pages = iter([rows.frame(*ends, closed=closed, limit=limit, version=version)])
    else:
        pages = rows.paginate(50_000, *ends, closed=closed, limit=limit, before=at)
    _print(call, found, pages)


@verb(group, "log", example="lakehouse collections log temperature")
def log(
    call: Call,
    label: Label,
    series: Annotated[
        str | None, typer.Option(metavar="SERIES", help="Only versions that changed this series.")
    ] = None,
    namespace: Namespace = "collection",
) -> None:
    """List the versions of a collection, the oldest first."""
    found = call.lake().collections.get(label, namespace)
    revisions = found.revisions() if series is None else (found / series).revisions()
    if call.as_json:
        output.document({"label": found.label, "revisions": [_document(revision) for revision in revisions]})
        return
    columns = ["version", "at", "did", "rows", "files in", "files out", "series"]
    numbers = ("version", "rows", "files in", "files out")
    output.table(columns, map(_row, revisions), numbers=numbers)


@verb(group, "restore", example="lakehouse collections restore temperature --version 3")
def restore(
    call: Call,
    label: Label,
    version: Version = None,
    before: Before = None,
    namespace: Namespace = "collection",
) -> None:
    """Make a collection what it was in an earlier version, by a new version; nothing is lost by it."""
    if (before is None) == (version is None):
        msg = "say what to go back to, by --version or --before"
        raise WrongUsage(msg)
    found = call.lake().collections.get(label, namespace)
    done = found.restore(moment(before) if before is not None else None, version=version)
    if call.as_json:
        output.document({"label": found.label, "restored": [_document(revision) for revision in done]})
    else:
        output.line(
            f"{found.label}: version {done[0].version}" if done else f"{found.label}: nothing changed"
        )


@verb(group, "tidy", example="lakehouse collections tidy temperature --trim-before 2026-01-01")
def tidy(
    call: Call,
    labels: Labels,
    trim_before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Forget the versions up to then, but for the newest.")
    ] = None,
    namespace: Namespace = "collection",
) -> None:
    """Make few files of many, and forget early versions if asked to. Rows and later versions stay as they are."""
    repo = call.lake().collections
    told: list[dict[str, object]] = []
    for label in labels:
        found = repo.get(label, namespace)
        trimmed = found.trim(moment(trim_before)) if trim_before is not None else 0
        rewritten = bool(found.defrag())
        told.append({"label": found.label, "trimmed": trimmed, "rewritten": rewritten})
        if not call.as_json:
            files = "rewritten in fewer files" if rewritten else "has few files already"
            output.line(f"{found.label}: {humane.count(trimmed, 'version')} forgotten, {files}")
    if call.as_json:
        output.document({"collections": told})


@verb(group, "export", example="lakehouse collections export out/ temperature --format parquet")
def export(
    call: Call,
    dest: Annotated[
        str,
        typer.Argument(metavar="FOLDER", show_default=False, help="A folder, or a URL like s3://bucket/out."),
    ],
    labels: Annotated[
        list[str] | None, typer.Argument(metavar="LABEL...", show_default=False, help="Default: all.")
    ] = None,
    file_type: Annotated[str, typer.Option("--format", metavar="TYPE", help="csv or parquet.")] = "csv",
) -> None:
    """Write collections to files: a folder for each, with its columns in _schema.json and a file for each series."""
    rows = call.lake().collections.export_collections(dest, labels or None, file_type)
    _tell(call, rows, "written")


@verb(group, "import", example="lakehouse collections import out/ temperature")
def import_(
    call: Call,
    src: Annotated[
        str,
        typer.Argument(metavar="FOLDER", show_default=False, help="What `export` wrote: a folder or a URL."),
    ],
    labels: Annotated[
        list[str] | None, typer.Argument(metavar="LABEL...", show_default=False, help="Default: all.")
    ] = None,
) -> None:
    """
    Read collections from files as `export` writes them; those that are not there are made.

    Each becomes one version, whole or not at all, and none when it has these rows already.
    """
    rows = call.lake().collections.import_collections(src, labels or None)
    _tell(call, rows, "read")


def _tell(call: Call, rows: dict[str, int], done: str) -> None:
    if call.as_json:
        output.document({"rows": sum(rows.values()), "collections": rows})
        return
    for label, count in rows.items():
        output.line(f"{label}: {humane.count(count, 'row')} {done}")
    if not rows:
        output.line(f"no collections, nothing {done}")


def _list_series(call: Call, found: "Collection") -> None:
    counts = {label: len(found / label) for label in found.ls()}
    if call.as_json:
        output.document({"label": found.label, "series": counts})
    else:
        output.table(
            ["series", "rows"],
            [(label, humane.count(rows)) for label, rows in counts.items()],
            numbers=("rows",),
        )


def _print(call: Call, found: "Collection", pages: "Iterator[pl.DataFrame]") -> None:
    from lakehouse_assets.collections.frames import to_stored
    from lakehouse_assets.collections.writing import as_csv

    if not call.as_json:
        output.write(as_csv(found.schema, None))
    for page in pages:
        if call.as_json:
            for row in page.to_dicts():
                output.document({name: _plain(value) for name, value in row.items()})
        else:
            output.write(as_csv(found.schema, to_stored(found.schema, page)))


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value


def _document(revision: "Revision") -> dict[str, object]:
    told = {"version": revision.version, "at": iso_z(revision.at), "operation": revision.operation}
    files = {"files_added": revision.added, "files_removed": revision.removed}
    return {**told, "rows": revision.rows, **files, "series": list(revision.series)}


def _row(revision: "Revision") -> list[str]:
    at = f"{revision.at:%Y-%m-%d %H:%M:%S}Z"
    most = 5
    named = ", ".join(revision.series[:most]) + (", ..." if len(revision.series) > most else "")
    numbers = [humane.count(number) for number in (revision.rows, revision.added, revision.removed)]
    return [str(revision.version), at, revision.operation.lower(), *numbers, named]
