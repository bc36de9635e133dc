"""
Bringing what a remote place has here: files first, then the log, and the registry last.

A copy of a collection has its id and its log. So it is known by its id, whatever its label, and what is missing here is
known by the numbers of versions. Only what is ahead is brought: where both were changed, nothing is, before somebody
says what is to count. A pull that is interrupted leaves files that nobody sees; the next one finds them and goes on.
"""

import hashlib
import logging
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from lakehouse_assets import layout
from lakehouse_assets.collections.commits import DataFile, Snapshot
from lakehouse_assets.collections.log import MOVED, DeltaLog
from lakehouse_assets.collections.registry import Entry
from lakehouse_assets.errors import Damaged, Diverged, InvalidData, NotFound, StorageError
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel

if TYPE_CHECKING:
    from lakehouse_assets.collections.repo import Repo

log = logging.getLogger(__name__)

# so many files are asked for one by one, instead of listing all
_FEW = 100
# so many bytes at most has a file of which many are in memory at a time
_SMALL = 1 << 20

Resolve = Literal["ours", "theirs"]
"""Whose rows count where both sides changed the same ones."""

State = Literal["new", "behind", "same", "ahead", "trimmed", "diverged", "conflict", "deleted", "merged"]
"""
How a collection here stands to the one there.

`trimmed` is behind a remote that has forgotten the versions between; `conflict` is another one of its label, or two new
labels of one.
"""


@dataclass(frozen=True)
class Step:
    """What is to be done with one collection: which versions and files are brought, and how many bytes."""

    label: str
    state: State
    remote: Entry
    local: Entry | None = None
    versions: tuple[int, ...] = ()
    files: tuple[DataFile, ...] = ()
    renamed: bool = False
    shallow: bool = False

    @property
    def bytes(self) -> int:
        """The bytes of the files that are brought."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Synced:
    """What was brought: collections, versions, files and bytes; and the labels that were left as they are."""

    collections: tuple[str, ...] = ()
    versions: int = 0
    files: int = 0
    bytes: int = 0
    same: tuple[str, ...] = ()
    steps: tuple[Step, ...] = field(default=(), repr=False)


def plan(
    here: "Repo", there: "Repo", labels: Sequence[str], *, namespace: str, shallow: bool = False
) -> list[Step]:
    """What a pull would do, by label; NotFound when the remote has no such collection."""
    remote = [entry for entry in there.registry.entries() if entry.namespace == namespace]
    local = [entry for entry in here.registry.entries() if entry.namespace == namespace]
    wanted = {label.strip() for label in labels}
    known = {entry.uid: entry for entry in local}
    there_is = {
        entry.label for entry in remote if entry.is_live or _is_gone_there(entry, known.get(entry.uid))
    }
    if missing := sorted(wanted - there_is):
        msg = f"there is no collection {', '.join(map(repr, missing))} in {there.uri}; `ls` lists those that are there"
        raise NotFound(msg)
    steps = []
    for entry in remote:
        ours = known.get(entry.uid)
        if wanted and entry.label not in wanted:
            continue
        if ours is not None and _is_gone_here(entry, ours):
            if wanted:
                msg = f"{entry.label!r} was deleted here; bring it back by `undelete`, then pull again"
                raise InvalidData(msg)
            continue
        if entry.is_live or _is_gone_there(entry, ours):
            steps.append(_step(here, there, entry, ours, local, shallow=shallow))
    return steps


def apply(here: "Repo", there: "Repo", steps: Sequence[Step]) -> Synced:
    """
    Do what is planned; Diverged before anything is changed when a collection was changed on both sides.

    Damaged, at the end, when a file is not what its log says: its collection stays as it was, as a version that lacks
    a file cannot be read, and the others are brought.
    """
    refuse(steps)
    todo = [step for step in steps if step.state not in ("same", "ahead") or step.renamed]
    damaged: list[Damaged] = []
    for step in list(todo):
        try:
            if step.state == "trimmed":
                replace_table(here, there, step)
            elif step.state in ("new", "behind"):
                bring(here.location / _path(step), there.location / step.remote.path, step)
        except Damaged as exc:
            damaged.append(exc)
            todo.remove(step)
    brought = [step for step in todo if step.state != "merged"]
    if brought:
        here.registry.change(lambda entries: registered(entries, brought), operation="PULL")
    here.refresh()
    done = Synced(
        tuple(step.label for step in todo),
        sum(len(step.versions) for step in todo),
        sum(len(step.files) for step in todo),
        sum(step.bytes for step in todo),
        tuple(step.label for step in steps if step not in todo),
        tuple(steps),
    )
    log.info("%s from %s: %s collections, %s files", here.uri, there.uri, len(todo), done.files)
    if damaged:
        told = "; ".join(str(exc) for exc in damaged)
        msg = f"{told}. {len(todo)} other collections were brought"
        raise Damaged(msg)
    return done


def replace_table(here: "Repo", there: "Repo", step: Step) -> None:
    """Bring all that the remote has into a new table, which takes the place of the one here."""
    if step.local is None:
        return
    path = new_path()
    bring(here.location / path, there.location / step.remote.path, replace(step, state="new", shallow=False))
    old = DeltaLog(here.location / step.local.path)
    if old.mark(old.snapshot().version) != DeltaLog(there.location / step.remote.path).mark(
        old.snapshot().version
    ):
        raise _changed_meanwhile(step)
    move_to(here, step, old, old.snapshot(), path)


def new_path() -> str:
    """The folder of a new table."""
    return f"{layout.LAKE_COLLECTIONS}/{uuid.uuid4().hex}"


def move_to(here: "Repo", step: Step, old: DeltaLog, head: Snapshot, path: str) -> None:
    """Let a collection go on in another table; Conflict when it was changed since its version `head`."""
    local = step.local
    # from here on nobody writes to the old table
    old.commit(head, operation=MOVED, info={"movedTo": path})

    def edit(entries: list[Entry]) -> list[Entry]:
        if local not in entries:
            raise _changed_meanwhile(step)
        return [replace(entry, path=path) if entry == local else entry for entry in entries]

    here.registry.change(edit, operation="MOVE")


def _changed_meanwhile(step: Step) -> Diverged:
    msg = f"{step.label!r} was changed by somebody else during the pull; pull again"
    return Diverged(msg, labels=[step.label])


def refuse(steps: Sequence[Step]) -> None:
    """Raise what stands in the way of a pull."""
    taken = [step.label for step in steps if step.state == "conflict"]
    if taken:
        msg = (
            f"{', '.join(map(repr, taken))}: another collection has that label here, or both sides renamed it; "
            "nothing was changed, rename one of them"
        )
        raise Diverged(msg, labels=taken)
    apart = [step.label for step in steps if step.state == "diverged"]
    if apart:
        msg = (
            f"{', '.join(map(repr, apart))}: changed here and there, so neither is a later state of the other; "
            "nothing was changed. Pull with resolve='theirs' or 'ours' (--resolve): both sides' changes are kept, "
            "and that says whose rows count where both changed the same ones"
        )
        raise Diverged(msg, labels=apart)


def registered(entries: list[Entry], steps: Sequence[Step]) -> list[Entry]:
    """The registry with what was brought."""
    found = {entry.uid: entry for entry in entries}
    for step in steps:
        ours = found.get(step.remote.uid)
        if ours is None:
            found[step.remote.uid] = step.remote
        elif step.remote.changes > ours.changes:
            found[step.remote.uid] = replace(step.remote, path=ours.path)
    live = [(entry.namespace, entry.label) for entry in found.values() if entry.is_live]
    for each in {one for one in live if live.count(one) > 1}:
        msg = f"{each[1]!r}: here is another collection of that label by now; rename one of them, and pull again"
        raise Diverged(msg, labels=[each[1]])
    return list(found.values())


def _is_gone_there(entry: Entry, ours: Entry | None) -> bool:
    return not entry.is_live and ours is not None and ours.is_live and ours.changes < entry.changes


def _is_gone_here(entry: Entry, ours: Entry) -> bool:
    return entry.is_live and not ours.is_live and ours.changes > entry.changes


def _path(step: Step) -> str:
    return step.local.path if step.local is not None else step.remote.path


def _step(
    here: "Repo", there: "Repo", entry: Entry, ours: Entry | None, local: Sequence[Entry], *, shallow: bool
) -> Step:
    other = [each for each in local if each.label == entry.label and each.is_live and each.uid != entry.uid]
    if other and entry.is_live:
        if other[0].schema != entry.schema:
            msg = f"{entry.label!r} has another schema here, {other[0].schema}, than there, {entry.schema}; rename one"
            raise InvalidData(msg)
        return Step(entry.label, "conflict", entry, other[0])
    if ours is not None and ours.changes == entry.changes and _named(ours) != _named(entry):
        return Step(entry.label, "conflict", entry, ours)
    if not entry.is_live:
        return Step(ours.label if ours else entry.label, "deleted", entry, ours)
    source = DeltaLog(there.location / entry.path)
    target = DeltaLog(here.location / (ours.path if ours is not None else entry.path))
    renamed = ours is not None and ours.changes < entry.changes
    step = Step(entry.label, "new" if ours is None else "same", entry, ours, renamed=renamed, shallow=shallow)
    return _compared(step, source, target if ours is not None else None, target)


def _named(entry: Entry) -> tuple[str, bool]:
    return entry.label, entry.is_live


def _compared(step: Step, source: DeltaLog, ours: DeltaLog | None, target: DeltaLog) -> Step:
    """The step with the versions and files that are missing here."""
    first, newest = source.span()
    if ours is None:
        versions = [newest] if step.shallow else list(range(first, newest + 1))
        return with_files(step, "new", source, target, versions)
    head = ours.span()[1]
    common = min(head, newest)
    if source.mark(common) is None or source.mark(common) != ours.mark(common):
        return replace(step, state="diverged")
    if first > head + 1:
        empty = DeltaLog(ours.location / "none")
        return with_files(step, "trimmed", source, empty, list(range(first, newest + 1)))
    missing = list(range(newest, head, -1))[::-1]
    # of a copy of the newest version alone, the earlier ones
    earlier = [] if step.shallow else list(range(first, min(ours.first(), newest)))
    if not missing and not earlier:
        return replace(step, state="ahead" if head > newest else "same")
    return with_files(step, "behind", source, target, [*earlier, *missing])


def with_files(step: Step, state: State, source: DeltaLog, target: DeltaLog, versions: Sequence[int]) -> Step:
    """The step with these versions, and the files of them that the target has not."""
    wanted: dict[str, DataFile] = {}
    start = source.first()
    if versions[0] == start or step.shallow:
        wanted |= source.at(versions[0] if step.shallow and state == "new" else start).files
    if not (step.shallow and state == "new"):
        for commit in source.of(versions):
            wanted |= {file.key: file for file in commit.added}
    there = sizes_of(target.location, wanted)
    files = tuple(file for key, file in sorted(wanted.items()) if there.get(key) != file.size)
    return replace(step, state=state, versions=tuple(versions), files=files)


def sizes_of(folder: Location, keys: Collection[str]) -> dict[str, int]:
    """How large these files are, those of them that are there."""
    if len(keys) > _FEW:
        return {entry.key: entry.size for entry in folder.entries()}
    sizes = in_parallel(folder.size, keys)
    return {key: size for key, size in zip(keys, sizes, strict=True) if size is not None}


def bring(here: Location, there: Location, step: Step) -> None:
    """Copy the files and versions of a step from the folder of one table to that of another."""
    # nobody knows of them before the log does
    small = [file for file in step.files if file.size <= _SMALL]
    here.write_unseen(in_parallel(lambda file: (file.key, _read(there, file)), small))
    large = (file for file in step.files if file.size > _SMALL)
    for _ in in_parallel(lambda file: copy_file(there, here, file), large):
        pass
    source, target = DeltaLog(there), DeltaLog(here)
    head = max(step.versions, default=-1)
    start = source.first()
    ours = -1 if step.state == "new" else target.span()[1]
    later = [version for version in step.versions if version > ours]
    earlier = [version for version in step.versions if version <= ours]
    if step.state == "new" and step.shallow and head > 0:
        source.write_checkpoint(here, head)
    elif step.state == "new" and start > 0:
        source.write_checkpoint(here, start)
    # later versions one after the other, earlier ones the other way round: at no moment is there a gap
    for version in [*later, *reversed(earlier)]:
        data = source.text(version)
        if data is None or not target.adopt(version, data):
            raise _changed_meanwhile(step)
    if earlier and start > 0:
        source.write_checkpoint(here, start)


def copy_file(there: Location, here: Location, file: DataFile) -> None:
    """Copy a file, which appears here whole or not at all, and only if it is what its log says."""
    here.write(file.key, _read(there, file))


def _read(there: Location, file: DataFile) -> bytes:
    data = there.read_or_none(file.key)
    if data is None:
        msg = f"the file {there.url(file.key)} is gone, which a version needs; restore it there, then pull again"
        raise StorageError(msg)
    if len(data) != file.size or (file.digest and hashlib.sha256(data).hexdigest() != file.digest):
        msg = f"the file {there.url(file.key)} is damaged: it is not what its log says; restore it, then pull again"
        raise Damaged(msg)
    return data
