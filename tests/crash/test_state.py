"""States between real processes: none loses what another wrote, and a dead one holds nobody up."""

import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lakehouse_assets import StateStore
from lakehouse_assets.errors import StateConflict
from lakehouse_assets.state import names
from lakehouse_assets.storage.location import Location

pytestmark = pytest.mark.crash

processes = multiprocessing.get_context("spawn")
ROUNDS = int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "4"))
PATIENCE = 15
"""Seconds that the work after a kill may take; the lease of the dead process would live for an hour."""


def start(work: Callable[..., None], *arguments: object) -> "multiprocessing.process.BaseProcess":
    child = processes.Process(target=work, args=arguments)
    child.start()
    return child


def join(*children: "multiprocessing.process.BaseProcess") -> None:
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * len(children)


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def count(uri: str, options: Mapping[str, str], times: int) -> None:
    """Add one to a number so many times, by updates and completions in turn."""
    store, done = StateStore(uri, options), 0
    while done < times:
        state = store.get_or_create("j")
        state["n"] = int(str(state.get("n", 0))) + 1
        try:
            store.complete(state) if done % 3 == 0 else store.update(state)
            done += 1
        except StateConflict:
            continue


def test_processes_that_try_again_on_conflict_lose_no_increment(tmp_path: Path) -> None:
    join(*[start(count, str(tmp_path), {}, 20) for _ in range(4)])
    assert StateStore(tmp_path).get_or_create("j")["n"] == 80


def write_many(uri: str, rounds: int) -> None:
    store = StateStore(uri)
    state = store.get_or_create("j")
    for number in range(rounds):
        # of changing size, so that a file that is half written shows
        state["n"], state["text"] = number, "x" * (number * 37 % 5000)
        store.complete(state) if number % 5 == 0 else store.update(state)


def test_a_reader_never_sees_half_a_file_or_an_older_state(tmp_path: Path) -> None:
    writer = start(write_many, str(tmp_path), 1000)
    store, last, reads = StateStore(tmp_path), 0, 0
    while writer.is_alive():
        for file in (names.running("j"), names.completed("j")):
            data = Location(tmp_path).read_or_none(file)
            assert data is None or json.loads(data)
        state = store.get_or_create("j")
        assert state.generation >= last
        last, reads = state.generation, reads + 1
        time.sleep(0.0005)
    join(writer)
    assert (store.get_or_create("j").generation, reads > 100) == (1000, True)


class Signal(Location):
    """A place that stands still before the file of a state is written, and tells so."""

    ready = Path()
    seconds = 60.0

    def create(self, key: str, data: bytes) -> bool:
        if "/" not in key and not self.ready.exists():
            self.ready.touch()
            time.sleep(self.seconds)
        return super().create(key, data)


def update_slowly(folder: str, ready: str, seconds: float, lease_seconds: float, told: str) -> None:
    place = Signal(folder)
    place.ready, place.seconds = Path(ready), seconds
    store = StateStore(place, lease_seconds=lease_seconds)
    state = store.get_or_create("j")
    state["by"] = "slow"
    try:
        store.update(state)
    except Exception as exc:
        Path(told).write_text(type(exc).__name__)
        raise SystemExit(0) from exc


def test_a_killed_writer_holds_nobody_up(tmp_path: Path) -> None:
    folder, ready = tmp_path / "state", tmp_path / "ready"
    child = start(update_slowly, str(folder), str(ready), 60, 3600, "")
    wait_for(ready)
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    started = time.monotonic()
    with StateStore(folder, lock_timeout=60).session("j") as state:
        state["by"] = "next"
    # its lease would live for an hour, but it is known to be dead
    assert time.monotonic() - started < PATIENCE
    assert StateStore(folder).get_or_create("j")["by"] == "next"
    child.join()


def test_a_writer_that_stands_still_is_waited_for_until_its_lease_is_over_and_writes_nothing_then(
    tmp_path: Path,
) -> None:
    folder, ready, told = tmp_path / "state", tmp_path / "ready", tmp_path / "told"
    child = start(update_slowly, str(folder), str(ready), 3, 1.5, str(told))
    wait_for(ready)
    assert child.pid
    os.kill(child.pid, signal.SIGSTOP)
    try:
        expires = json.loads((folder / names.lock("j")).read_bytes())["expires"]
        store = StateStore(folder, lock_timeout=20)
        with store.session("j") as state:
            state["by"] = "next"
        assert store.get_or_create("j").updated_at >= expires
    finally:
        os.kill(child.pid, signal.SIGCONT)
        child.join()
    assert told.read_text() in ("LeaseLost", "StateConflict")
    assert store.get_or_create("j")["by"] == "next"


def work_until_killed(folder: str, confirmed: str) -> None:
    store = StateStore(folder)
    with open(confirmed, "w") as log:
        for number in range(100_000):
            state = store.get_or_create("j")
            state["n"] = int(str(state.get("n", 0))) + 1
            store.complete(state) if number % 2 else store.update(state)
            print(state["n"], file=log, flush=True)


def test_what_was_confirmed_before_a_kill_is_there_and_the_next_goes_on_at_once(tmp_path: Path) -> None:
    chance, folder, reached = random.Random(), tmp_path / "state", 0
    for number in range(ROUNDS * 2):
        log = tmp_path / f"log{number}"
        child = start(work_until_killed, str(folder), str(log))
        wait_for(log)
        time.sleep(chance.uniform(0.05, 0.2))
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        confirmed = [int(line) for line in log.read_text().split()]
        reached = max([reached, *confirmed])
        started = time.monotonic()
        state = StateStore(folder).get_or_create("j")
        assert state["n"] in (reached, reached + 1)
        StateStore(folder).complete(state)
        assert time.monotonic() - started < PATIENCE
        reached = int(str(state["n"]))
    assert reached > ROUNDS
