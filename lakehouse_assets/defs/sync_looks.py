"""How the collections of this lake stand to those of others: looked at again only where something changed."""

import hashlib
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lakehouse_assets.collections.repo import DATASET
from lakehouse_assets.defs.numbers import human_size
from lakehouse_assets.defs.shared_names import Shared
from lakehouse_assets.defs.sync_work import Direction, why
from lakehouse_assets.errors import InvalidData, LakehouseError, NotFound
from lakehouse_assets.lake import Lake
from lakehouse_assets.operations.findings import CheckResult, Row
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.options import CONNECT_TIMEOUT, MAX_RETRIES, TIMEOUT

log = logging.getLogger(__name__)

IN_SYNC = "in_sync"
WAYS: tuple[Direction, ...] = ("pull", "push")

_SAME = ("same", "ahead")
_APART = ("diverged", "conflict")
_NOTHING = "-"
_DIGITS = 8
_MOST_NAMED = 50
# a look must not take the minute that Dagster gives it
_PATIENCE = {CONNECT_TIMEOUT: "3", TIMEOUT: "8", MAX_RETRIES: "0"}
_SECONDS_TO_LOOK = 10.0


@dataclass(frozen=True)
class State:
    """How one side of a collection stands to the other; `bytes` are to be brought, in so many versions, if known."""

    name: str
    versions: int = 0
    bytes: int = 0

    @property
    def waits(self) -> bool:
        """Whether there is something to be brought, or nothing can be."""
        return self.name not in _SAME

    @property
    def is_apart(self) -> bool:
        """Whether somebody has to say what is to count."""
        return self.name in _APART

    def write(self) -> str:
        """As a cursor holds it."""
        return f"{self.name}:{self.versions}:{self.bytes}"

    @classmethod
    def read(cls, text: str) -> "State | None":
        """What `write` gave; None for a collection that is not there to be brought."""
        name, _, rest = text.partition(":")
        versions, _, size = rest.partition(":")
        return None if name == _NOTHING else cls(name, int(versions or 0), int(size or 0))


@dataclass(frozen=True)
class Pair:
    """A collection and another lake; `sign` changes when it changes on either side, `states` are by direction."""

    remote: str
    shared: Shared
    sign: str
    states: Mapping[Direction, State] = field(default_factory=dict)

    @property
    def partition(self) -> str:
        """The partition that brings it."""
        return self.shared.at(self.remote)

    def write(self) -> str:
        """As a cursor holds it."""
        told = (self.states[way].write() if way in self.states else _NOTHING for way in WAYS)
        return " ".join((self.sign, *told))


@dataclass(frozen=True)
class Comparison:
    """All pairs, those of lakes that do not answer as they were seen last; and how many were not looked at yet."""

    pairs: Sequence[Pair] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    left: int = 0

    def waiting(self, way: Direction) -> list[Pair]:
        """Those of which something waits to be brought, or cannot be; what was never pushed is not missed there."""
        found = (pair for pair in self.pairs if way in pair.states and pair.states[way].waits)
        return [pair for pair in found if not (way == "push" and pair.states[way].name == "new")]

    def partitions(self, way: Direction) -> list[str]:
        """What can be brought in a direction."""
        return sorted(pair.partition for pair in self.pairs if way in pair.states)


def compare(
    lake: Lake, remotes: Sequence[str], seen: Mapping[str, str], *, seconds: float = math.inf
) -> Comparison:
    """
    Compare this lake with others; nothing is changed.

    What looks like it did when it was `seen` is not compared again; nothing is begun after so many seconds.
    """
    until = time.monotonic() + seconds
    pairs: list[Pair] = []
    failed: dict[str, str] = {}
    left = 0
    ours = _signs(lake) if remotes else {}
    for remote in remotes:
        try:
            there = _patient(lake, remote)
            theirs = _signs(there)
        except LakehouseError as exc:
            failed[remote] = str(exc)
            pairs += _seen(remote, seen)
            continue
        for shared in sorted({*ours, *theirs}):
            before = seen.get(shared.at(remote), "")
            sign = _sign(ours.get(shared, ""), theirs.get(shared, ""))
            if before.split(" ", 1)[0] == sign:
                pairs.append(_read(remote, shared, before))
            elif time.monotonic() > until:
                left += 1
                pairs += [_read(remote, shared, before)] if before else []
            else:
                found = _pair(
                    lake, there, remote, shared, sign, is_here=shared in ours, is_there=shared in theirs
                )
                left += found is None
                pairs += [found] if found is not None else []
    return Comparison(pairs, failed, left)


def in_sync(found: Comparison, asset: str, way: Direction) -> CheckResult:
    """Whether nothing waits to be brought in a direction."""
    waiting = found.waiting(way)
    apart = [pair for pair in waiting if pair.states[way].is_apart]
    told: Mapping[str, int | float | str] = {
        "compared": sum(way in pair.states for pair in found.pairs),
        "waiting": len(waiting),
        "apart": len(apart),
        "bytes": sum(pair.states[way].bytes for pair in waiting),
        "unreachable": len(found.failed),
    }
    rows: list[Row] = [_row(pair, way) for pair in waiting[:_MOST_NAMED]]
    rows += [
        {"lake": remote, "collection": "", "state": "unreachable", "why": why_not, "size": ""}
        for remote, why_not in found.failed.items()
    ]
    return CheckResult(
        asset=asset,
        check=IN_SYNC,
        passed=not waiting and not found.failed,
        severity="ERROR" if apart else "WARN",
        metadata=told,
        table=rows,
        mend=_mend(waiting, apart, way),
    )


def _row(pair: Pair, way: Direction) -> Row:
    state = pair.states[way]
    return {
        "lake": pair.remote,
        "collection": pair.shared.partition,
        "state": state.name,
        "why": why(state.name, way, state.versions),
        "size": human_size(state.bytes) if state.bytes else "",
    }


def _mend(waiting: Sequence[Pair], apart: Sequence[Pair], way: Direction) -> str:
    bring = f"materialise these partitions, or `lakehouse collections {way} REMOTE`"
    if not apart:
        return bring if waiting else ""
    others = " (the others as they are)" if len(apart) < len(waiting) else ""
    named = ", ".join(f"`{pair.partition}`" for pair in apart[:3])
    config = f"`resolve: ours` or `theirs` in the run config, of datasets also `union`{others}"
    return f"materialise {named} with {config}; of two of one label, rename one"


def _patient(lake: Lake, name: str) -> Lake:
    """Another lake by its name, for a quick look: one that does not answer holds nothing up for long."""
    there = lake.remote(name)
    there.location = Location(there.uri, {**there.location.storage_options, **_PATIENCE})
    return there


def _signs(lake: Lake) -> dict[Shared, str]:
    """Of each collection and dataset a text that changes when it may have changed; "" where there was no time."""
    tables = {Shared(entry.label, entry.namespace): text for entry, text in lake.collections.signs().items()}
    names = lake.datasets()
    signs = lake.signs(names, seconds=_SECONDS_TO_LOOK)
    return tables | {Shared(name, DATASET): signs.get(name, "") for name in names}


def _sign(ours: str, theirs: str) -> str:
    return hashlib.sha256(f"{ours}\n{theirs}".encode()).hexdigest()[:_DIGITS]


def _read(remote: str, shared: Shared, text: str) -> Pair:
    sign, *told = text.split(" ")
    states = {way: State.read(each) for way, each in zip(WAYS, told, strict=False)}
    return Pair(remote, shared, sign, {way: state for way, state in states.items() if state is not None})


def _seen(remote: str, seen: Mapping[str, str]) -> Iterator[Pair]:
    """The pairs of a lake as they were seen last."""
    for key, text in seen.items():
        name, _, rest = key.partition("/")
        if name == remote:
            yield _read(remote, Shared.of(rest), text)


def _pair(
    lake: Lake, there: Lake, remote: str, shared: Shared, sign: str, *, is_here: bool, is_there: bool
) -> Pair | None:
    try:
        return Pair(
            remote, shared, sign, dict(_states(lake, there, shared, is_here=is_here, is_there=is_there))
        )
    except LakehouseError as exc:
        log.warning("%s of %s is left out: %s", shared.partition, remote, exc)
        return None


def _states(
    lake: Lake, there: Lake, shared: Shared, *, is_here: bool, is_there: bool
) -> Iterator[tuple[Direction, State]]:
    sides: dict[Direction, tuple[Lake, Lake, bool, bool]] = {
        "pull": (lake, there, is_here, is_there),
        "push": (there, lake, is_there, is_here),
    }
    for way, (target, source, is_at_target, is_at_source) in sides.items():
        look = _dataset if shared.is_dataset else _table
        found = look(target, source, shared, is_at_target=is_at_target, is_at_source=is_at_source)
        if found is not None:
            yield way, found


def _table(
    target: Lake, source: Lake, shared: Shared, *, is_at_target: bool, is_at_source: bool
) -> State | None:
    try:
        steps = target.collections.plan_pull(source.collections, shared.label, namespace=shared.namespace)
    except NotFound:
        # it was never there, or has another label by now
        return None
    except InvalidData:
        # both have one of that label with other columns; or it was deleted where it would be brought to
        return State("conflict") if is_at_target and is_at_source else None
    for step in steps:
        name = "renamed" if step.renamed and step.state in _SAME else step.state
        return State(name, len(step.versions), step.bytes)
    return None


def _dataset(
    target: Lake, source: Lake, shared: Shared, *, is_at_target: bool, is_at_source: bool
) -> State | None:
    if not is_at_source:
        return None
    if not is_at_target:
        return State("new")
    step = target.glance(source, shared.label)
    return State(step.state, step.versions)
