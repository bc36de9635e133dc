"""Any number of holders of a state, who write, go back, forget and crash, against a model that is one variable."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from lakehouse_assets import StateStore
from lakehouse_assets.errors import StateConflict
from lakehouse_assets.state import StateData
from tests.unit.state.breaking import Breaking, Crash

NEW = "new"
numbers = itertools.count()


@dataclass
class Model:
    """What a job's state is now, what others rely on, and a mark that changes whenever somebody else must load anew."""

    values: dict[str, object] = field(default_factory=dict)
    generation: int = 0
    status: str = NEW
    last: tuple[dict[str, object], int] | None = None
    mark: object = NEW

    def written(self, values: dict[str, object], status: str) -> "Model":
        if status == self.status == "completed" and values == self.values:
            return self
        generation = self.generation + 1
        last = (values, generation) if status == "completed" else self.last
        return Model(values, generation, status, last, next(numbers))

    def rolled_back(self) -> "Model":
        if self.status != "running":
            return self
        if self.last is None:
            return Model()
        return Model(*self.last, "completed", self.last, next(numbers))

    def seen(self) -> tuple[object, ...]:
        return self.values, self.generation, self.status, self.last


@dataclass
class Holder:
    """A run that loaded a state."""

    state: StateData
    mark: object


class States(RuleBasedStateMachine):
    holders = Bundle("holders")

    def __init__(self) -> None:
        super().__init__()
        self.place = Breaking(f"memory://states/{next(numbers)}")
        self.store = StateStore(self.place, lock_timeout=0)
        self.model = Model()

    @rule(target=holders)
    def load(self) -> Holder:
        return Holder(self.store.get_or_create("j"), self.model.mark)

    @rule(holder=holders, key=st.sampled_from("ab"), value=st.integers(0, 1))
    def add(self, holder: Holder, key: str, value: int) -> None:
        holder.state.add_element(key, value)

    @rule(holder=holders, key=st.sampled_from("ab"))
    def remove(self, holder: Holder, key: str) -> None:
        had = key in holder.state
        assert holder.state.remove_element(key) == had

    @rule(holder=holders, status=st.sampled_from(["running", "completed"]))
    def write(self, holder: Holder, status: str) -> None:
        act = self.store.update if status == "running" else self.store.complete
        if holder.mark != self.model.mark:
            with pytest.raises(StateConflict):
                act(holder.state)
            return
        act(holder.state)
        self.model = self.model.written(holder.state.to_dict(), status)
        holder.mark = self.model.mark

    @rule()
    def roll_back(self) -> None:
        self.store.rollback("j")
        self.model = self.model.rolled_back()

    @rule()
    def reset(self) -> None:
        assert self.store.reset("j") == (self.model.status != NEW)
        self.model = Model()

    @rule(holder=consumes(holders), status=st.sampled_from(["running", "completed"]), after=st.integers(0, 1))
    def crash_while_writing(self, holder: Holder, status: str, after: int) -> None:
        act = self.store.update if status == "running" else self.store.complete
        if holder.mark == self.model.mark:
            done = self.model.written(holder.state.to_dict(), status)
            self.crash(lambda: act(holder.state), after, done)

    @rule(after=st.integers(0, 1))
    def crash_while_rolling_back(self, after: int) -> None:
        self.crash(lambda: self.store.rollback("j"), after, self.model.rolled_back())

    @rule(after=st.integers(0, 1))
    def crash_while_resetting(self, after: int) -> None:
        model = self.model
        nobody_relies_on_it = Model(model.values, model.generation, model.status, None, model.mark)
        self.crash(lambda: self.store.reset("j"), after, Model(), nobody_relies_on_it)

    def crash(self, act: Callable[[], object], after: int, *possible: Model) -> None:
        """Either all of it happened, or nothing; nothing at all if not a single file was changed."""
        self.place.break_after(after)
        try:
            act()
        except Crash:
            found = self.look()
            outcomes = [self.model, *(possible if after else [])]
            self.model = next(model for model in outcomes if model.seen() == found)
        else:
            self.model = possible[0]
        self.place.mend()

    def look(self) -> tuple[object, ...]:
        state, last = self.store.get_or_create("j"), self.store.last_completed("j")
        return (
            state.to_dict(),
            state.generation,
            state.status,
            (last.to_dict(), last.generation) if last is not None else None,
        )

    @invariant()
    def is_as_the_model_says(self) -> None:
        assert self.look() == self.model.seen()
        assert self.store.jobs() == ([] if self.model.status == NEW else ["j"])
        assert len(self.place.states()) <= 2


States.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_states_agree_with_a_model = States.TestCase
