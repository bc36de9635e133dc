"""The differences of an export: whether they lead to it, and making them do so."""

import logging
from collections.abc import Callable, Iterator

from lakehouse_assets.diffs.chain import Chain
from lakehouse_assets.diffs.kinds import DiffKind, kinds_of
from lakehouse_assets.exports.base import DatasetView
from lakehouse_assets.model.deltas import DiffState
from lakehouse_assets.operations.repositories import Repositories
from lakehouse_assets.storage.records import Written

log = logging.getLogger(__name__)

Changed = dict[str, int | str]
"""What a run found to have changed: `version`, `added`, `modified`, `deleted`, and the file if there is one."""


def diffs_are_latest(parts: Repositories, artifact: str) -> bool:
    """Whether the differences of an export lead to the file that is there, unless another program wrote that."""
    found = chains(parts, parts.view(), artifact)
    return all(made is None or chain.stale(made) is None for _, chain, made in found)


def digests_are_there(parts: Repositories, artifact: str) -> bool:
    """Whether an export left what its differences are made from."""
    found = chains(parts, parts.view(), artifact)
    return all(made is None or chain.has_digests(made) for _, chain, made in found)


def advance(
    parts: Repositories, view: DatasetView, artifact: str, *, check: Callable[[], None], initial: bool = False
) -> dict[str, Changed]:
    """
    Make the differences lead to an export, and say of each of its files what changed.

    Whoever calls holds the lease of the export; `check` raises when it is lost.
    """
    found: dict[str, Changed] = {}
    for kind, chain, made in chains(parts, view, artifact):
        if made is None:
            continue
        before = chain.state()
        state = chain.advance(made, check=check, initial=initial)
        chain.tidy(made)
        found[kind.name] = changed = _changed(state, before)
        log.info(
            "%s: %s: %s added, %s changed, %s deleted",
            view.dataset, kind.target, changed["added"], changed["modified"], changed["deleted"],
        )  # fmt: skip
    return found


def tidy(parts: Repositories, view: DatasetView, artifact: str) -> None:
    """Remove digests of earlier exports that nothing will be compared with."""
    for _, chain, made in chains(parts, view, artifact):
        if made is not None:
            chain.tidy(made)


def _changed(state: DiffState, before: DiffState | None) -> Changed:
    last = state.last if before is None or before.last != state.last else None
    if last is None:
        return {"version": state.version, "added": 0, "modified": 0, "deleted": 0}
    return {
        "version": state.version,
        "added": last.added,
        "modified": last.modified,
        "deleted": last.deleted,
        "path": last.path,
        "bytes": last.size,
        "digest": last.checksum,
    }


def chains(
    parts: Repositories, view: DatasetView, artifact: str
) -> Iterator[tuple[DiffKind, Chain, Written | None]]:
    """The chains of an export, each with the record of the file that is there; None when another program wrote it."""
    for kind in kinds_of(artifact):
        record = parts.records.get(kind.export)
        if record is not None and parts.location.size(record.path) != record.size:
            record = None
        yield kind, Chain(view, kind), record
