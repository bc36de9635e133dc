"""Leases of machines whose clocks go wrong, and lock files that somebody else lays hands on."""

import fcntl
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import LeaseLost, Locked
from lakehouse_assets.storage.files import GUARD
from lakehouse_assets.storage.holders import Holder
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.location import Location
from tests.clocks import HOUR, elsewhere, hold_elsewhere

processes = multiprocessing.get_context("spawn")

CLOCKS = [-HOUR, 0.0, HOUR]
KINDS = ["exclusive", "shared", "target"]


@pytest.fixture(params=["local", "memory"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "local":
        return Location(tmp_path / "acme")
    return Location(f"memory://{tmp_path.name}/acme")


def leases(location: Location, *, timeout: float = 0.2, seconds: float = 60) -> Leases:
    return Leases(location, timeout=timeout, lease_seconds=seconds, owner="tester")


def put(location: Location, kind: str, holder: Holder) -> None:
    """The files of a holder, as it leaves them when it takes or renews its lease."""
    if kind == "target":
        location.write(layout.target_lock("work"), holder.to_bytes())
        return
    side, lock = layout.WRITE_LOCK, layout.LOCK
    if kind == "shared":
        side, lock = layout.append_holder(holder.token), layout.append_lock(holder.token)
    location.write(side, holder.to_bytes())
    location.write(lock, json.dumps(holder.stamp).encode())


def stop_between_swaps(pid: int, folder: Path) -> None:
    """Stop a process, though not where it keeps a folder to itself: nobody gets past that."""
    while True:
        os.kill(pid, signal.SIGSTOP)
        os.waitpid(pid, os.WUNTRACED)
        try:
            for path in folder.rglob(GUARD):
                with path.open() as guard:
                    fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.01)
        else:
            return


def follow(location: Location, kind: str, timeout: float) -> float:
    """Take the lease that stands against a holder of this kind; returns how long that took."""
    began = time.monotonic()
    ours = leases(location, timeout=timeout)
    with ours.target("work") if kind == "target" else ours.exclusive("follow") as lease:
        lease.check()
    return time.monotonic() - began


@pytest.mark.parametrize("ahead", CLOCKS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_lease_is_not_taken_over_before_its_time_whatever_the_clock_of_its_holder_says(
    location: Location, kind: str, ahead: float
) -> None:
    put(location, kind, elsewhere(seconds=60, ahead=ahead))
    with pytest.raises(Locked, match="tester on elsewhere, process") as error:
        follow(location, kind, timeout=0.2)
    assert error.value.age_seconds is not None
    assert error.value.age_seconds >= 0


@pytest.mark.parametrize("ahead", CLOCKS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_lease_is_taken_over_after_its_time_whatever_the_clock_of_its_holder_said(
    location: Location, kind: str, ahead: float
) -> None:
    put(location, kind, elsewhere(seconds=1.2, ahead=ahead))
    assert 0.2 < follow(location, kind, timeout=30) < 20


@pytest.mark.parametrize("ahead", CLOCKS)
def test_a_note_of_a_reader_lives_as_long_as_it_is_renewed(location: Location, ahead: float) -> None:
    reader = elsewhere(seconds=2, ahead=ahead, name="reader")
    key = f"{layout.READERS}/{reader.token}.json"
    for _ in range(12):
        location.write(key, reader.to_bytes())
        time.sleep(0.2)
        assert [mark.token for mark in leases(location).marks(layout.READERS)] == [reader.token]
    time.sleep(2.1)
    assert leases(location).marks(layout.READERS) == []
    assert not location.exists(key)


def test_a_side_file_that_does_not_say_how_long_it_lives_is_judged_by_its_expiry(location: Location) -> None:
    old = elsewhere(seconds=60, ahead=-HOUR)
    data = json.loads(old.to_bytes())
    del data["seconds"]
    location.write(layout.WRITE_LOCK, json.dumps(data).encode())
    assert follow(location, "exclusive", timeout=1) < 1


@pytest.mark.crash
@pytest.mark.parametrize("ahead", [-HOUR, HOUR])
@pytest.mark.parametrize("kind", KINDS)
def test_a_process_with_a_wrong_clock_keeps_its_lease_while_it_lives_and_loses_it_when_it_stands_still(
    tmp_path: Path, kind: str, ahead: float
) -> None:
    location = Location(tmp_path / "acme")
    child = processes.Process(target=hold_elsewhere, args=(location.uri, {}, kind, ahead, 1.6, str(tmp_path)))
    child.start()
    while not (tmp_path / "ready").exists():
        time.sleep(0.01)
    assert child.pid
    try:
        with pytest.raises(Locked, match="far away"):
            follow(location, kind, timeout=4)
        stop_between_swaps(child.pid, tmp_path)
        assert follow(location, kind, timeout=10) < 8
    finally:
        (tmp_path / "stop").touch()
        os.kill(child.pid, signal.SIGCONT)
        child.join()
    assert (tmp_path / "lost").exists()


@pytest.mark.parametrize("kind", ["exclusive", "shared"])
def test_a_lock_file_that_another_program_removes_is_missed_before_the_commit(
    location: Location, kind: str
) -> None:
    with getattr(leases(location), kind)("work") as lease:
        lease.check()
        # what `ftm-lakehouse maintenance unlock` does
        location.delete(layout.LOCK)
        location.delete_tree(layout.APPEND_LOCKS)
        with pytest.raises(LeaseLost, match="run it again"):
            lease.check()


def test_a_lock_that_another_program_puts_over_ours_is_seen_before_the_commit_and_stays(
    location: Location,
) -> None:
    theirs = b'"2026-11-20T04:08:00.717802+00:00"'
    with leases(location).exclusive("merge") as lease:
        # it looked before we took the lock, and wrote after
        location.write(layout.LOCK, theirs)
        with pytest.raises(LeaseLost):
            lease.check()
    assert location.read(layout.LOCK) == theirs
    with pytest.raises(Locked, match="another program"), leases(location).shared():
        pass


def test_the_age_of_a_file_is_told_by_the_clock_of_the_store(location: Location) -> None:
    assert location.age("a") is None
    location.write("a", b"1")
    first = location.age("a")
    assert first is not None
    assert 0 <= first < 20
    time.sleep(0.3)
    later = location.age("a")
    assert later is not None
    assert 0.2 < later - first < 20
    assert list(location.keys()) == ["a"]
