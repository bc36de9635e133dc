"""How the collections of this lake stand to those of others."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lakehouse_assets.collections.repo import DATASET, Repo
from lakehouse_assets.defs.numbers import human_size
from lakehouse_assets.defs.shared_names import Shared
from lakehouse_assets.defs.sync_work import Direction, why
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.lake import Lake
from lakehouse_assets.operations.findings import CheckResult
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.options import CONNECT_TIMEOUT, TIMEOUT

IN_SYNC = "in_sync"

_SAME = ("same", "ahead")
_APART = ("diverged", "conflict")
_UNREACHABLE = "unreachable"
_DIGITS = 16
_MOST_NAMED = 50
# a look must not take the minute that Dagster gives it
_PATIENCE = {CONNECT_TIMEOUT: "3", TIMEOUT: "8"}


@dataclass(frozen=True)
class Standing:
    """How a collection stands between this lake and another one; `bytes` are to be brought, in so many versions."""

    remote: str
    shared: Shared
    direction: Direction
    state: str
    versions: int = 0
    bytes: int = 0
    renamed: bool = False

    @property
    def partition(self) -> str:
        """The partition that brings it."""
        return self.shared.at(self.remote)

    @property
    def waits(self) -> bool:
        """Whether there is something to be brought, or nothing can be."""
        return self.state not in _SAME or self.renamed

    @property
    def is_apart(self) -> bool:
        """Whether somebody has to say what is to count."""
        return self.state in _APART


@dataclass(frozen=True)
class Look:
    """What a look at another lake found; `failed` says why there was none."""

    remote: str
    standings: Sequence[Standing] = ()
    failed: str = ""

    def of(self, direction: Direction) -> list[Standing]:
        """The collections that can be brought in a direction."""
        return [each for each in self.standings if each.direction == direction]


def patient(lake: Lake, name: str) -> Lake:
    """Another lake by its name, for a quick look: one that does not answer holds nothing up for long."""
    there = lake.remote(name)
    there.location = Location(there.uri, {**there.location.storage_options, **_PATIENCE})
    return there


def sign(lake: Lake) -> str:
    """A short text that is another one as soon as a collection of a lake may have changed."""
    found = [f"{entry.namespace} {entry.label} {text}" for entry, text in lake.collections.signs().items()]
    found.append(str(lake.collections.registry.version()))
    return hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()[:_DIGITS]


def look(lake: Lake, remote: str) -> Look:
    """Compare all collections with those of another lake; nothing is changed."""
    try:
        there = patient(lake, remote)
        ours, theirs = lake.collections, there.collections
        ways: list[tuple[Direction, Repo, Repo]] = [("pull", ours, theirs), ("push", theirs, ours)]
        spaces = sorted({*ours.namespaces(), *theirs.namespaces()} - {DATASET})
        found = [
            Standing(
                remote,
                Shared(step.label, space),
                direction,
                step.state,
                len(step.versions),
                step.bytes,
                step.renamed,
            )
            for space in spaces
            for direction, target, source in ways
            for step in target.plan_pull(source, namespace=space)
        ]
    except LakehouseError as exc:
        return Look(remote, failed=str(exc))
    return Look(remote, found)


def in_sync(looks: Iterable[Look], asset: str, direction: Direction) -> CheckResult:
    """Whether nothing waits to be brought in a direction; what was never pushed is not missed there."""
    looks = list(looks)
    waiting = [
        each
        for found in looks
        for each in found.of(direction)
        if each.waits and not (direction == "push" and each.state == "new")
    ]
    apart = [each for each in waiting if each.is_apart]
    unseen = [found for found in looks if found.failed]
    told: Mapping[str, int | float | str] = {
        "compared": sum(len(found.of(direction)) for found in looks),
        "waiting": len(waiting),
        "apart": len(apart),
        "bytes": sum(each.bytes for each in waiting),
        "unreachable": len(unseen),
    }
    rows = [
        {
            "lake": each.remote,
            "collection": each.shared.partition,
            "state": f"{each.state}, renamed" if each.renamed else each.state,
            "why": why(each.state, direction, each.versions),
            "size": human_size(each.bytes),
        }
        for each in waiting[:_MOST_NAMED]
    ]
    rows += [
        {"lake": found.remote, "collection": "", "state": _UNREACHABLE, "why": found.failed, "size": ""}
        for found in unseen
    ]
    return CheckResult(
        asset=asset,
        check=IN_SYNC,
        passed=not waiting and not unseen,
        severity="ERROR" if apart else "WARN",
        metadata=told,
        table=rows,
        mend=_mend(waiting, apart, direction),
    )


def _mend(waiting: Sequence[Standing], apart: Sequence[Standing], direction: Direction) -> str:
    if apart:
        return (
            f"materialise {', '.join(f'`{each.partition}`' for each in apart[:3])} with `resolve: ours` or `theirs` in "
            "the run config; of two collections of one label, rename one"
        )
    return f"materialise these partitions, or `lakehouse collections {direction} REMOTE`" if waiting else ""
