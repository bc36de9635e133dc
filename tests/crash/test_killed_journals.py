"""
Writers and flushes of a journal that are killed (SIGKILL), at random moments and at each step of their work.

Nothing is lost that was confirmed, nothing is there twice, and the next flush goes on at once.
`LAKEHOUSE_CRASH_ROUNDS` says how often each is killed at random.
"""

import os
import signal
import time
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.lake import Lake
from tests.crash.processes import STRESS, Worker, files_on_disk, finish_all, kill_somewhere, seconds_of
from tests.crash.steps import FLUSH, STOP, WRITER
from tests.factories import company, make_dataset, rows_of

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures("long_locks")]

ROUNDS = int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "6"))
COUNT = 300
PATIENCE = 15
"""Seconds that a flush after a kill may take; the lock of a dead process would hold it up for 60."""


@pytest.fixture
def lake(tmp_path):
    make_dataset(tmp_path / "lake").entities.add_many([company("base-0-0")])
    return tmp_path / "lake"


def write(lake, name, origin="mine"):
    """Confirm some entities in two segments, one of another origin."""
    dataset = Lake(lake).dataset("acme")
    ids = set()
    for each in (origin, "othr"):
        with dataset.entities.writer(each) as writer:
            found = [f"{name}-{each}-{number}" for number in range(20)]
            writer.add_many(company(id, name=[id]) for id in found)
        ids |= set(found)
    return ids


def ids_of(dataset):
    return set(rows_of(dataset)["entity_id"])


def rows_held(dataset):
    """How many rows lie in the table, whether or not they count: two for each entity."""
    return sum(state.rows for state in dataset.statements.reader.partitions())


def flush_and_check(lake, confirmed, maybe=()):
    """The next flush ends the work at once; returns which of the doubtful ones were confirmed, all of them or none."""
    dataset = Lake(lake).dataset("acme")
    started = time.monotonic()
    dataset.flush()
    assert time.monotonic() - started < PATIENCE
    found = ids_of(dataset)
    assert found - set(confirmed) in (set(), set(maybe))
    assert set(confirmed) <= found
    assert rows_held(dataset) == 2 * len(found)
    assert all(holder.is_over for holder in dataset.holders())
    assert dataset.statements.journal.waiting() == []
    assert [name for name in dataset.location.names(layout.JOURNAL)] in ([], ["flush.json"])
    return found


def test_a_writer_that_is_killed_at_any_moment_confirmed_all_or_nothing(lake, capsys, chance):
    seconds, finished = seconds_of(lake, "write", f"{COUNT}:warm"), 0
    confirmed = flush_and_check(lake, {"base-0-0"}, {f"warm-0-{number}" for number in range(COUNT)})
    for number in range(ROUNDS):
        ids = {f"r{number}-0-{each}" for each in range(COUNT)}
        ended = kill_somewhere(lake, "write", f"{COUNT}:r{number}", seconds, chance)
        finished += ended
        confirmed = flush_and_check(lake, confirmed | (ids if ended else set()), ids)
    with capsys.disabled():
        print(f"\nwriter: killed {ROUNDS} times, {finished} of them too late")


@pytest.mark.parametrize("step", WRITER)
def test_a_writer_that_is_killed_at_a_step_confirmed_all_or_nothing(lake, step):
    ids = {f"late-0-{each}" for each in range(COUNT)}
    assert Worker(lake, f"write@{step}", f"{COUNT}:late").die()
    found = flush_and_check(lake, {"base-0-0"}, ids)
    assert (ids <= found) == (step in ("it is visible", "its tag is set"))


def test_a_flush_that_is_killed_at_any_moment_loses_and_doubles_nothing(lake, capsys, chance):
    confirmed = {"base-0-0"} | write(lake, "warm")
    seconds, finished = seconds_of(lake, "flush", "-"), 0
    for number in range(ROUNDS):
        confirmed |= write(lake, f"r{number}")
        finished += kill_somewhere(lake, "flush", "-", seconds, chance)
        # some more come in before anybody looks
        confirmed |= write(lake, f"more{number}")
        assert flush_and_check(lake, confirmed) == confirmed
    with capsys.disabled():
        print(f"\nflush: killed {ROUNDS} times, {finished} of them too late")


@pytest.mark.parametrize("step", FLUSH)
def test_a_flush_that_is_killed_at_a_step_is_ended_by_the_next_one(lake, step):
    confirmed = {"base-0-0"} | write(lake, "first")
    assert Worker(lake, f"flush@{step}", "-").die()
    confirmed |= write(lake, "second")
    assert flush_and_check(lake, confirmed) == confirmed


def test_flushes_that_are_killed_one_after_the_other_at_every_step_end_well(lake):
    confirmed = {"base-0-0"} | write(lake, "first")
    # the later flushes have less to do than the first, and may end before they come to their step
    assert any([Worker(lake, f"flush@{step}", "-").die() for step in FLUSH])
    confirmed |= write(lake, "second")
    assert flush_and_check(lake, confirmed) == confirmed


@pytest.mark.parametrize("step", FLUSH)
def test_a_flush_that_stood_still_and_was_overtaken_does_no_harm(lake, step, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_LEASE_SECONDS", "1")
    confirmed = {"base-0-0"} | write(lake, "first")
    slow = Worker(lake, f"flush@{STOP}{step}", "-")
    slow.begin()
    until_it_stands(slow.process.pid)
    confirmed |= write(lake, "second")
    assert flush_and_check(lake, confirmed) == confirmed
    confirmed |= write(lake, "third")
    os.kill(slow.process.pid, signal.SIGCONT)
    slow.finish()
    assert flush_and_check(lake, confirmed) == confirmed
    dataset = Lake(lake).dataset("acme")
    assert files_on_disk(dataset) == sum(state.files for state in dataset.statements.reader.partitions())


def until_it_stands(pid):
    """Wait until a process stands still."""
    until = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "T":
        assert time.monotonic() < until
        time.sleep(0.01)


def test_four_writers_beside_flushes_merges_and_killed_flushes_lose_and_double_nothing(lake, capsys, chance):
    writers = [Worker(lake, "writes", f"{STRESS}:w{number}x") for number in range(4)]
    keepers = [Worker(lake, what, STRESS) for what in ("flushes", "compacts")]
    mortals = [Worker(lake, "flushes", STRESS) for _ in range(3)]
    for worker in (*writers, *keepers):
        worker.begin()
    for mortal in mortals:
        mortal.kill_after(chance.uniform(0.2, STRESS / 4))
    printed = finish_all([*writers, *keepers])
    confirmed = {line for written in printed[:4] for line in written.splitlines() if line.count("-") == 2}
    assert confirmed
    assert flush_and_check(lake, confirmed | {"base-0-0"}) == confirmed | {"base-0-0"}
    moved, compactions = (int(each.split()[0]) for each in printed[4:])
    with capsys.disabled():
        print(
            f"\n{len(confirmed) // 20} segments of 4 writers, {moved} flushed beside {compactions} compactions"
        )
