"""`checkpoints`: what the steps of pipelines left for their retries."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output
from lakehouse_assets.cli.call import Call, WrongUsage
from lakehouse_assets.cli.verb import verb, verb_group
from lakehouse_assets.defs.home import find_home
from lakehouse_assets.model.times import iso_z

if TYPE_CHECKING:
    import polars as pl

    from lakehouse_assets.checkpoints import CheckpointStore, Swept, Tree

verbs = typer.Typer()
group = verb_group(
    verbs,
    "checkpoints",
    about="Show and delete what the steps of pipelines left for their retries.",
    example="lakehouse checkpoints ls",
)

Root = Annotated[
    str | None,
    typer.Option(metavar="URI", help="A folder of checkpoints elsewhere; by default those of the lake."),
]


@verb(group, "ls", example="lakehouse checkpoints ls")
def list_checkpoints(call: Call, root: Root = None) -> None:
    """List the runs, and the runs with their retries (correlations), that have checkpoints."""
    store = _store(call, root)
    found = sorted(store.trees(), key=lambda tree: tree.newest)
    if call.as_json:
        output.document({"root": store.uri, "checkpoints": [_document(tree) for tree in found]})
    else:
        columns = ["scope", "id", "files", "size", "written"]
        output.table(columns, map(_row, found), numbers=("files", "size"))


@verb(group, "clean", example="lakehouse checkpoints clean --older-than 2 --dry-run")
def clean(
    call: Call,
    run: Annotated[list[str] | None, typer.Option(metavar="ID", help="Those of this run, at once.")] = None,
    correlation: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Those of a run and its retries, at once.")
    ] = None,
    older_than: Annotated[
        float | None,
        typer.Option(
            metavar="DAYS",
            min=0,
            help="Those not written to for so many days. Default: LAKEHOUSE_CHECKPOINT_RETENTION_DAYS, or 7.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be deleted.")] = False,
    root: Root = None,
) -> None:
    """
    Delete checkpoints that nobody will read again: by id, or else all that are old.

    Of the old ones those stay whose run is at work, as far as the lake's Dagster knows. What killed writers left behind
    a day ago is deleted, too.
    """
    if (run or correlation) and older_than is not None:
        msg = "--older-than looks at all checkpoints: leave it out, or --run and --correlation"
        raise WrongUsage(msg)
    if run or correlation:
        swept = _clean_named(_store(call, root), run or [], correlation or [], dry_run=dry_run)
    else:
        swept = _clean_old(call, root, older_than, dry_run=dry_run)
    if call.as_json:
        found = {"deleted": [_document(tree) for tree in swept.trees], "left_behind": swept.left_behind}
        output.document({**found, "bytes": swept.bytes, "dry_run": dry_run})
        return
    done = "would delete" if dry_run else "deleted"
    for tree in swept.trees:
        output.line(f"{done} {tree.scope.value} {tree.id}: {humane.size(tree.bytes)}")
    if swept.left_behind:
        output.line(f"{done} {humane.count(len(swept.left_behind), 'file')} that killed writers left behind")
    if not swept.trees and not swept.left_behind:
        output.line("nothing to delete")


def _store(call: Call, root: str | None) -> "CheckpointStore[pl.LazyFrame]":
    from lakehouse_assets.checkpoints import CheckpointStore

    return CheckpointStore(root) if root is not None else call.lake().checkpoints


def _clean_named(
    store: "CheckpointStore[pl.LazyFrame]", runs: list[str], correlations: list[str], *, dry_run: bool
) -> "Swept":
    from lakehouse_assets.checkpoints import CheckpointScope, Swept
    from lakehouse_assets.checkpoints.names import check_id

    named = {CheckpointScope.RUN: runs, CheckpointScope.CORRELATION: correlations}
    for scope, ids in named.items():
        for each in ids:
            check_id(each, f"{scope.value}_id")
    found = [tree for tree in store.trees() if tree.id in named[tree.scope]]
    if not dry_run:
        for tree in found:
            delete = store.cleanup_run if tree.scope is CheckpointScope.RUN else store.cleanup_correlation
            delete(tree.id)
    return Swept(found, [])


def _clean_old(call: Call, root: str | None, days: float | None, *, dry_run: bool) -> "Swept":
    lake = call.lake()
    home = find_home(lake) if root is None else None
    if home is not None and home.exists():
        from lakehouse_assets.defs.checkpoint_cleaning import sweep
        from lakehouse_assets.defs.instance import existing_instance

        if instance := existing_instance(lake):
            with instance:
                return sweep(lake, instance, days=days, dry_run=dry_run)
    kept = timedelta(days=lake.settings.checkpoint_retention_days if days is None else days)
    return _store(call, root).sweep(older=kept, dry_run=dry_run)


def _document(tree: "Tree") -> dict[str, object]:
    told: dict[str, object] = {"scope": tree.scope.value, "id": tree.id, "files": tree.files}
    return {**told, "bytes": tree.bytes, "newest": iso_z(tree.newest)}


def _row(tree: "Tree") -> list[str]:
    size, at = humane.size(tree.bytes), f"{tree.newest:%Y-%m-%d %H:%M:%S}Z"
    return [tree.scope.value, tree.id, humane.count(tree.files), size, at]
