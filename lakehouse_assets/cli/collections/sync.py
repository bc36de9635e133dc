"""Collections of one place to another."""

from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output
from lakehouse_assets.cli.call import Call, WrongUsage
from lakehouse_assets.cli.collections.group import Namespace, group
from lakehouse_assets.cli.verb import verb

if TYPE_CHECKING:
    from lakehouse_assets.collections.sync import Resolve, Step, Synced

Remote = Annotated[
    str,
    typer.Argument(
        metavar="REMOTE", show_default=False, help="The other lake: a folder, or s3://bucket/lake."
    ),
]
SomeLabels = Annotated[
    list[str] | None, typer.Argument(metavar="LABEL...", show_default=False, help="Default: all.")
]
Shallow = Annotated[
    bool, typer.Option("--shallow", help="The newest version alone, without the earlier ones.")
]
Whose = Annotated[
    str | None,
    typer.Option(
        "--resolve",
        metavar="WHOSE",
        help="Whose rows count where both sides changed the same ones: ours or theirs.",
    ),
]


@verb(group, "plan", example="lakehouse collections plan s3://bucket/lake")
def plan(
    call: Call,
    remote: Remote,
    labels: SomeLabels = None,
    shallow: Shallow = False,
    push: Annotated[bool, typer.Option("--push", help="What a push would do, not a pull.")] = False,
    namespace: Namespace = "collection",
) -> None:
    """Tell what a pull would do with each collection, and how much it would bring. Nothing is changed."""
    from lakehouse_assets.collections import Repo

    here, there = call.lake().collections, Repo(remote)
    here, there = (there, here) if push else (here, there)
    steps = here.plan_pull(there, *(labels or []), shallow=shallow, namespace=namespace)
    if call.as_json:
        output.document(
            {"plan": [_document(step) for step in steps], "bytes": sum(step.bytes for step in steps)}
        )
        return
    columns = ["label", "state", "versions", "files", "size"]
    output.table(columns, map(_row, steps), numbers=("versions", "files", "size"))


@verb(group, "pull", example="lakehouse collections pull s3://bucket/lake temperature")
def pull(
    call: Call,
    remote: Remote,
    labels: SomeLabels = None,
    shallow: Shallow = False,
    resolve: Whose = None,
    namespace: Namespace = "collection",
) -> None:
    """
    Bring the collections of another lake here: rows, versions, labels and deletions.

    Only what is ahead is brought. Where both sides were changed nothing is, unless --resolve says whose rows count.
    """
    from lakehouse_assets.collections import Repo

    here, whose = call.lake().collections, _whose(resolve)
    done = here.pull(Repo(remote), *(labels or []), shallow=shallow, resolve=whose, namespace=namespace)
    _tell(call, done, "pulled")


@verb(group, "push", example="lakehouse collections push s3://bucket/lake temperature")
def push(
    call: Call,
    remote: Remote,
    labels: SomeLabels = None,
    shallow: Shallow = False,
    resolve: Whose = None,
    namespace: Namespace = "collection",
) -> None:
    """Bring the collections of this lake to another one, as a pull from there would."""
    from lakehouse_assets.collections import Repo

    here, whose = call.lake().collections, _whose(resolve)
    done = here.push(Repo(remote), *(labels or []), shallow=shallow, resolve=whose, namespace=namespace)
    _tell(call, done, "pushed")


def _whose(text: str | None) -> "Resolve | None":
    known: dict[str | None, Resolve | None] = {None: None, "ours": "ours", "theirs": "theirs"}
    if text in known:
        return known[text]
    msg = f"--resolve is ours or theirs, not {text!r}"
    raise WrongUsage(msg)


def _tell(call: Call, done: "Synced", what: str) -> None:
    if call.as_json:
        told = {"collections": list(done.collections), "same": list(done.same), "versions": done.versions}
        output.document({**told, "files": done.files, "bytes": done.bytes})
        return
    for step in done.steps:
        if step.label in done.collections:
            state = f"{step.state}, renamed" if step.renamed else step.state
            files = f"{humane.count(len(step.files), 'file')}, {humane.size(step.bytes)}"
            output.line(
                f"{what} {step.label} ({state}): {humane.count(len(step.versions), 'version')}, {files}"
            )
    if not done.collections:
        output.line(f"nothing to be {what}: all is the same")


def _document(step: "Step") -> dict[str, object]:
    told = {"label": step.label, "state": step.state, "renamed": step.renamed}
    return {**told, "versions": len(step.versions), "files": len(step.files), "bytes": step.bytes}


def _row(step: "Step") -> list[str]:
    state = f"{step.state}, renamed" if step.renamed else step.state
    return [
        step.label,
        state,
        humane.count(len(step.versions)),
        humane.count(len(step.files)),
        humane.size(step.bytes),
    ]
