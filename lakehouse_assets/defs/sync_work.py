"""Bringing one collection from another lake, or there, and what came of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lakehouse_assets.collections import Repo
from lakehouse_assets.defs.shared_names import Shared
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.lake import Lake

if TYPE_CHECKING:
    from lakehouse_assets.collections.sync import Step
    from lakehouse_assets.replicas import DatasetStep

Resolve = Literal["refuse", "union", "ours", "theirs"]
Direction = Literal["pull", "push"]
WAYS: tuple[Direction, Direction] = ("pull", "push")

_DIGITS = 16
_WHY = {
    "new": "it was not {target} yet",
    "behind": "what is {source} is ahead: {versions} versions were missing {target}",
    "renamed": "it got another label {source}",
    "same": "both lakes have the same",
    "ahead": "what is {target} is ahead; nothing was brought",
    "trimmed": "the versions between were trimmed away {source}; what is there took the place of what was {target}",
    "merged": "both sides had changed; the changes of both were kept",
    "deleted": "it was deleted {source}",
    "diverged": "both sides changed it since they were the same",
    "conflict": "another one has that label {target}, or both sides gave it a new one",
}


@dataclass(frozen=True)
class Moved:
    """
    What was brought of a collection, and how its two sides stood to each other.

    `blobs` are files of rows, or archived files of a dataset; those that were skipped were there already. `version` is
    that of the copy, empty when it was deleted.
    """

    state: str
    why: str
    version: str = ""
    versions: int = 0
    blobs_moved: int = 0
    blobs_skipped: int = 0
    bytes_moved: int = 0
    seconds: float = 0.0
    quarantined: Sequence[str] = ()


def move(
    lake: Lake,
    remote: Lake,
    shared: Shared,
    *,
    direction: Direction,
    resolve: Resolve = "refuse",
    shallow: bool = False,
) -> Moved:
    """
    Pull a collection from a remote, or push it there.

    Diverged when both sides changed it and `resolve` says nothing else; nothing is changed then.
    """
    if shared.is_dataset:
        return _move_dataset(lake, remote, shared, direction, resolve, shallow=shallow)
    return _move_table(lake.collections, remote.collections, shared, direction, resolve, shallow=shallow)


def why(state: str, direction: Direction, versions: int) -> str:
    """The state of a collection in words."""
    source, target = ("there", "here") if direction == "pull" else ("here", "there")
    return _WHY.get(state, state).format(source=source, target=target, versions=versions)


def _move_dataset(
    lake: Lake, remote: Lake, shared: Shared, direction: Direction, resolve: Resolve, *, shallow: bool
) -> Moved:
    began = time.monotonic()
    bring, target = (lake.pull, lake) if direction == "pull" else (lake.push, remote)
    whose = None if resolve == "refuse" else resolve
    done = bring(remote, shared.label, shallow=shallow, resolve=whose)
    (step,) = done.steps
    state = "merged" if step.state == "diverged" else step.state
    return Moved(
        state,
        _told(state, direction, step, whose),
        _version(target, shared.label),
        done.versions,
        done.blobs_moved + done.files,
        done.blobs_skipped,
        done.bytes,
        time.monotonic() - began,
        done.quarantined,
    )


def _version(lake: Lake, name: str) -> str:
    try:
        return lake.dataset(name).content_version()
    except NotFound:
        # it was deleted, or deleted somewhere before it came here
        return ""


def _told(state: str, direction: Direction, step: "DatasetStep", whose: str | None) -> str:
    """What was done with a dataset, with what is left to people."""
    parts = [why(state, direction, step.versions)]
    if state == "merged" and whose != "union":
        parts = [f"both sides had changed; the statements that count are {whose}"]
    if step.conflicts:
        parts.append(f"changed on both sides, and left: {', '.join(step.conflicts)}")
    if step.waiting:
        source = "there" if direction == "pull" else "here"
        parts.append(f"{step.waiting:,} statements wait in the journal {source}, and were not brought")
    return "; ".join(parts)


def _move_table(
    here: Repo, there: Repo, shared: Shared, direction: Direction, resolve: Resolve, *, shallow: bool
) -> Moved:
    if resolve == "union":
        msg = (
            f"{shared.label!r} is a table of rows: resolve by 'ours' or 'theirs'; the changes of both sides are kept, "
            "and that says whose rows count where both changed the same ones"
        )
        raise InvalidData(msg)
    began = time.monotonic()
    bring = here.pull if direction == "pull" else here.push
    whose = None if resolve == "refuse" else resolve
    (step,) = bring(there, shared.label, shallow=shallow, resolve=whose, namespace=shared.namespace).steps[:1]
    return _moved(here if direction == "pull" else there, shared, step, direction, time.monotonic() - began)


def _moved(target: Repo, shared: Shared, step: "Step", direction: Direction, seconds: float) -> Moved:
    copy = target.collection(shared.label, shared.namespace) if step.state != "deleted" else None
    version, files = "", 0
    if copy is not None:
        head = copy.table.log.snapshot()
        version = (copy.table.log.mark(head.version) or "")[:_DIGITS]
        files = len(head.files)
    return Moved(
        step.state,
        why(step.state, direction, len(step.versions)),
        version,
        len(step.versions),
        len(step.files),
        max(0, files - len(step.files)),
        step.bytes,
        seconds,
    )
