"""Each step of a job lands in its table exactly once."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from lakehouse_assets import StateStore
from lakehouse_assets.errors import Conflict, LakehouseError, StateConflict, StorageError
from lakehouse_assets.state import StateData
from lakehouse_assets.state.delta import ExactlyOnce
from tests.unit.state.breaking import Breaking, Crash


@pytest.fixture
def place(tmp_path: Path) -> Breaking:
    return Breaking(tmp_path / "state")


@pytest.fixture
def store(place: Breaking) -> StateStore:
    return StateStore(place)


@pytest.fixture
def table(tmp_path: Path) -> DeltaTable:
    return DeltaTable.create(tmp_path / "table", rows().schema)


def rows(*numbers: int) -> pa.Table:
    return pa.table({"n": pa.array(numbers, pa.int64())})


def held(table: DeltaTable) -> list[int]:
    return sorted(DeltaTable(table.table_uri).to_pyarrow_table()["n"].to_pylist())


def reopened(table: DeltaTable) -> DeltaTable:
    return DeltaTable(table.table_uri)


def read_after(source: range, last: object) -> list[int]:
    return [number for number in source if number > int(str(last))]


def run(store: StateStore, table: DeltaTable, source: range) -> bool:
    """What a nightly job does: read what is new, and write it in one step."""
    once = ExactlyOnce(store, reopened(table), dataset="acme")
    with store.session("j") as state:
        new = read_after(source, state.get("last", 0))
        state["last"] = source[-1]
        return once.write(state, rows(*new))


def test_a_step_writes_its_rows_and_then_its_state(store: StateStore, table: DeltaTable) -> None:
    assert run(store, table, range(1, 4))
    assert run(store, table, range(1, 6))
    assert held(table) == [1, 2, 3, 4, 5]
    assert store.get_or_create("j")["last"] == 5


def committed_and_crashed(place: Breaking, store: StateStore, table: DeltaTable, source: range) -> None:
    """A run that commits rows, and is killed before it writes its state."""
    once = ExactlyOnce(store, reopened(table), dataset="acme")
    state = store.get_or_create("j")
    new = read_after(source, state.get("last", 0))
    state["last"] = source[-1]
    # the state of a new job is written before the first commit
    place.break_after(0 if state.epoch else 1)
    with pytest.raises(Crash):
        once.write(state, rows(*new))
    place.mend()


@pytest.mark.parametrize("before", [0, 2])
def test_a_run_after_a_crash_between_commit_and_state_writes_nothing(
    place: Breaking, store: StateStore, table: DeltaTable, before: int
) -> None:
    for number in range(before):
        run(store, table, range(1, number + 2))
    committed_and_crashed(place, store, table, range(1, 6))
    assert store.get_or_create("j").get("last", 0) == before
    assert run(store, table, range(1, 6)) is False
    assert held(table) == [1, 2, 3, 4, 5]
    state = store.get_or_create("j")
    assert (state["last"], state.status) == (5, "completed")
    run(store, table, range(1, 7))
    assert held(table) == [1, 2, 3, 4, 5, 6]


def test_a_run_that_reads_more_than_the_crashed_one_is_sent_back_and_loses_nothing(
    place: Breaking, store: StateStore, table: DeltaTable
) -> None:
    committed_and_crashed(place, store, table, range(1, 4))
    with pytest.raises(StateConflict, match="load the state"):
        run(store, table, range(1, 6))
    assert held(table) == [1, 2, 3]
    assert store.get_or_create("j")["last"] == 3
    run(store, table, range(1, 6))
    assert held(table) == [1, 2, 3, 4, 5]


def chunks(source: range, last: object) -> Iterator[list[int]]:
    new = read_after(source, last)
    return (new[start : start + 2] for start in range(0, len(new), 2))


def run_in_chunks(store: StateStore, table: DeltaTable, source: range) -> None:
    once = ExactlyOnce(store, reopened(table), dataset="acme")
    with store.session("j") as state:
        once.recover(state)
        for chunk in chunks(source, state.get("last", 0)):
            state["last"] = chunk[-1]
            once.write(state, rows(*chunk))


@pytest.mark.parametrize("crash", range(7))
def test_a_run_of_many_steps_goes_on_after_a_crash_at_any_of_them(
    place: Breaking, store: StateStore, table: DeltaTable, crash: int
) -> None:
    place.break_after(crash)
    with pytest.raises(Crash):
        run_in_chunks(store, table, range(1, 10))
    place.mend()
    run_in_chunks(store, table, range(1, 12))
    assert held(table) == list(range(1, 12))


def test_after_a_rollback_other_rows_land_under_the_same_generation(
    store: StateStore, table: DeltaTable
) -> None:
    for completed in (False, True):
        if completed:
            store.complete(store.get_or_create("j"))
        generations = []
        for number in (1, 2):
            once = ExactlyOnce(store, reopened(table), dataset="acme")
            state = store.get_or_create("j")
            state["n"] = number
            assert once.write(state, rows(number))
            generations.append(state.generation)
            store.rollback("j")
        assert generations[0] == generations[1]
    assert held(table) == [1, 1, 2, 2]


def test_after_a_reset_rows_land_again(store: StateStore, table: DeltaTable) -> None:
    run(store, table, range(1, 3))
    store.reset("j")
    run(store, table, range(1, 3))
    assert held(table) == [1, 1, 2, 2]


def test_a_state_written_by_hand_is_counted_from_then_on(
    place: Breaking, store: StateStore, table: DeltaTable
) -> None:
    place.write("j_completed.json", b'{"last": 2}')
    committed_and_crashed(place, store, table, range(1, 5))
    assert run(store, table, range(1, 5)) is False
    assert held(table) == [3, 4]


def test_of_two_runs_at_once_one_commits(store: StateStore, table: DeltaTable) -> None:
    run(store, table, range(1, 3))
    gate, ended = threading.Barrier(2), []

    class Gated(ExactlyOnce):
        """Both look at the table before either commits."""

        def recover(self, data: StateData) -> bool:
            found = super().recover(data)
            gate.wait()
            return found

    def work(number: int) -> None:
        try:
            with store.session("j") as state:
                state["by"] = number
                Gated(store, reopened(table), dataset="acme").write(state, rows(number))
            ended.append(number)
        except StateConflict as exc:
            ended.append(exc.__cause__)

    threads = [threading.Thread(target=work, args=(number,)) for number in (10, 20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    failed = [end for end in ended if isinstance(end, CommitFailedError)]
    won = [end for end in ended if isinstance(end, int)]
    assert (len(failed), len(won)) == (1, 1)
    assert held(table) == [1, 2, *won]
    assert store.get_or_create("j")["by"] == won[0]


def test_a_state_that_somebody_else_wrote_meanwhile_keeps_rows_out(
    store: StateStore, table: DeltaTable
) -> None:
    run(store, table, range(1, 3))
    late = store.get_or_create("j")
    store.update(store.get_or_create("j"))
    with pytest.raises(StateConflict):
        ExactlyOnce(store, table, dataset="acme").write(late, rows(9))
    assert held(table) == [1, 2]


def test_other_writers_of_the_table_do_not_matter(store: StateStore, table: DeltaTable) -> None:
    mine = DeltaTable(table.table_uri)
    write_deltalake(table, rows(100), mode="append")
    once = ExactlyOnce(store, mine, dataset="acme")
    with store.session("j") as state:
        once.write(state, rows(1))
        write_deltalake(reopened(table), rows(200), mode="append")
        state["n"] = 1
        once.write(state, rows(2))
    with store.session("another") as state:
        ExactlyOnce(store, mine, dataset="acme").write(state, rows(3))
    assert held(table) == [1, 2, 3, 100, 200]


def test_rows_can_take_the_place_of_all_others_exactly_once(
    place: Breaking, store: StateStore, table: DeltaTable
) -> None:
    for numbers in ((1, 2), (3,)):
        with store.session("j") as state:
            state["n"] = list(numbers)
            ExactlyOnce(store, table, dataset="acme").write(state, rows(*numbers), mode="overwrite")
    assert held(table) == [3]


def test_a_commit_says_what_the_state_becomes(store: StateStore, table: DeltaTable) -> None:
    run(store, table, range(1, 3))
    state = store.get_or_create("j")
    (entry,) = [entry for entry in reopened(table).history() if "bookmark" in entry]
    assert '"data": {"last": 2}' in entry["bookmark"]
    assert reopened(table).transaction_version(f"acme:j:{state.epoch}") == 2


def test_a_log_that_does_not_go_back_so_far_is_an_error_and_nothing_is_guessed(
    store: StateStore, table: DeltaTable
) -> None:
    state = store.get_or_create("j")
    store.prepare(state)
    bare = CommitProperties(app_transactions=[Transaction(f"acme:j:{state.epoch}", 2)])
    write_deltalake(table, rows(1), mode="append", commit_properties=bare)
    with pytest.raises(Conflict, match="its log does not tell any more"):
        ExactlyOnce(store, table, dataset="acme").write(state, rows(1))
    assert held(table) == [1]


def test_rows_that_do_not_fit_are_an_error_of_ours_and_the_state_stays(
    store: StateStore, table: DeltaTable
) -> None:
    state = store.get_or_create("j")
    with pytest.raises(LakehouseError, match="nothing was committed") as caught:
        ExactlyOnce(store, table, dataset="acme").write(state, pa.table({"other": [1]}))
    assert isinstance(caught.value, StorageError)
    assert held(table) == []
    assert ExactlyOnce(store, table, dataset="acme").write(state, rows(1))
