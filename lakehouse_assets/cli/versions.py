"""`versions`: what the small documents of a dataset were."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets import layout
from lakehouse_assets.cli import humane, output
from lakehouse_assets.cli.call import Call, WrongUsage
from lakehouse_assets.cli.moments import moment
from lakehouse_assets.cli.verb import verb
from lakehouse_assets.model.times import iso_z

if TYPE_CHECKING:
    from lakehouse_assets.lake import Dataset

verbs = typer.Typer()

_SHORT = {"config": layout.CONFIG, "index": layout.INDEX, "statistics": layout.STATISTICS}


@verb(verbs, "versions", example="lakehouse versions -d eu_list index --at 2026-11-21T08:30")
def versions(
    call: Call,
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="KEY",
            help="config, index, statistics, or a path that the list shows.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            metavar="TIME", parser=moment, help="Print it as it was at this time: 2026-11-21T08:30:00Z."
        ),
    ] = None,
) -> None:
    """
    List the snapshots of config, index, statistics and mappings, or print one.

    A snapshot is taken whenever one of them changes. With --at, the newest that is not later is printed.
    """
    if at is not None and key is None:
        msg = "--at prints one document: name it, like `lakehouse versions -d NAME index --at TIME`"
        raise WrongUsage(msg)
    dataset = call.dataset()
    path = _SHORT.get(key, key) if key is not None else None
    if at is not None and path is not None:
        _show(call, dataset, path, at)
        return
    found = dataset.versions.of(path) if path is not None else dataset.versions.list()
    sizes = [dataset.versions.size(version) for version in found]
    if call.as_json:
        told = [
            {"key": version.key, "at": iso_z(version.at), "bytes": size, "path": version.path}
            for version, size in zip(found, sizes, strict=True)
        ]
        output.document({"dataset": dataset.name, "versions": told})
        return
    rows = [
        (version.key, iso_z(version.at), humane.size(size))
        for version, size in zip(found, sizes, strict=True)
    ]
    output.table(["document", "time", "size"], rows, numbers=["size"])


def _show(call: Call, dataset: "Dataset", path: str, at: datetime) -> None:
    """The bytes of a snapshot; as one JSON object where that is asked for."""
    version = dataset.versions.at(path, at)
    data = dataset.location.read(version.path)
    if not call.as_json:
        output.write(data)
        return
    output.document(
        {
            "dataset": dataset.name,
            "key": version.key,
            "at": iso_z(version.at),
            "bytes": len(data),
            "path": version.path,
            "content": data.decode(errors="replace"),
        }
    )
