"""`dataset`: create datasets, list them, show one."""

from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import health, output, reporting
from lakehouse_assets.cli.call import Call
from lakehouse_assets.cli.verb import verb, verb_group
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.model.times import iso_z

if TYPE_CHECKING:
    from lakehouse_assets.lake import Dataset, Lake

verbs = typer.Typer()
dataset = verb_group(
    verbs,
    "dataset",
    about="Create, list, show and delete datasets.",
    example="lakehouse dataset create eu_list",
)

NameArgument = Annotated[str | None, typer.Argument(metavar="NAME", help="The dataset.", show_default=False)]


@verb(dataset, "create", example='lakehouse dataset create eu_list --title "EU sanctions list"')
def create(
    call: Call,
    name: NameArgument = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="What people call it.")] = None,
    summary: Annotated[str | None, typer.Option(metavar="TEXT", help="One sentence about it.")] = None,
    description: Annotated[str | None, typer.Option(metavar="TEXT", help="All about it.")] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Where it comes from.")] = None,
    license: Annotated[str | None, typer.Option(metavar="URL", help="Its license.")] = None,
    category: Annotated[str | None, typer.Option(metavar="TEXT", help="What kind of data it is.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="A tag; can be repeated.")] = None,
    public_url_prefix: Annotated[
        str | None, typer.Option(metavar="URL", help="Where its exports can be downloaded.")
    ] = None,
    shards: Annotated[
        int | None, typer.Option(min=0, help="Into how many parts its statements are cut; 0 for one.")
    ] = None,
    compression: Annotated[str | None, typer.Option(metavar="gz|zst", help="Compress its exports.")] = None,
) -> None:
    """Make a dataset: its folder and its config.yml."""
    given = {
        "title": title,
        "summary": summary,
        "description": description,
        "url": url,
        "license": license,
        "category": category,
        "tags": tag,
        "public_url_prefix": public_url_prefix,
        "shards": shards,
        "compression": compression,
    }
    name = _named(call, name)
    made = call.lake().create_dataset(name, **{key: value for key, value in given.items() if value})
    reporting.report(made)
    if call.as_json:
        output.document({"dataset": made.name, "uri": made.uri, "config": _config(made)})
    else:
        output.line(f"created {made.name} in {made.uri}")


@verb(dataset, "ls", example="lakehouse dataset ls")
def list_datasets(
    call: Call,
    deleted: Annotated[
        bool, typer.Option("--deleted", help="Those that were deleted and can be brought back.")
    ] = False,
) -> None:
    """List the datasets of the lake."""
    lake = call.lake()
    if deleted:
        _list_deleted(call, lake)
        return
    names = lake.datasets()
    if call.as_json:
        output.document({"datasets": names})
    elif names:
        output.table(["name", "title"], ((name, _title(lake, name)) for name in names))
    elif not call.quiet:
        output.say(f"no datasets in {lake.uri}; `lakehouse dataset create NAME` makes one")


@verb(dataset, "show", example="lakehouse dataset show eu_list")
def show(call: Call, name: NameArgument = None) -> None:
    """Show what is known about a dataset: metadata, counts, freshness."""
    shown = call.lake().dataset(_named(call, name))
    status = shown.status()
    if call.as_json:
        output.document({**health.status_document(status), "uri": shown.uri, "config": _config(shown)})
        return
    facts = [("uri", shown.uri), *_facts(_config(shown))]
    width = max(len(label) for label, _ in facts)
    for label, value in facts:
        output.line(f"{label:<{width}}  {output.visible(value)}")
    health.print_status(status)


@verb(dataset, "delete", example="lakehouse dataset delete eu_list")
def delete(call: Call, name: NameArgument = None) -> None:
    """Delete a dataset. It can be brought back by `undelete`, until `collections gc` removes its files."""
    name = _named(call, name)
    call.lake().delete_dataset(name)
    if call.as_json:
        output.document({"deleted": name})
    else:
        output.line(f"deleted {name}; `lakehouse dataset undelete {name}` brings it back")


@verb(dataset, "undelete", example="lakehouse dataset undelete eu_list")
def undelete(call: Call, name: NameArgument = None) -> None:
    """Bring back a dataset that was deleted, as it was."""
    found = call.lake().undelete_dataset(_named(call, name))
    reporting.report(found)
    if call.as_json:
        output.document({"undeleted": found.name, "uri": found.uri})
    else:
        output.line(f"{found.name} is back")


def _list_deleted(call: Call, lake: "Lake") -> None:
    found = lake.deleted_datasets()
    if call.as_json:
        output.document({"datasets": list(found), "deleted": {name: iso_z(at) for name, at in found.items()}})
    elif found:
        output.table(["name", "deleted"], ((name, iso_z(at)) for name, at in found.items()))
    elif not call.quiet:
        output.say(f"no dataset of {lake.uri} is deleted")


def _title(lake: "Lake", name: str) -> str:
    """What people call a dataset; one that cannot be read does not hide the others."""
    try:
        return lake.dataset(name).config.title
    except LakehouseError as exc:
        output.warn(f"{name}: {exc}")
        return "?"


def _named(call: Call, name: str | None) -> str:
    """The name given as an argument or by -d."""
    if name is not None:
        call.datasets = [name]
    return call.dataset_name()


def _config(shown: "Dataset") -> dict[str, object]:
    return shown.config.model_dump(mode="json", exclude_none=True, exclude={"stats", "resources", "uri"})


def _facts(config: dict[str, object]) -> list[tuple[str, str]]:
    """What a config says, as lines; what is empty is left out."""
    found = []
    for key, value in config.items():
        if isinstance(value, dict):
            found += [(f"{key}.{name}", text) for name, text in _facts(value)]
        elif value not in (None, "", [], False):
            found.append((key, ", ".join(map(str, value)) if isinstance(value, list) else str(value)))
    return found
