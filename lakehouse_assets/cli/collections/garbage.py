"""Deleting what nobody needs any more, in collections and in datasets."""

from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output
from lakehouse_assets.cli.call import Call, WrongUsage
from lakehouse_assets.cli.collections.group import group
from lakehouse_assets.cli.verb import verb

if TYPE_CHECKING:
    from lakehouse_assets.storage.garbage import Collected


@verb(group, "gc", example="lakehouse collections gc --grace-days 30 --dry-run")
def gc(
    call: Call,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", show_default=False, help="Collections and datasets. Default: all."),
    ] = None,
    grace_days: Annotated[
        float | None,
        typer.Option(
            metavar="DAYS",
            min=0,
            show_default=False,
            help="How long files stay that nobody needs. Default: LAKEHOUSE_GC_GRACE_DAYS, else 7.",
        ),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(metavar="STEP", help="Only one of the two steps: mark, or sweep, which deletes."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
) -> None:
    """
    Delete files that nobody needs: of what was deleted or trimmed, leftovers, and archived files that nothing names.

    A file is marked by the first call that finds it needless, and deleted by one that comes when the mark is old
    enough, if nobody needs the file by then. What is none of ours is named and stays.
    """
    from lakehouse_assets.storage.garbage import Collected

    if only not in (None, "mark", "sweep") or (only and dry_run):
        msg = "--only is mark or sweep, and goes without --dry-run"
        raise WrongUsage(msg)
    lake, grace = call.lake(), None if grace_days is None else grace_days * 86400
    chosen = list(dict.fromkeys([*(names or []), *call.datasets])) or None
    if only == "mark":
        marked = lake.gc_mark(names=chosen)
        found = Collected(marked=marked.marked, unknown=marked.unknown, bytes=marked.bytes)
    elif only == "sweep":
        found = lake.gc_sweep(grace, names=chosen)
    else:
        found = lake.gc(grace, names=chosen, dry_run=dry_run)
    if call.as_json:
        output.document({**vars(found), "dry_run": dry_run})
    else:
        _tell(found, only, dry_run=dry_run)


@verb(group, "check", example="lakehouse collections check")
def check(
    call: Call,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", show_default=False, help="Collections and datasets. Default: all."),
    ] = None,
    sample: Annotated[
        str, typer.Option(metavar="SIZE", help="How much of the archived files is read and compared.")
    ] = "1GB",
) -> int | None:
    """Look whether all files are there that something refers to, in collections and datasets."""
    from lakehouse_assets.settings import parse_size

    chosen = list(dict.fromkeys([*(names or []), *call.datasets])) or None
    found = call.lake().check_references(chosen, sample=parse_size(sample))
    told = found.metadata
    if call.as_json:
        output.document({"passed": found.passed, **told, "files": list(found.table), "mend": found.mend})
    else:
        files, size = humane.count(int(told["referenced"]), "file"), humane.size(int(told["hashed_bytes"]))
        output.line(f"{files} referred to, {told['missing']} missing; {size} read, {told['damaged']} damaged")
        for row in found.table:
            output.warn(f"{row['file']}: {row['referred to by']}")
        if found.mend:
            output.say(found.mend)
    return None if found.passed else 1


def _tell(found: "Collected", only: str | None, *, dry_run: bool) -> None:
    deleted, marked = ("would delete", "would mark") if dry_run else ("deleted", "marked")
    size = humane.size(found.bytes)
    if only == "mark":
        output.line(f"marked {humane.count(len(found.marked), 'file')}; {size} are marked in all")
    elif only == "sweep":
        output.line(f"{deleted} {humane.count(len(found.deleted), 'file')} ({size})")
    else:
        files = humane.count(len(found.deleted), "file")
        output.line(f"{deleted} {files} ({size}), {marked} {len(found.marked):,}")
    for key in found.unknown:
        output.warn(f"{key} is none of our files; it stays")
