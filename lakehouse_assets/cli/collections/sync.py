"""Datasets and collections of one lake to another."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from lakehouse_assets.cli import humane, output
from lakehouse_assets.cli.call import Call, WrongUsage
from lakehouse_assets.cli.collections.group import group
from lakehouse_assets.cli.progress import Bar
from lakehouse_assets.cli.verb import verb

if TYPE_CHECKING:
    from lakehouse_assets.collections.sync import Step, Synced
    from lakehouse_assets.lake import Lake
    from lakehouse_assets.replicas import DatasetStep, Pulled, Resolve

DATASET = "dataset"

Remote = Annotated[
    str,
    typer.Argument(
        metavar="REMOTE",
        show_default=False,
        help="The other lake: a folder like ../lake, s3://bucket/lake, or a name of LAKEHOUSE_REMOTES.",
    ),
]
SomeLabels = Annotated[
    list[str] | None,
    typer.Argument(metavar="LABEL...", show_default=False, help="Datasets and collections. Default: all."),
]
Shallow = Annotated[
    bool, typer.Option("--shallow", help="The newest version alone, without the earlier ones.")
]
Whose = Annotated[
    str | None,
    typer.Option(
        "--resolve",
        metavar="HOW",
        help="What becomes of what both sides changed. Of collections all is kept, and ours or theirs says whose "
        "rows count where both changed the same. Of datasets, union has all statements of both; with --namespace "
        "dataset, ours or theirs has those of one side alone.",
    ),
]
Kind = Annotated[
    str | None,
    typer.Option(
        "--namespace", metavar="NAME", help="Only collections of this one, or only datasets: dataset."
    ),
]


@dataclass(frozen=True)
class Exchange:
    """
    What is brought from one lake to another: datasets (None: none of them), collections of a namespace, or both.

    An empty list means all, with the deletions there.
    """

    here: "Lake"
    there: "Lake"
    datasets: list[str] | None
    labels: list[str]
    namespace: str
    resolve: "Resolve | None" = None
    shallow: bool = False

    @classmethod
    def make(
        cls,
        here: "Lake",
        there: "Lake",
        labels: list[str] | None,
        namespace: str | None,
        *,
        resolve: str | None = None,
        shallow: bool = False,
    ) -> "Exchange":
        """What is meant; NotFound when a label is neither of a dataset nor of a collection there."""
        from lakehouse_assets.errors import NotFound

        wanted, space = [label.strip() for label in labels or []], namespace or "collection"
        datasets = there.datasets() if namespace in (None, DATASET) else []
        tables = [entry.label for entry in there.collections.entries(space)] if space != DATASET else []
        if labels:
            datasets = [name for name in datasets if name in wanted]
            tables = [label for label in tables if label in wanted]
        missing = sorted(set(wanted) - set(datasets) - set(tables))
        if missing:
            msg = f"there is no {', '.join(map(repr, missing))} in {there.uri}; `lakehouse collections ls` lists all"
            raise NotFound(msg)
        if labels and not tables:
            space = DATASET
        is_asked = namespace in (None, DATASET) and not (labels and not datasets)
        names = (datasets if labels else []) if is_asked else None
        return cls(here, there, names, tables if labels else [], space, _how(resolve), shallow)

    def plan(self) -> "tuple[list[DatasetStep], list[Step]]":
        """What would be done with each; nothing is changed."""
        if self.datasets is None:
            return [], self._tables()
        return self.here.plan_pull(self.there, *self.datasets, shallow=self.shallow), self._tables()

    def apply(self, progress: Bar) -> "tuple[Pulled, Synced]":
        """Bring them; what both sides changed refuses all of it, unless it is said what becomes of it."""
        from lakehouse_assets.collections import sync
        from lakehouse_assets.replicas import Pulled

        whose: sync.Resolve | None = None if self.resolve == "union" else self.resolve
        self._refuse()
        pulled = Pulled()
        if self.datasets is not None:
            pulled = self.here.pull(
                self.there, *self.datasets, shallow=self.shallow, resolve=self.resolve, progress=progress
            )
        synced = sync.Synced()
        if self.namespace != DATASET:
            synced = self.here.collections.pull(
                self.there.collections,
                *self.labels,
                shallow=self.shallow,
                resolve=whose,
                namespace=self.namespace,
            )
        return pulled, synced

    def _refuse(self) -> None:
        """Raise Diverged, before anything is changed, where it is not said what becomes of each kind."""
        from lakehouse_assets.collections import sync
        from lakehouse_assets.errors import Diverged

        tables = self._tables()
        labels = [step.label for step in tables if step.state == "diverged"]
        names = [name for name in self._names() if self.here.glance(self.there, name).state == "diverged"]
        sync.refuse([step for step in tables if step.state == "conflict"])
        if self.namespace == DATASET:
            return
        if names and (self.resolve in ("ours", "theirs") or (labels and self.resolve is None)):
            kinds = {"datasets": names, "collections": labels}
            told = "; ".join(f"{kind} {', '.join(found)}" for kind, found in kinds.items() if found)
            msg = (
                f"changed here and there: {told}. Nothing was changed. Say what becomes of each kind by itself: all "
                "statements of both by `--namespace dataset --resolve union`, all rows of both by `--namespace "
                "collection --resolve ours` (or theirs), which says whose count where both changed the same"
            )
            raise Diverged(msg, labels=[*names, *labels])
        if self.resolve in (None, "union"):
            sync.refuse(tables)

    def _names(self) -> list[str]:
        """The datasets that are brought."""
        if self.datasets is None:
            return []
        deleted = self.here.deleted_datasets()
        return self.datasets or [name for name in self.there.datasets() if name not in deleted]

    def _tables(self) -> "list[Step]":
        if self.namespace == DATASET:
            return []
        repo = self.here.collections
        return repo.plan_pull(
            self.there.collections, *self.labels, shallow=self.shallow, namespace=self.namespace
        )


@verb(group, "plan", example="lakehouse collections plan s3://bucket/lake")
def plan(
    call: Call,
    remote: Remote,
    labels: SomeLabels = None,
    shallow: Shallow = False,
    push: Annotated[bool, typer.Option("--push", help="What a push would do, not a pull.")] = False,
    namespace: Kind = None,
) -> None:
    """Tell what a pull would do with each dataset and collection, and how much it would bring. Nothing is changed."""
    here, there = _sides(call, remote, push=push)
    datasets, tables = Exchange.make(here, there, labels, namespace, shallow=shallow).plan()
    if call.as_json:
        size = sum(step.bytes for step in datasets) + sum(step.bytes for step in tables)
        told = {"plan": [_document(step) for step in tables], "datasets": [_told(step) for step in datasets]}
        output.document({**told, "bytes": size})
        return
    columns = ["label", "kind", "state", "versions", "files", "blobs", "size"]
    rows = [*map(_dataset_row, datasets), *map(_row, tables)]
    output.table(columns, rows, numbers=("versions", "files", "blobs", "size"))
    _warn(datasets)


@verb(group, "pull", example="lakehouse collections pull s3://bucket/lake temperature")
def pull(
    call: Call,
    remote: Remote,
    labels: SomeLabels = None,
    shallow: Shallow = False,
    resolve: Whose = None,
    namespace: Kind = None,
) -> int | None:
    """
    Bring the datasets and collections of another lake here: files, rows, versions, labels and deletions.

    Only what is ahead is brought. Where both sides were changed nothing is, unless --resolve says what becomes of it.
    """
    here, there = _sides(call, remote, push=False)
    exchange = Exchange.make(here, there, labels, namespace, resolve=resolve, shallow=shallow)
    with Bar("pulling", shown=not call.quiet) as progress:
        done = exchange.apply(progress)
    return _tell(call, *done, "pulled")


@verb(group, "push", example="lakehouse collections push s3://bucket/lake temperature")
def push(
    call: Call,
    remote: Remote,
    labels: SomeLabels = None,
    shallow: Shallow = False,
    resolve: Whose = None,
    namespace: Kind = None,
) -> int | None:
    """Bring the datasets and collections of this lake to another one, as a pull from there would."""
    here, there = _sides(call, remote, push=True)
    turned = {"ours": "theirs", "theirs": "ours"}
    whose = turned.get(resolve, resolve) if resolve is not None else None
    exchange = Exchange.make(here, there, labels, namespace, resolve=whose, shallow=shallow)
    with Bar("pushing", shown=not call.quiet) as progress:
        done = exchange.apply(progress)
    return _tell(call, *done, "pushed")


def _sides(call: Call, remote: str, *, push: bool) -> "tuple[Lake, Lake]":
    """The lake that is changed, and the one that is read."""
    ours = call.lake()
    theirs = ours.remote(remote)
    return (theirs, ours) if push else (ours, theirs)


def _how(text: str | None) -> "Resolve | None":
    known: dict[str | None, Resolve | None] = {
        None: None,
        "union": "union",
        "ours": "ours",
        "theirs": "theirs",
    }
    if text in known:
        return known[text]
    msg = f"--resolve is union, ours or theirs, not {text!r}"
    raise WrongUsage(msg)


def _tell(call: Call, pulled: "Pulled", synced: "Synced", what: str) -> int | None:
    """Print what was done; 1 when something there was damaged."""
    if call.as_json:
        told = {"collections": list(synced.collections), "datasets": list(pulled.datasets)}
        counts = {"versions": synced.versions + pulled.versions, "files": synced.files + pulled.files}
        blobs = {"blobs_moved": pulled.blobs_moved, "blobs_skipped": pulled.blobs_skipped}
        more = {"same": [*pulled.same, *synced.same], "bytes": synced.bytes + pulled.bytes}
        steps = [_told(step) for step in pulled.steps]
        output.document(
            {**told, **more, **counts, **blobs, "quarantined": list(pulled.quarantined), "steps": steps}
        )
    else:
        for step in pulled.steps:
            if step.name in pulled.datasets:
                output.line(f"{what} {_sentence(step)}")
        for table in synced.steps:
            if table.label in synced.collections:
                state = f"{table.state}, renamed" if table.renamed else table.state
                files = f"{humane.count(len(table.files), 'file')}, {humane.size(table.bytes)}"
                versions = humane.count(len(table.versions), "version")
                output.line(f"{what} {table.label} ({state}): {versions}, {files}")
        if not synced.collections and not pulled.datasets:
            output.line(f"nothing to be {what}: all is the same")
    _warn(pulled.steps)
    for name in pulled.quarantined:
        output.warn(
            f"the file {name} is damaged at its source; its bytes lie in the quarantine, the rest was {what}"
        )
    return 1 if pulled.quarantined else None


def _is_mapping(key: str) -> bool:
    return key.endswith("mapping.yml")


def _sentence(step: "DatasetStep") -> str:
    mappings = sum(map(_is_mapping, step.documents))
    parts = [
        humane.count(step.versions, "version") if step.versions else "",
        humane.count(step.files, "data file") if step.files else "",
        humane.count(step.blobs, "archived file") if step.blobs else "",
        f"exports of {', '.join(step.exports)}" if step.exports else "",
        ", ".join(key for key in step.documents if not _is_mapping(key)),
        humane.count(mappings, "mapping") if mappings else "",
        humane.size(step.bytes),
    ]
    state = "merged" if step.state == "diverged" else step.state
    return f"{step.name} ({state}): {', '.join(part for part in parts if part)}"


def _warn(steps: "list[DatasetStep] | tuple[DatasetStep, ...]") -> None:
    for step in steps:
        if step.conflicts:
            output.warn(f"{step.name}: {', '.join(step.conflicts)} was changed on both sides; ours stays")
        if step.waiting:
            output.warn(
                f"{step.name}: {humane.count(step.waiting, 'statement')} wait in the journal there; flush it first"
            )


def _document(step: "Step") -> dict[str, object]:
    told = {"label": step.label, "state": step.state, "renamed": step.renamed}
    return {**told, "versions": len(step.versions), "files": len(step.files), "bytes": step.bytes}


def _told(step: "DatasetStep") -> dict[str, object]:
    lists = {"conflicts": step.conflicts, "exports": step.exports, "documents": step.documents}
    return {**vars(step), **{name: list(values) for name, values in lists.items()}}


def _row(step: "Step") -> list[str]:
    state = f"{step.state}, renamed" if step.renamed else step.state
    counts = [humane.count(len(step.versions)), humane.count(len(step.files)), ""]
    return [step.label, "collection", state, *counts, humane.size(step.bytes)]


def _dataset_row(step: "DatasetStep") -> list[str]:
    counts = [humane.count(number) for number in (step.versions, step.files, step.blobs)]
    return [step.name, DATASET, step.state, *counts, humane.size(step.bytes)]
