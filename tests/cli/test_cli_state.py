"""`lakehouse state`."""

import json
from pathlib import Path

import pytest

from lakehouse_assets import StateStore
from tests.cli.calling import Lakehouse


@pytest.fixture
def states(acme: Lakehouse, folder: Path) -> StateStore:
    """The states of acme: orders is completed and was changed since, crawl never was completed."""
    store = StateStore(folder / "data" / "acme" / "state")
    with store.session("orders", run_id="run-1") as state:
        state["last_id"] = 1
    for job in ("orders", "crawl s3://b/x"):
        state = store.get_or_create(job, run_id="run-2")
        state["last_id"] = 2
        store.update(state)
    return store


def test_jobs_are_listed_with_what_they_wrote(acme: Lakehouse, states: StateStore) -> None:
    shown = acme("state", "ls", "-d", "acme").out.splitlines()
    assert shown[0].split() == ["job", "state", "generation", "keys", "written"]
    assert shown[1].startswith("crawl s3://b/x  unfinished           1     1  20")
    assert shown[2].startswith("orders          unfinished           2     1  20")
    listed = acme("state", "ls", "-d", "acme", "--json").json
    assert listed["dataset"] == "acme"
    assert [
        (state["job"], state["status"], state["generation"], state["keys"]) for state in listed["states"]
    ] == [
        ("crawl s3://b/x", "running", 1, 1),
        ("orders", "running", 2, 1),
    ]


def test_a_state_is_shown_as_it_is_now_and_as_it_was_completed(acme: Lakehouse, states: StateStore) -> None:
    first, _, rest = acme("state", "show", "orders", "-d", "acme").out.partition("\n")
    assert first.startswith("orders: unfinished, generation 2, written 20")
    assert first.endswith("Z by run run-2")
    assert json.loads(rest) == {"last_id": 2}
    told = acme("state", "show", "orders", "--completed", "-d", "acme", "--json").json
    assert (told["status"], told["generation"], told["run_id"], told["data"]) == (
        "completed", 1, "run-1", {"last_id": 1},
    )  # fmt: skip
    never = acme("state", "show", "crawl s3://b/x", "--completed", "-d", "acme")
    assert never.code == 1
    assert "was never completed" in never.err


def test_an_unfinished_state_is_taken_for_complete(acme: Lakehouse, states: StateStore) -> None:
    told = acme("state", "complete", "orders", "-d", "acme")
    assert (told.code, told.out.startswith("orders: completed, generation 3")) == (0, True)
    last = states.last_completed("orders")
    assert last is not None
    assert last["last_id"] == 2


def test_a_rollback_goes_back_to_what_was_completed(acme: Lakehouse, states: StateStore) -> None:
    told = acme("state", "rollback", "orders", "-d", "acme", "--json")
    assert (told.json["status"], told.json["generation"]) == ("completed", 1)
    assert states.get_or_create("orders")["last_id"] == 1
    told = acme("state", "rollback", "crawl s3://b/x", "-d", "acme")
    assert told.out == "crawl s3://b/x: no state, it starts from nothing\n"


def test_a_reset_forgets_a_state(acme: Lakehouse, states: StateStore) -> None:
    assert acme("state", "reset", "orders", "-d", "acme").out == "orders: no state, it starts from nothing\n"
    assert states.jobs() == ["crawl s3://b/x"]


def test_a_state_that_cannot_be_read_is_named_and_can_be_left(
    acme: Lakehouse, states: StateStore, folder: Path
) -> None:
    file = folder / "data" / "acme" / "state" / "orders_running.json"
    file.write_text("{")
    listed = acme("state", "ls", "-d", "acme")
    assert (listed.code, str(file) in listed.err) == (3, True)
    assert listed.out.splitlines()[2].split() == ["orders", "corrupt"]
    told = acme("state", "ls", "-d", "acme", "--json")
    assert (told.code, told.json["states"][1]["status"]) == (3, "corrupt")
    assert acme("state", "show", "orders", "-d", "acme").code == 1
    assert acme("state", "rollback", "orders", "-d", "acme").code == 0
    assert acme("state", "show", "orders", "-d", "acme").out.startswith("orders: completed, generation 1")


def test_the_lake_has_states_of_its_own(acme: Lakehouse, states: StateStore, folder: Path) -> None:
    assert acme("state", "ls", "--json").json == {"dataset": None, "states": []}
    with StateStore(folder / "data" / ".lakehouse" / "state").session("nightly"):
        pass
    assert acme("state", "ls").out.splitlines()[1].split()[:2] == ["nightly", "completed"]
    assert acme("dataset", "ls", "--json").json["datasets"] == ["acme"]


@pytest.mark.parametrize("verb", ["show", "complete", "rollback", "reset"])
def test_a_job_without_a_state_is_named_with_what_to_do(acme: Lakehouse, verb: str) -> None:
    told = acme("state", verb, "nope", "-d", "acme")
    assert (told.code, told.out) == (1, "")
    assert "'nope' has no state" in told.err
    assert "`lakehouse state ls -d acme`" in told.err


def test_a_state_written_by_hand_is_shown_as_such(acme: Lakehouse, folder: Path) -> None:
    (folder / "data" / "acme" / "state").mkdir()
    (folder / "data" / "acme" / "state" / "orders_completed.json").write_text('{"last_id": 7}')
    assert acme("state", "show", "orders", "-d", "acme").out.startswith(
        "orders: completed, generation 0, written by hand\n"
    )
