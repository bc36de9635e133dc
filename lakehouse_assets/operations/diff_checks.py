"""Checks of the differences: whether they lead to the export that is there, and are what they were."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lakehouse_assets import layout
from lakehouse_assets.diffs.deltas import kept_differences
from lakehouse_assets.diffs.kinds import ADD, DEL, MOD, kinds_of
from lakehouse_assets.exports.digests import count_rows
from lakehouse_assets.model.deltas import Deltas, Difference, DiffState
from lakehouse_assets.operations.chains import chains
from lakehouse_assets.operations.findings import Finding, Row
from lakehouse_assets.operations.repositories import Repositories
from lakehouse_assets.storage.compression import decompressing
from lakehouse_assets.storage.digest import digest_of

ASSETS = {"entities_diff": "entities", "documents_diff": "documents"}
"""The assets, and the exports whose differences they are."""

MOST_BYTES = 2_000_000_000
"""So much of what is kept is read by a check, the newest first; of older differences only the size is looked at."""

_DIGITS = 8


@dataclass(frozen=True)
class DiffStatus:
    """
    Where the differences of an export stand.

    `why` is one sentence for people, `states` has by kind how far each chain has come, `versions` what is kept, the
    newest first.
    """

    artifact: str
    fresh: bool
    why: str
    states: Mapping[str, DiffState]
    versions: Sequence[Difference]

    @property
    def version(self) -> str:
        """Another one as soon as something changed: the checksums of the newest differences."""
        last = [state.last.checksum for state in self.states.values() if state.last is not None]
        return "-".join(last) or "none"


def diff_status(parts: Repositories, artifact: str) -> DiffStatus:
    """Where the differences of an export stand; nothing of them is read but what is known of them."""
    states: dict[str, DiffState] = {}
    reasons: list[str] = []
    theirs: list[str] = []
    for kind, chain, made in chains(parts, parts.view(), artifact):
        state = chain.state()
        if state is not None:
            states[kind.name] = state
        if made is not None:
            reasons += [why] if (why := chain.stale(made)) else []
        elif any(parts.location.exists(path) for path in layout.forms(kind.export)):
            theirs.append(f"another program made {kind.export}, and tells what changed in its own way")
        else:
            reasons.append(f"{kind.export} was never made")
    why = "; ".join(reasons or theirs) or "they lead to what is there now"
    return DiffStatus(artifact, not reasons, why, states, kept_versions(parts, artifact))


def kept_versions(parts: Repositories, artifact: str) -> list[Difference]:
    """The differences of an export that delta.json lists, the newest first."""
    deltas = Deltas.load(parts.location.read_or_none(layout.DELTA_INDEX))
    names = {kind.name for kind in kinds_of(artifact)}
    return [version for version in deltas.versions if version.kind in names] if deltas else []


def _is_latest(parts: Repositories, artifact: str) -> Finding:
    status = diff_status(parts, artifact)
    table: list[Row] = [
        {
            "source": kind.export,
            "made from": _short(state.export if (state := status.states.get(kind.name)) else None),
            "now": _short(made.digest if made else None),
            "changed": "no" if state and made and state.export == made.digest else "yes",
        }
        for kind, _, made in chains(parts, parts.view(), artifact)
    ]
    return Finding(status.fresh, {"why": status.why, "versions": len(status.versions)}, table)


def _is_intact(parts: Repositories, artifact: str) -> Finding:
    """Whether what is listed is there with its bytes; what another program added since is only counted."""
    listed = kept_versions(parts, artifact)
    wrong: list[Row] = []
    read = 0
    for version in listed:
        hashes = read < MOST_BYTES
        reason = _wrong(parts, version, hashes=hashes)
        read += version.size if hashes else 0
        wrong += [{"path": version.path, "reason": reason}] if reason else []
    unlisted = set(_there(parts, artifact)) - {version.path for version in listed}
    metadata = {
        "versions": len(listed),
        "bytes_read": read,
        "wrong": len(wrong),
        "not_listed": len(unlisted),
    }
    return Finding(not wrong, metadata, wrong)


def _reconciles(parts: Repositories, artifact: str) -> Finding:
    """Whether the export, its digests and the newest difference count the same; what is stale is not compared."""
    status = diff_status(parts, artifact)
    if not status.fresh or not status.states:
        return Finding(True, {"compared": "no", "why": status.why})
    counts: list[Row] = []
    for kind, _, made in chains(parts, parts.view(), artifact):
        state = status.states.get(kind.name)
        if made is None or state is None:
            continue
        known = count_rows(parts.location, layout.diff_digests(kind.target, made.digest))
        counts.append({"what": f"lines of {kind.export}", "told": made.rows, "counted": known})
        last = state.last
        if last is not None and parts.location.exists(last.path):
            with parts.location.open(last.path) as file:
                ops = Counter(entry.op for entry in kind.form.read(decompressing(file, last.path)))
            told = {ADD: last.added, MOD: last.modified, DEL: last.deleted}
            counts += [{"what": f"{op} in {last.path}", "told": told[op], "counted": ops[op]} for op in told]
    passed = all(count["told"] == count["counted"] for count in counts)
    return Finding(passed, {"compared": "yes", "counts": len(counts)}, [] if passed else counts)


def _wrong(parts: Repositories, version: Difference, *, hashes: bool) -> str | None:
    size = parts.location.size(version.path)
    if size != version.size:
        return "it is gone" if size is None else f"it has {size} bytes, and {version.size} are listed"
    if not hashes:
        return None
    with parts.location.open(version.path) as file:
        checksum, _ = digest_of(file)
    return None if checksum == version.checksum else "it has other bytes than those that are listed"


def _there(parts: Repositories, artifact: str) -> Iterator[str]:
    for kind in kinds_of(artifact):
        for _, path in kept_differences(parts.location, kind):
            yield path


def _short(digest: str | None) -> str:
    return f"{digest[:_DIGITS]}…" if digest else "-"


CHECKS: Mapping[str, Callable[[Repositories, str], Finding]] = {
    "is_latest": _is_latest,
    "intact": _is_intact,
    "reconciles": _reconciles,
}
"""The checks of differences, by name."""

MENDS = {
    "is_latest": "`lakehouse export -d {dataset} {name}`",
    "intact": "`lakehouse export -d {dataset} index --force` lists what is there; who lacks a difference takes the "
    "whole export again",
    "reconciles": "`lakehouse export -d {dataset} {name} --force`",
}
"""What helps when one fails."""
