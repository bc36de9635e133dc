"""What a store of states promises, on local disk, in memory and on S3 alike."""

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_assets import StateData, StateStore
from lakehouse_assets.errors import InvalidData, Locked, StateConflict, StateCorrupt, StorageError
from lakehouse_assets.state import names
from lakehouse_assets.storage.holders import Holder
from lakehouse_assets.storage.location import Location
from tests.crash.test_state import count
from tests.s3.store import Bucket

RUNNING, COMPLETED = "j_running.json", "j_completed.json"


@pytest.fixture(params=["local", "memory", "s3"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "local":
        return Location(tmp_path / "state")
    if request.param == "memory":
        return Location(f"memory://{tmp_path.name}/{time.monotonic_ns()}")
    return request.getfixturevalue("bucket").location


@pytest.fixture
def store(root: Location) -> StateStore:
    return StateStore(root, lock_timeout=5)


def files(root: Location) -> list[str]:
    """The files of states, without locks."""
    return [key for key in root.keys("") if "/" not in key]


def put(root: Location, key: str, content: object) -> None:
    root.write(key, json.dumps(content).encode())


def header(root: Location, key: str) -> dict[str, object]:
    return json.loads(root.read(key))["__state__"]


def at(store: StateStore, status: str, **values: object) -> StateData:
    """The state of j with these values, written so."""
    state = store.get_or_create("j")
    state.update(values)
    store.update(state) if status == "running" else store.complete(state)
    return state


def test_a_new_state_is_empty_and_nothing_is_written(store: StateStore, root: Location) -> None:
    state = store.get_or_create("j")
    assert (dict(state), state.status, state.generation, state.interrupted) == ({}, "new", 0, False)
    assert (state.job, store.jobs(), list(root.keys(""))) == ("j", [], [])


def test_an_update_writes_the_running_file_only(store: StateStore, root: Location) -> None:
    state = at(store, "running", a=[1, None, "ä"])
    content = json.loads(root.read(RUNNING))
    told = content.pop("__state__")
    assert (content, files(root)) == ({"a": [1, None, "ä"]}, [RUNNING])
    assert (told["job"], told["generation"], told["status"], told["schema"]) == ("j", 1, "running", 1)
    assert (told["hash"], told["epoch"]) == (state.hash, state.epoch)
    assert told["updated_at"].endswith("+00:00")
    assert (state.generation, state.status, state.updated_at) == (1, "running", told["updated_at"])


def test_a_completion_leaves_the_completed_file_only(store: StateStore, root: Location) -> None:
    state = at(store, "running", a=1)
    state.add_element("b", 2)
    store.complete(state)
    content = json.loads(root.read(COMPLETED))
    assert (files(root), content["a"], content["b"]) == ([COMPLETED], 1, 2)
    again = store.get_or_create("j")
    assert (dict(again), again.status, again.generation, again.interrupted) == (
        {"a": 1, "b": 2},
        "completed",
        2,
        False,
    )


def test_a_state_can_be_completed_without_an_update(store: StateStore, root: Location) -> None:
    assert at(store, "completed").generation == 1
    assert files(root) == [COMPLETED]


def test_what_only_runs_is_interrupted_and_nobody_relies_on_it(store: StateStore) -> None:
    at(store, "running", a=1)
    state = store.get_or_create("j")
    assert (dict(state), state.status, state.interrupted) == ({"a": 1}, "running", True)
    assert store.last_completed("j") is None


def test_others_read_the_last_completed_state_while_the_job_runs(store: StateStore) -> None:
    at(store, "completed", a=1)
    at(store, "running", a=2)
    last = store.last_completed("j")
    assert last is not None
    assert (last["a"], last.status, last.generation) == (1, "completed", 1)
    with pytest.raises(StateConflict):
        store.update(last)


@pytest.mark.parametrize(
    ("running", "completed", "wanted"),
    [(5, 4, "running"), (4, 4, "completed"), (4, 6, "completed"), (0, 0, "completed")],
)
def test_the_newer_generation_counts_and_not_the_times_of_the_files(
    store: StateStore, root: Location, running: int, completed: int, wanted: str
) -> None:
    for key, generation in ((RUNNING, running), (COMPLETED, completed)):
        put(root, key, {"from": key, "__state__": {"generation": generation, "epoch": "e"}})
    for wrong in (RUNNING, COMPLETED):
        if root.path is not None:
            os.utime(root.path / wrong, (4e9, 4e9))
            os.utime(root.path / ({RUNNING, COMPLETED} - {wrong}).pop(), (1, 1))
        state = store.get_or_create("j")
        assert (state["from"], state.status) == (f"j_{wanted}.json", wanted)


def test_of_two_who_loaded_the_same_the_second_fails_and_writes_nothing(
    store: StateStore, root: Location
) -> None:
    for kind, key in (("update", RUNNING), ("complete", COMPLETED)):
        at(store, "running", n=0)
        first, second = store.get_or_create("j"), store.get_or_create("j")
        first["n"], second["n"] = 1, 2
        getattr(store, kind)(first)
        for late in (store.update, store.complete):
            with pytest.raises(StateConflict, match="load it again") as caught:
                late(second)
            assert (caught.value.expected, caught.value.found) == (second.generation, first.generation)
        assert json.loads(root.read(key))["n"] == 1
        store.reset("j")


def test_an_update_and_a_completion_of_the_same_state_are_never_both_taken(store: StateStore) -> None:
    for one, other in ((store.update, store.complete), (store.complete, store.update)):
        at(store, "completed", n=0)
        first, second = store.get_or_create("j"), store.get_or_create("j")
        first["n"], second["n"] = 1, 2
        one(first)
        with pytest.raises(StateConflict):
            other(second)
        assert store.get_or_create("j")["n"] == 1
        store.reset("j")


def test_of_two_new_states_one_is_written(store: StateStore) -> None:
    first, second = store.get_or_create("j"), store.get_or_create("j")
    store.update(first)
    with pytest.raises(StateConflict):
        store.complete(second)


def test_threads_that_try_again_on_conflict_lose_no_increment(store: StateStore) -> None:
    place = store.location
    threads = [threading.Thread(target=count, args=(place.uri, place.storage_options, 4)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get_or_create("j")["n"] == 12


def test_an_emptied_state_keeps_its_generation(store: StateStore, root: Location) -> None:
    state = at(store, "completed", a=1)
    assert state.remove_element("nope") is False
    state.reset()
    store.update(state)
    assert list(json.loads(root.read(RUNNING))) == ["__state__"]
    assert state.generation == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": NaN}', b'{"__state__": 1}', b"\xff"])
def test_a_file_that_cannot_be_read_is_an_error_and_stays(
    store: StateStore, root: Location, content: bytes
) -> None:
    root.write(COMPLETED, content)
    loose = StateData({"a": 1}, job="j")
    for act in (
        lambda: store.get_or_create("j"),
        lambda: store.last_completed("j"),
        lambda: store.update(loose),
        lambda: store.complete(loose),
    ):
        with pytest.raises(StateCorrupt, match="reset") as caught:
            act()
        assert caught.value.path == root.url(COMPLETED)
    assert (root.read(COMPLETED), files(root)) == (content, [COMPLETED])
    assert store.reset("j")
    assert store.get_or_create("j").status == "new"


@pytest.mark.parametrize(
    "told", [{"generation": "7"}, {"generation": True}, {"generation": -1}, {"schema": 2}, {"epoch": 1}, []]
)
def test_a_file_of_a_later_version_or_with_nonsense_is_not_guessed_at(
    store: StateStore, root: Location, told: object
) -> None:
    put(root, RUNNING, {"a": 1, "__state__": told})
    with pytest.raises(StateCorrupt, match="__state__"):
        store.get_or_create("j")


def test_a_corrupt_running_file_is_left_by_a_rollback(store: StateStore, root: Location) -> None:
    at(store, "completed", a=1)
    root.write(RUNNING, b"{")
    with pytest.raises(StateCorrupt, match="rollback") as caught:
        store.get_or_create("j")
    assert caught.value.path == root.url(RUNNING)
    last = store.last_completed("j")
    assert last is not None
    assert last["a"] == 1
    assert store.rollback("j")["a"] == 1
    assert files(root) == [COMPLETED]


def test_a_file_written_by_hand_is_generation_0(store: StateStore, root: Location) -> None:
    put(root, COMPLETED, {"a": 1})
    before = root.read(COMPLETED)
    state = store.get_or_create("j")
    assert (dict(state), state.generation, state.status) == ({"a": 1}, 0, "completed")
    store.complete(state)
    assert root.read(COMPLETED) == before
    state["a"] = 2
    store.update(state)
    assert store.get_or_create("j")["a"] == 2
    store.complete(state)
    assert (header(root, COMPLETED)["generation"], files(root)) == (2, [COMPLETED])


def test_jobs_with_like_names_have_files_of_their_own(store: StateStore, root: Location) -> None:
    jobs = [
        "a",
        "a_running",
        "a_running.json",
        "a_completed",
        "a/b",
        "a%2Fb",
        "A",
        ".hidden",
        "ä ö",
        "s3://x/y?z",
    ]
    for job in jobs:
        state = store.get_or_create(job)
        state["job"] = job
        store.complete(state)
        store.update(state)
    assert store.jobs() == sorted(jobs)
    assert len(files(root)) == 2 * len(jobs)
    assert [store.get_or_create(job)["job"] for job in jobs] == jobs
    store.reset("a")
    assert store.jobs() == sorted(jobs[1:])
    assert [store.get_or_create(job)["job"] for job in jobs[1:]] == jobs[1:]


@pytest.mark.parametrize("job", ["", ".", ".."])
def test_a_job_needs_a_name(store: StateStore, job: str) -> None:
    for act in (store.get_or_create, store.last_completed, store.rollback, store.reset):
        with pytest.raises(InvalidData, match="cannot be the name of a job"):
            act(job)
    with pytest.raises(InvalidData, match="cannot be the name of a job"):
        store.update(StateData())


def test_a_rollback_goes_back_to_the_completed_state(store: StateStore, root: Location) -> None:
    at(store, "completed", a=1)
    dropped = at(store, "running", a=2)
    state = store.rollback("j")
    assert (dict(state), state.status, state.generation, files(root)) == (
        {"a": 1},
        "completed",
        1,
        [COMPLETED],
    )
    with pytest.raises(StateConflict):
        store.update(dropped)
    state["a"] = 3
    store.update(state)
    # the generation is the same as that of what was dropped
    assert (state.generation, state.epoch == dropped.epoch) == (2, False)
    with pytest.raises(StateConflict):
        store.complete(dropped)


def test_a_rollback_without_anything_to_drop_changes_nothing(store: StateStore, root: Location) -> None:
    assert store.rollback("j").status == "new"
    at(store, "completed", a=1)
    before = root.read(COMPLETED)
    assert store.rollback("j")["a"] == 1
    assert root.read(COMPLETED) == before


def test_a_rollback_before_the_first_completion_leaves_nothing(store: StateStore, root: Location) -> None:
    dropped = at(store, "running", a=1)
    assert (store.rollback("j").status, files(root)) == ("new", [])
    with pytest.raises(StateConflict):
        store.update(dropped)
    assert at(store, "running").epoch != dropped.epoch


def test_a_reset_forgets_everything(store: StateStore, root: Location) -> None:
    assert store.reset("j") is False
    at(store, "completed", a=1)
    forgotten = at(store, "running", a=2)
    assert store.reset("j") is True
    assert (files(root), store.jobs(), store.get_or_create("j").status) == ([], [], "new")
    with pytest.raises(StateConflict):
        store.update(forgotten)
    assert at(store, "running").epoch != forgotten.epoch


def test_a_session_completes_what_it_did(store: StateStore) -> None:
    with store.session("j", run_id="run-1") as state:
        state["a"] = 1
    found = store.get_or_create("j")
    assert (dict(found), found.status, found.run_id) == ({"a": 1}, "completed", "run-1")


def test_a_session_that_fails_leaves_what_it_had_written_and_the_next_goes_on(store: StateStore) -> None:
    def fail() -> None:
        with store.session("j") as state:
            state["a"] = 1
            store.update(state)
            state["a"] = 2
            raise ZeroDivisionError

    at(store, "completed", a=0)
    with pytest.raises(ZeroDivisionError):
        fail()
    with store.session("j") as state:
        assert (dict(state), state.interrupted) == ({"a": 1}, True)


def test_a_session_that_must_not_commit_leaves_the_state_running(store: StateStore) -> None:
    with store.session("j", commit=False) as state:
        store.update(state)
    assert store.get_or_create("j").interrupted


def test_completing_twice_without_a_change_writes_once(store: StateStore, root: Location) -> None:
    state = at(store, "completed", a=1)
    before = root.read(COMPLETED)
    store.complete(state)
    with store.session("j"):
        pass
    assert (root.read(COMPLETED), state.generation) == (before, 1)
    state["a"] = 2
    store.complete(state)
    assert header(root, COMPLETED)["generation"] == 2


def test_what_a_crash_left_is_removed_by_the_next_write(store: StateStore, root: Location) -> None:
    at(store, "running", a=1)
    left = root.read(RUNNING)
    at(store, "completed", a=2)
    root.write(RUNNING, left)
    state = store.get_or_create("j")
    assert (state["a"], state.status) == (2, "completed")
    at(store, "completed", a=3)
    assert files(root) == [COMPLETED]
    # and an update takes its place
    root.write(RUNNING, left)
    at(store, "running", a=4)
    assert store.get_or_create("j")["a"] == 4


def test_who_holds_the_lock_is_waited_for_and_named(root: Location) -> None:
    store = StateStore(root, lock_timeout=0.05)
    other = Holder.of_this_process("state j", owner="other", reason="update", seconds=60)
    root.write(names.lock("j"), other.to_bytes())
    for act in (store.update, store.complete):
        with pytest.raises(Locked, match=r"other on .*\(update\)"):
            act(store.get_or_create("j"))
    for end in (store.rollback, store.reset):
        with pytest.raises(Locked):
            end("j")
    # reading waits for nobody, and other jobs do not either
    assert store.last_completed("j") is None
    with store.session("k"):
        pass


def test_the_lock_of_another_machine_is_taken_over_when_its_lease_is_over_and_not_before(
    root: Location,
) -> None:
    store = StateStore(root, lock_timeout=10)
    state = store.get_or_create("j")
    holder = Holder.of_this_process("state j", owner="other", reason="update", seconds=1)
    taken = time.monotonic()
    root.write(names.lock("j"), replace(holder, machine="elsewhere", host="elsewhere").to_bytes())
    store.update(state)
    assert 0.9 < time.monotonic() - taken < 9


def test_a_late_completion_does_not_hide_what_was_written_meanwhile(root: Location) -> None:
    """Somebody stands still between look and write until the lease is over, and another one updates."""
    patient = StateStore(root, lock_timeout=10)
    for before in ("new", "completed"):
        if before == "completed":
            at(patient, "completed", n=0)
        slow = StateStore(
            Slow(root, names.completed("j"), lambda: at(patient, "running", n=1)), lease_seconds=0.3
        )
        late = slow.get_or_create("j")
        late["n"] = 2
        with pytest.raises(StateConflict):
            slow.complete(late)
        state = patient.get_or_create("j")
        assert (state["n"], state.status) == (1, "running")
        assert (patient.last_completed("j") is None) == (before == "new")
        patient.reset("j")


def test_a_late_update_is_told_that_it_does_not_count(root: Location) -> None:
    patient = StateStore(root, lock_timeout=10)
    at(patient, "completed", n=0)
    slow = StateStore(
        Slow(root, names.running("j"), lambda: at(patient, "completed", n=1)), lease_seconds=0.3
    )
    late = slow.get_or_create("j")
    late["n"] = 2
    with pytest.raises(StateConflict):
        slow.update(late)
    state = patient.get_or_create("j")
    assert (state["n"], state.status) == (1, "completed")


def test_an_answer_that_gets_lost_on_the_way_is_no_conflict(bucket: Bucket) -> None:
    store = StateStore(bucket.location)
    for generation, kind in enumerate(("running", "completed", "completed"), 1):
        bucket.rule(methods=["PUT"], contains=f"j_{kind}", times=1, lose=True)
        state = at(store, kind, n=generation)
        bucket.heal()
        assert (state.generation, store.get_or_create("j").to_dict()) == (generation, {"n": generation})


def test_the_layout_of_amorphic_is_a_folder_of_a_bucket(bucket: Bucket) -> None:
    store = StateStore.from_amorphic_layout(
        "landing", bucket.name, "finance", "orders", username="jane", storage_options=bucket.options
    )
    with store.session("j"):
        pass
    keys = bucket.keys()
    assert "finance/orders/j_completed.json" in keys
    assert (
        header(Location(f"s3://{bucket.name}/finance/orders", bucket.options), COMPLETED)["username"]
        == "jane"
    )
    assert (
        StateStore.from_amorphic_layout(
            lz_bucket="l",
            dlz_bucket="dlz",
            state_domain="d",
            state_dataset="s",
            username=None,
            file_type="csv",
        ).uri
        == "s3://dlz/d/s"
    )


def test_processes_on_s3_lose_no_increment(bucket: Bucket) -> None:
    spawn = multiprocessing.get_context("spawn")
    children = [spawn.Process(target=count, args=(bucket.uri, bucket.options, 4)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    assert StateStore(bucket.location).get_or_create("j")["n"] == 8


class Slow(Location):
    """A place where the write of one file comes late: a lease runs out meanwhile, and others write."""

    def __init__(self, place: Location, key: str, meanwhile: Callable[[], object]) -> None:
        super().__init__(place.uri, place.storage_options)
        self._key, self._meanwhile = key, meanwhile
        self._asleep = False

    def create(self, key: str, data: bytes) -> bool:
        self._sleep(key)
        return super().create(key, data)

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        self._sleep(key)
        return super().swap(key, old, new)

    def _sleep(self, key: str) -> None:
        if self._asleep:
            # nobody renews a lease in his sleep
            raise StorageError("asleep")
        if key == self._key:
            self._key, self._asleep = "", True
            time.sleep(0.4)
            self._meanwhile()
            self._asleep = False
