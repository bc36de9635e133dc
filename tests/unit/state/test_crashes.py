"""What a state is after a crash at any point of a write."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse_assets import StateStore
from lakehouse_assets.state import StateData
from tests.unit.state.breaking import Breaking, Crash


@pytest.fixture
def place(tmp_path: Path) -> Breaking:
    return Breaking(tmp_path / "state")


@pytest.fixture
def store(place: Breaking) -> StateStore:
    """C4."""
    made = StateStore(place)
    while (state := made.get_or_create("j")).generation < 4:
        state["n"] = state.generation + 1
        made.complete(state)
    return made


def crash(place: Breaking, act: Callable[[], object], *, after: int) -> None:
    """The act, killed after it changed so many files of the state."""
    place.break_after(after)
    with pytest.raises(Crash):
        act()
    place.mend()


def on_disk(place: Breaking) -> list[tuple[str, int]]:
    """C and R with their generations."""
    found = [
        (key[2].upper(), json.loads(place.read(key))["__state__"]["generation"]) for key in place.states()
    ]
    return sorted(found)


def running(store: StateStore) -> StateData:
    """C4, R5; the state that is completed next."""
    state = store.get_or_create("j")
    state["n"] = 5
    store.update(state)
    state["n"] = 6
    return state


def look(store: StateStore) -> tuple[object, int, str, bool, object]:
    """What the next run finds, and what others rely on."""
    state, last = store.get_or_create("j"), store.last_completed("j")
    return state["n"], state.generation, state.status, state.interrupted, last and last["n"]


def test_before_the_update_the_completed_state_counts(place: Breaking, store: StateStore) -> None:
    state = store.get_or_create("j")
    crash(place, lambda: store.update(state), after=0)
    assert on_disk(place) == [("C", 4)]
    assert look(store) == (4, 4, "completed", False, 4)


def test_after_the_update_the_next_run_goes_on_from_there(place: Breaking, store: StateStore) -> None:
    running(store)
    assert on_disk(place) == [("C", 4), ("R", 5)]
    assert look(store) == (5, 5, "running", True, 4)


def test_before_the_completion_is_written_the_running_state_counts(
    place: Breaking, store: StateStore
) -> None:
    state = running(store)
    crash(place, lambda: store.complete(state), after=0)
    assert on_disk(place) == [("C", 4), ("R", 5)]
    assert look(store) == (5, 5, "running", True, 4)


def test_once_the_completion_is_written_it_counts_although_the_running_file_is_there(
    place: Breaking, store: StateStore
) -> None:
    state = running(store)
    crash(place, lambda: store.complete(state), after=1)
    assert on_disk(place) == [("C", 6), ("R", 5)]
    assert look(store) == (6, 6, "completed", False, 6)
    state = store.get_or_create("j")
    state["n"] = 7
    store.complete(state)
    assert on_disk(place) == [("C", 7)]


def test_after_the_completion_only_the_completed_file_is_there(place: Breaking, store: StateStore) -> None:
    store.complete(running(store))
    assert on_disk(place) == [("C", 6)]
    assert look(store) == (6, 6, "completed", False, 6)


def test_a_running_file_that_cannot_be_removed_is_no_error(
    place: Breaking, store: StateStore, caplog: pytest.LogCaptureFixture
) -> None:
    state = running(store)
    place.refuse_removals = True
    store.complete(state)
    assert on_disk(place) == [("C", 6), ("R", 5)]
    assert look(store) == (6, 6, "completed", False, 6)
    assert "does no harm" in caplog.text


def test_a_rollback_is_done_once_the_epoch_is_another(place: Breaking, store: StateStore) -> None:
    running(store)
    crash(place, lambda: store.rollback("j"), after=0)
    assert look(store) == (5, 5, "running", True, 4)
    crash(place, lambda: store.rollback("j"), after=1)
    assert on_disk(place) == [("C", 4), ("R", 5)]
    assert look(store) == (4, 4, "completed", False, 4)
    state = store.get_or_create("j")
    store.update(state)
    assert look(store) == (4, 5, "running", True, 4)


def test_half_a_reset_leaves_a_state_that_was_there(place: Breaking, store: StateStore) -> None:
    running(store)
    crash(place, lambda: store.reset("j"), after=1)
    assert look(store) == (5, 5, "running", True, None)
    store.reset("j")
    assert store.get_or_create("j").status == "new"


def test_half_a_reset_does_not_bring_back_what_was_completed(place: Breaking, store: StateStore) -> None:
    state = running(store)
    crash(place, lambda: store.complete(state), after=1)
    crash(place, lambda: store.reset("j"), after=1)
    assert look(store) == (6, 6, "completed", False, 6)


def test_who_goes_on_after_a_crash_is_not_disturbed_when_what_is_left_of_it_is_dropped(
    place: Breaking, store: StateStore
) -> None:
    state = running(store)
    crash(place, lambda: store.complete(state), after=1)
    works = store.get_or_create("j")
    store.rollback("j")
    assert on_disk(place) == [("C", 6)]
    store.update(works)
    assert look(store) == (6, 7, "running", True, 6)
