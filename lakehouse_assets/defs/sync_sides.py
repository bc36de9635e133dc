"""Two lakes, and how what one of them has stands to what the other one has."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from lakehouse_assets.collections import Repo
from lakehouse_assets.collections.repo import DATASET
from lakehouse_assets.defs.shared_names import Shared
from lakehouse_assets.defs.sync_work import WAYS, Direction
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.lake import Lake
from lakehouse_assets.storage.deletions import deleted_at

NOTHING = "-"
"""What stands in place of a state where there is none."""

_SAME = ("same", "ahead")
_APART = ("diverged", "conflict")
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
        return None if name == NOTHING else cls(name, int(versions or 0), int(size or 0))


@dataclass(frozen=True)
class Side:
    """
    One of two lakes.

    `signs` has all its collections and datasets, each with a text that changes when it may have changed ("" where there
    was no time to look), `gone` the tables that were deleted.
    """

    lake: Lake
    repo: Repo = field(repr=False)
    signs: Mapping[Shared, str]
    gone: frozenset[Shared]

    @classmethod
    def of(cls, lake: Lake) -> "Side":
        """A lake as it is now."""
        repo, names = lake.collections, lake.datasets()
        tables = {Shared(entry.label, entry.namespace): text for entry, text in repo.signs().items()}
        signs = lake.signs(names, seconds=_SECONDS_TO_LOOK)
        return cls(
            lake,
            repo,
            tables | {Shared(name, DATASET): signs.get(name, "") for name in names},
            frozenset(Shared(entry.label, entry.namespace) for entry in repo.deleted()),
        )

    def has_deleted(self, shared: Shared) -> bool:
        """Whether it is a dataset that was deleted."""
        return shared.is_dataset and deleted_at(self.lake.location, shared.label) is not None


def stand(ours: Side, theirs: Side, shared: Sequence[Shared]) -> dict[Shared, dict[Direction, State]]:
    """How these collections and datasets stand to each other, in both directions; nothing is changed."""
    found: dict[Shared, dict[Direction, State]] = {each: {} for each in shared}
    for way, (target, source) in zip(WAYS, ((ours, theirs), (theirs, ours)), strict=True):
        # what was deleted there can be brought here as a deletion
        there = [
            each for each in shared if each in source.signs or each in source.gone or source.has_deleted(each)
        ]
        for each, state in _states(target, source, there):
            found[each].setdefault(way, state)
    return found


def _states(target: Side, source: Side, shared: Iterable[Shared]) -> Iterator[tuple[Shared, State]]:
    for namespace, some in groupby(
        sorted(shared, key=lambda each: each.namespace), lambda each: each.namespace
    ):
        if namespace == DATASET:
            # what was deleted where it would be brought to stays so
            kept = [each for each in some if each in target.signs or not target.has_deleted(each)]
            yield from ((each, _dataset(target, source, each)) for each in kept)
        else:
            yield from _tables(target, source, list(some))


def _dataset(target: Side, source: Side, shared: Shared) -> State:
    if shared not in target.signs:
        return State("new")
    step = target.lake.glance(source.lake, shared.label)
    return State(step.state, step.versions)


def _tables(target: Side, source: Side, shared: Sequence[Shared]) -> Iterator[tuple[Shared, State]]:
    """The states of tables of one namespace, planned all at once unless one of them cannot be."""
    try:
        steps = target.repo.plan_pull(
            source.repo, *(each.label for each in shared), namespace=shared[0].namespace
        )
    except (NotFound, InvalidData):
        if len(shared) > 1:
            for each in shared:
                yield from _tables(target, source, [each])
        elif shared[0] in source.signs and shared[0] in target.signs:
            # both have one of that label, with other columns
            yield shared[0], State("conflict")
        # else it was deleted where it would be brought to, or both do without it
        return
    for step in steps:
        name = "renamed" if step.renamed and step.state in _SAME else step.state
        yield Shared(step.label, shared[0].namespace), State(name, len(step.versions), step.bytes)
