"""What becomes of the entries of a registry when collections are made, renamed, deleted and brought back."""

from collections.abc import Collection, Sequence
from datetime import datetime

from lakehouse_assets.collections.registry import Entry
from lakehouse_assets.collections.schema import Schema
from lakehouse_assets.errors import InvalidData


def missing(
    entries: Sequence[Entry], schema: Schema, names: Sequence[str], namespace: str, *, raise_if_exists: bool
) -> list[str]:
    """The labels that are still to be made; InvalidData when one is there that must not be."""
    live = _live(entries, namespace)
    there = [name for name in names if name in live]
    if there and raise_if_exists:
        told = ", ".join(map(repr, there))
        msg = f"there is a collection {told} already; take another one (or raise_if_exists=False, --exist-ok)"
        raise InvalidData(msg)
    for name in there:
        if live[name].schema != schema:
            msg = f"the collection {name!r} has another schema, {live[name].schema}, than {schema}; take another label"
            raise InvalidData(msg)
    return [name for name in names if name not in live]


def renamed(entries: Sequence[Entry], old: str, new: str, namespace: str, *, place: str) -> list[Entry]:
    """With another label for a collection; InvalidData when it is not there, or another one has the label."""
    live = _live(entries, namespace)
    if old not in live:
        msg = f"there is no collection {old!r} in {place}; `ls` lists them"
        raise InvalidData(msg)
    if new in live:
        msg = f"there is a collection {new!r} already; take another label, or delete that one first"
        raise InvalidData(msg)
    return [entry.changed(label=new) if entry is live[old] else entry for entry in entries]


def deleted(
    entries: Sequence[Entry], names: Collection[str], namespace: str, *, at: datetime
) -> tuple[list[Entry], list[str]]:
    """With some collections deleted (`at`, UTC), and the labels of those that were there."""
    live = _live(entries, namespace)
    hit = {live[name].uid for name in names if name in live}
    changed = [entry.changed(deleted_at=at) if entry.uid in hit else entry for entry in entries]
    return changed, sorted(name for name in names if name in live)


def undeleted(entries: Sequence[Entry], name: str, namespace: str) -> list[Entry]:
    """With the collection of a label back that was deleted last; InvalidData when there is none, or a new one."""
    named = [entry for entry in entries if entry.namespace == namespace and entry.label == name]
    if any(entry.is_live for entry in named):
        msg = f"there is a collection {name!r}, made after the deletion; rename it first"
        raise InvalidData(msg)
    if not named:
        msg = f"no collection {name!r} was deleted, or `gc` has removed it"
        raise InvalidData(msg)
    last = max(named, key=lambda entry: entry.deleted_at or entry.created)
    return [entry.changed(deleted_at=None) if entry is last else entry for entry in entries]


def _live(entries: Sequence[Entry], namespace: str) -> dict[str, Entry]:
    return {entry.label: entry for entry in entries if entry.namespace == namespace and entry.is_live}
