"""How the collections of this lake stand to those of others: looked at again only where something changed."""

import hashlib
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lakehouse_assets.defs.numbers import human_size
from lakehouse_assets.defs.resources import not_mounted
from lakehouse_assets.defs.shared_names import Shared
from lakehouse_assets.defs.sync_sides import NOTHING, Side, State, stand
from lakehouse_assets.defs.sync_work import WAYS, Direction, why
from lakehouse_assets.errors import LakehouseError, StorageError
from lakehouse_assets.lake import Lake
from lakehouse_assets.operations.findings import CheckResult, Row
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.options import CONNECT_TIMEOUT, MAX_RETRIES, TIMEOUT
from lakehouse_assets.storage.parallel import batches

log = logging.getLogger(__name__)

IN_SYNC = "in_sync"

_DIGITS = 8
_MOST_NAMED = 50
# a look must not take the minute that Dagster gives it
_PATIENCE = {CONNECT_TIMEOUT: "3", TIMEOUT: "8", MAX_RETRIES: "0"}
# so many are compared before the clock is looked at
_CHUNK = 50


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
        told = (self.states[way].write() if way in self.states else NOTHING for way in WAYS)
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
    if not remotes:
        return Comparison()
    until = time.monotonic() + seconds
    pairs: list[Pair] = []
    failed: dict[str, str] = {}
    left = 0
    ours = Side.of(lake)
    for remote in remotes:
        known = {pair.shared: pair for pair in _seen(remote, seen)}
        try:
            there = _patient(lake, remote)
            if any("pull" in pair.states for pair in known.values()):
                _check_there(there)
            theirs = Side.of(there)
            known, missing = _looked(ours, theirs, remote, known, until)
            left += missing
        except StorageError as exc:
            failed[remote] = str(exc)
        pairs += known.values()
    return Comparison(pairs, failed, left)


def _looked(
    ours: Side, theirs: Side, remote: str, before: Mapping[Shared, Pair], until: float
) -> tuple[dict[Shared, Pair], int]:
    """The pairs of a lake, of which those that changed are compared; and how many of these were not."""
    signs = {shared: _sign(ours, theirs, shared) for shared in sorted({*ours.signs, *theirs.signs})}
    known = {shared: before[shared] for shared in signs if shared in before}
    changed = [shared for shared in signs if shared not in known or known[shared].sign != signs[shared]]
    left = 0
    for chunk in batches(changed, _CHUNK):
        states = _stood(ours, theirs, chunk) if time.monotonic() < until else {}
        left += len(chunk) - len(states)
        known |= {shared: Pair(remote, shared, signs[shared], found) for shared, found in states.items()}
    return known, left


def _stood(ours: Side, theirs: Side, chunk: Sequence[Shared]) -> dict[Shared, dict[Direction, State]]:
    """How these stand to each other, without those that cannot be read."""
    try:
        return stand(ours, theirs, chunk)
    except StorageError:
        # no other one would do better
        raise
    except LakehouseError as exc:
        if len(chunk) == 1:
            log.warning("%s is left out: %s", chunk[0].partition, exc)
            return {}
    found: dict[Shared, dict[Direction, State]] = {}
    for each in chunk:
        found |= _stood(ours, theirs, [each])
    return found


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


def _check_there(lake: Lake) -> None:
    """A disk that is not mounted is no lake from which everything is gone."""
    if (reason := not_mounted(lake)) is not None:
        raise StorageError(reason)


def _sign(ours: "Side", theirs: "Side", shared: Shared) -> str:
    text = f"{ours.signs.get(shared, '')}\n{theirs.signs.get(shared, '')}"
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _seen(remote: str, seen: Mapping[str, str]) -> Iterator[Pair]:
    """The pairs of a lake as they were seen last."""
    for key, text in seen.items():
        name, _, rest = key.partition("/")
        if name == remote:
            sign, *told = text.split(" ")
            states = {way: State.read(each) for way, each in zip(WAYS, told, strict=False)}
            kept = {way: state for way, state in states.items() if state is not None}
            yield Pair(remote, Shared.of(rest), sign, kept)
