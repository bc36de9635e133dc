"""Whatever is put in whichever order, and wherever a writer dies, a checkpoint holds what a list would."""

import time
from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.checkpoints import CheckpointScope, CheckpointStore
from lakehouse_assets.storage.location import Location

PARTS = st.sampled_from(["a", "B", "~z", None])
STEPS = st.lists(
    st.tuples(st.sampled_from(["whole", "part", "die at whole", "die at part"]), PARTS), max_size=9
)


class Died(Exception):
    pass


class Dying(Location):
    """A place where somebody dies right before the deletion of an old file, or right after the move of one."""

    dies = False

    def delete(self, key: str) -> bool:
        if self.dies:
            raise Died
        return super().delete(key)

    def move(self, key: str, to: str) -> None:
        super().move(key, to)
        if self.dies:
            raise Died


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> type[Dying]:
    """The place of all checkpoints."""
    monkeypatch.setattr("lakehouse_assets.checkpoints.polars_backend.Location", Dying)
    return Dying


def put(store: CheckpointStore[pl.LazyFrame], number: int, part: str | None, *, append: bool) -> bool:
    """Put one row; False when the writer died."""
    frame = pl.LazyFrame({"id": [number]})
    try:
        store.put("x", run_id="r", scope=CheckpointScope.RUN, data=frame, append=append, part=part)
    except Died:
        return False
    return True


def check(steps: list[tuple[str, str | None]], dying: type[Dying]) -> None:
    store: CheckpointStore[pl.LazyFrame] = CheckpointStore(f"memory://model/{time.monotonic_ns()}")
    model: dict[object, int] = {}
    for number, (what, part) in enumerate(steps):
        append = what.endswith("part")
        dying.dies = what.startswith("die")
        done = put(store, number, part if append else None, append=append)
        dying.dies = False
        if append and done:
            model[part or object()] = number
        elif not append:
            # it counts from the moment it is there, also when the parts could not be deleted
            model = {object(): number}
        found = store.get("x", run_id="r").collect()["id"].to_list() if model else []
        assert sorted(found) == sorted(model.values())


@pytest.fixture
def run(dying: type[Dying]) -> Callable[[list[tuple[str, str | None]]], None]:
    @settings(max_examples=150, deadline=None)
    @given(STEPS)
    def run_all(steps: list[tuple[str, str | None]]) -> None:
        check(steps, dying)

    return run_all


def test_a_checkpoint_holds_what_was_put_wherever_a_writer_died(run: Callable[[], None]) -> None:
    run()
