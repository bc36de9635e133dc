"""Which collections there are."""

from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import output
from lakehouse_assets.cli.call import Call, WrongUsage
from lakehouse_assets.cli.collections.group import Label, Labels, Namespace, group
from lakehouse_assets.cli.verb import verb
from lakehouse_assets.model.times import iso_z

if TYPE_CHECKING:
    from lakehouse_assets.collections import Entry


@verb(group, "ls", example="lakehouse collections ls 'temp*'")
def list_collections(
    call: Call,
    pattern: Annotated[
        str | None,
        typer.Argument(metavar="LABEL", show_default=False, help="Only those like this: `temp*`."),
    ] = None,
    namespace: Namespace = "collection",
    deleted: Annotated[
        bool, typer.Option("--deleted", help="Those that were deleted and can be brought back.")
    ] = False,
) -> None:
    """List the collections, and the datasets of the lake."""
    from fnmatch import fnmatchcase

    repo = call.lake().collections
    found = [
        entry
        for entry in repo.entries(namespace, deleted=deleted)
        if pattern is None or entry.label == pattern or fnmatchcase(entry.label, pattern)
    ]
    datasets = repo.ls("dataset") if pattern is None and not deleted and namespace == "collection" else []
    if call.as_json:
        output.document({"collections": [_document(entry) for entry in found], "datasets": datasets})
        return
    rows = [
        (each.label, "key" if each.schema.is_kv else "range", _columns(each), iso_z(each.created))
        for each in found
    ]
    rows += [(name, "dataset", "", "") for name in datasets]
    output.table(["label", "written by", "columns", "created"], rows)


@verb(group, "create", example="lakehouse collections create temperature -c day=date* -c value=float")
def create(
    call: Call,
    labels: Labels,
    column: Annotated[
        list[str],
        typer.Option(
            "--column",
            "-c",
            metavar="NAME=TYPE",
            help="A column; with a * behind its type it is part of the index, by which rows are sorted and found.",
        ),
    ],
    kv: Annotated[
        bool,
        typer.Option("--kv", help="Rows are written by key: one takes the place of the one with its index."),
    ] = False,
    exist_ok: Annotated[
        bool, typer.Option("--exist-ok", help="Leave those be that are there already, with these columns.")
    ] = False,
    namespace: Namespace = "collection",
) -> None:
    """
    Make collections with the same columns, all or none.

    Types are int, float, str, bool, date, timestamp, timestamp_utc, bytes, object (JSON), decimal(10,2), int8 to int32,
    uint8 to uint32 and float32.
    """
    from lakehouse_assets.collections import Schema

    columns = dict(_column(text) for text in column)
    schema = Schema.kv(**columns) if kv else Schema(**columns)
    repo = call.lake().collections
    repo.create_collection(schema, *labels, raise_if_exists=not exist_ok, namespace=namespace)
    found = {label.strip() for label in labels}
    made = [entry for entry in repo.entries(namespace) if entry.label in found]
    if call.as_json:
        output.document({"collections": [_document(entry) for entry in made]})
    for entry in [] if call.as_json else made:
        output.line(f"{entry.label}: {_columns(entry)}")


@verb(group, "rename", example="lakehouse collections rename temperature weather")
def rename(
    call: Call,
    label: Label,
    to: Annotated[str, typer.Argument(metavar="NEW", show_default=False, help="Its new label.")],
    namespace: Namespace = "collection",
) -> None:
    """Give a collection another label. Its rows and versions stay as they are."""
    call.lake().collections.rename(label, to, namespace)
    _say(call, {"renamed": label.strip(), "to": to.strip()}, f"{label.strip()} is now {to.strip()}")


@verb(group, "delete", example="lakehouse collections delete temperature")
def delete(call: Call, labels: Labels, namespace: Namespace = "collection") -> int | None:
    """Delete collections. They can be brought back by `undelete`, until `gc` removes what lies on disk."""
    gone = call.lake().collections.delete(*labels, namespace=namespace)
    missing = [label for label in labels if label.strip() not in gone]
    _say(call, {"deleted": gone, "missing": missing}, f"deleted {', '.join(gone)}" if gone else "")
    for label in missing:
        output.say(f"there is no collection {label!r}; `lakehouse collections ls` lists them")
    return 1 if missing else None


@verb(group, "undelete", example="lakehouse collections undelete temperature")
def undelete(call: Call, label: Label, namespace: Namespace = "collection") -> None:
    """Bring back the collection of a label that was deleted last, with all its versions."""
    found = call.lake().collections.undelete(label, namespace)
    _say(call, {"undeleted": found.label, "series": found.ls()}, f"{found.label} is back")


def _say(call: Call, told: dict[str, object], text: str) -> None:
    if call.as_json:
        output.document(told)
    elif text:
        output.line(text)


def _column(text: str) -> tuple[str, str]:
    name, found, kind = text.partition("=")
    if not found:
        msg = f"not a column: {text!r}; write NAME=TYPE, like value=float, or day=date* for the index"
        raise WrongUsage(msg)
    return name.strip(), kind.strip()


def _columns(entry: "Entry") -> str:
    return " ".join(f"{name}={column}" for name, column in entry.schema.columns.items())


def _document(entry: "Entry") -> dict[str, object]:
    columns = {name: str(column) for name, column in entry.schema.columns.items()}
    times = {"created": iso_z(entry.created), "deleted": entry.deleted_at and iso_z(entry.deleted_at)}
    told = {"label": entry.label, "namespace": entry.namespace, "uid": entry.uid, "path": entry.path}
    return {**told, "kv": entry.schema.is_kv, "columns": columns, **times}
