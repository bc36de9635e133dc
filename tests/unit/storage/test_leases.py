import json
import multiprocessing
import os
import re
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import LeaseLost, Locked
from lakehouse_assets.storage.holders import Holder
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.location import Location

processes = multiprocessing.get_context("spawn")


@pytest.fixture(params=["local", "memory"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "local":
        return Location(tmp_path / "acme")
    return Location(f"memory://{tmp_path.name}/acme")


def leases(location: Location, *, timeout: float = 0.1, seconds: float = 60) -> Leases:
    return Leases(location, timeout=timeout, lease_seconds=seconds, owner="tester")


def assert_locked(ours: Leases, kind: str, name: str) -> Locked:
    with pytest.raises(Locked) as error, getattr(ours, kind)(name):
        pass
    return error.value


def dead_holder(name: str = "write") -> Holder:
    """A holder whose process has just ended."""
    child = processes.Process(target=time.sleep, args=(0,))
    child.start()
    holder = Holder.of_this_process(name, owner="dead", reason="merge", seconds=3600)
    born = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    child.join()
    assert child.pid
    return replace(holder, pid=child.pid, born=born)


def put_exclusive(location: Location, holder: Holder) -> None:
    location.write(layout.WRITE_LOCK, holder.to_bytes())
    location.write(layout.LOCK, json.dumps(holder.stamp).encode())


def test_exclusive_work_shows_both_its_files_and_leaves_no_lock(location: Location) -> None:
    with leases(location).exclusive("merge") as lease:
        lease.check()
        stamp = json.loads(location.read(layout.LOCK))
        side = json.loads(location.read(layout.WRITE_LOCK))
        assert side["stamp"] == stamp
        assert (side["owner"], side["reason"], side["pid"]) == ("tester", "merge", os.getpid())
    assert not location.exists(layout.LOCK)
    assert leases(location).holders() == []


def test_an_append_shows_both_its_files_and_leaves_none(location: Location) -> None:
    with leases(location).shared() as lease:
        assert location.exists(layout.append_lock(lease.holder.token))
        assert location.exists(layout.append_holder(lease.holder.token))
    assert list(location.keys(layout.APPEND_LOCKS)) == []
    assert list(location.keys(layout.LOCKS)) == []


def test_appends_work_side_by_side(location: Location) -> None:
    with leases(location).shared(), leases(location).shared():
        assert len(leases(location).holders()) == 2


def test_exclusive_work_waits_for_an_append_and_says_who_it_is(location: Location) -> None:
    with leases(location).shared(), pytest.raises(Locked) as error, leases(location).exclusive("merge"):
        pass
    assert "tester" in error.value.holder
    assert error.value.age_seconds is not None
    assert "lakehouse unlock --force -d acme" in str(error.value)
    assert leases(location).holders() == []


def test_an_append_waits_for_exclusive_work(location: Location) -> None:
    with leases(location).exclusive("merge"), pytest.raises(Locked, match="merge"), leases(location).shared():
        pass


def test_appends_get_in_between_exclusive_work_that_never_pauses(location: Location) -> None:
    over = threading.Event()

    def merge_again_and_again() -> None:
        while not over.is_set():
            with leases(location, timeout=60).exclusive("merge"):
                time.sleep(0.05)

    mergers = [threading.Thread(target=merge_again_and_again) for _ in range(2)]
    for merger in mergers:
        merger.start()
    try:
        for _ in range(5):
            with leases(location, timeout=3).shared():
                pass
    finally:
        over.set()
        for merger in mergers:
            merger.join()
    assert list(location.keys(layout.WAITING)) == []


def test_exclusive_work_does_not_wait_long_for_an_append_that_does_not_come(location: Location) -> None:
    with leases(location).mark(layout.WAITING, {"for": "append"}):
        began = time.monotonic()
        with leases(location, timeout=0.3).exclusive("merge"):
            pass
        assert 0.2 < time.monotonic() - began < 20


def test_an_export_has_a_lease_of_its_own(location: Location) -> None:
    ours = leases(location)
    with ours.target("exports/statements.csv"), ours.target("index.json"), ours.shared():
        assert_locked(ours, "target", "exports/statements.csv")
    with ours.target("exports/statements.csv"):
        pass


@pytest.mark.parametrize("kind", ["exclusive", "shared", "target"])
def test_a_lease_is_released_when_the_work_fails(location: Location, kind: str) -> None:
    with pytest.raises(ZeroDivisionError), getattr(leases(location), kind)("name"):
        raise ZeroDivisionError
    with leases(location).exclusive("next"):
        pass


def test_a_dead_process_on_this_machine_is_taken_over_at_once(location: Location) -> None:
    put_exclusive(location, dead_holder())
    with leases(location).exclusive("compact") as lease:
        lease.check()
    assert not location.exists(layout.LOCK)


def test_an_append_clears_what_a_dead_process_left(location: Location) -> None:
    put_exclusive(location, dead_holder())
    with leases(location).shared():
        assert not location.exists(layout.LOCK)


def test_a_dead_append_does_not_hold_off_exclusive_work(location: Location) -> None:
    dead = dead_holder("append")
    location.write(layout.append_holder(dead.token), dead.to_bytes())
    location.write(layout.append_lock(dead.token), json.dumps(dead.stamp).encode())
    with leases(location).exclusive("merge"):
        assert list(location.keys(layout.APPEND_LOCKS)) == []


def test_a_reused_process_number_is_not_the_holder(location: Location) -> None:
    holder = Holder.of_this_process("write", owner="other", reason="merge", seconds=3600)
    put_exclusive(location, replace(holder, born="1"))
    with leases(location).exclusive("merge"):
        pass


def test_another_machine_is_taken_over_only_after_expiry(location: Location) -> None:
    holder = Holder.of_this_process("write", owner="other", reason="merge", seconds=1.6)
    put_exclusive(location, replace(holder, machine="elsewhere", host="elsewhere", pid=1))
    with pytest.raises(Locked, match="elsewhere"), leases(location).exclusive("merge"):
        pass
    with leases(location, timeout=20).exclusive("merge"):
        pass


@pytest.mark.parametrize("kind", ["exclusive", "shared"])
def test_a_lock_of_another_program_is_never_broken(location: Location, kind: str) -> None:
    location.write(layout.LOCK, b'"2026-11-20T04:08:00.717802+00:00"')
    error = assert_locked(leases(location), kind, "merge")
    assert re.search(r"another program for \d+ s.*unlock --force -d acme", str(error))
    assert error.age_seconds is not None
    assert location.exists(layout.LOCK)
    assert [holder.foreign for holder in leases(location).holders()] == [True]


def test_an_append_of_another_program_holds_off_exclusive_work(location: Location) -> None:
    location.write(layout.append_lock("abc"), b'"2026-11-20T04:08:00.717802+00:00"')
    with pytest.raises(Locked, match="another program"), leases(location).exclusive("merge"):
        pass
    assert location.exists(layout.append_lock("abc"))


def test_a_lock_that_another_program_took_after_our_dead_holder_is_not_ours(location: Location) -> None:
    put_exclusive(location, dead_holder())
    location.write(layout.LOCK, b'"2026-11-20T04:08:00.717802+00:00"')
    with pytest.raises(Locked, match="another program"), leases(location).exclusive("merge"):
        pass
    assert location.exists(layout.LOCK)


def test_a_lease_outlives_its_time_by_renewal(location: Location) -> None:
    # a disk that is busy may keep a renewal for a second
    with leases(location, seconds=1.6).exclusive("merge") as lease:
        time.sleep(4)
        lease.check()


@pytest.mark.parametrize("kind", ["exclusive", "shared", "target"])
def test_a_broken_lease_is_noticed_before_the_commit(location: Location, kind: str) -> None:
    with getattr(leases(location), kind)("name") as lease:
        broken = leases(location).break_all()
        assert [holder.token for holder in broken] == [lease.holder.token]
        with pytest.raises(LeaseLost, match="run it again"):
            lease.check()


def test_a_lost_holder_leaves_the_next_ones_lock_alone(location: Location) -> None:
    with leases(location).exclusive("late"):
        leases(location).break_all()
        next_one = Holder.of_this_process("write", owner="next", reason="merge", seconds=60)
        put_exclusive(location, next_one)
    assert Holder.from_bytes(location.read(layout.WRITE_LOCK)) == next_one
    assert location.exists(layout.LOCK)


def test_breaking_removes_every_lock_and_names_the_holders(location: Location) -> None:
    location.write(layout.LOCK, b'"2026-11-20T04:08:00.717802+00:00"')
    location.write(layout.append_lock("abc"), b'"2026-11-20T04:08:00.717802+00:00"')
    assert [holder.name for holder in leases(location).break_all()] == ["write", "append"]
    with leases(location).exclusive("merge"):
        pass


def test_notes_exclude_nobody_and_those_of_the_dead_vanish(location: Location) -> None:
    dead = dead_holder("reader")
    location.write(f"{layout.READERS}/{dead.token}.json", dead.to_bytes())
    with leases(location).mark(layout.READERS, {"version": "7"}), leases(location).exclusive("vacuum"):
        assert [mark.details for mark in leases(location).marks(layout.READERS)] == [{"version": "7"}]
    assert list(location.keys(layout.READERS)) == []


# real processes on one disk


def _hold(kind: str, folder: str, log: str, rounds: int) -> None:
    ours = Leases(Location(folder), timeout=60, lease_seconds=30)
    for _ in range(rounds):
        with getattr(ours, kind)(kind) as lease:
            _note(log, f"+{kind}")
            time.sleep(0.002)
            lease.check()
            _note(log, f"-{kind}")


def _note(log: str, text: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{text}\n".encode())
    os.close(descriptor)


def _run(*work: tuple[str, int], folder: Path, log: Path) -> None:
    children = [
        processes.Process(target=_hold, args=(kind, str(folder), str(log), rounds)) for kind, rounds in work
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * len(children)


def test_processes_never_overlap(tmp_path: Path) -> None:
    log = tmp_path / "log"
    _run(*[("exclusive", 25)] * 3, *[("shared", 25)] * 3, folder=tmp_path / "acme", log=log)
    writing = appending = 0
    lines = log.read_text().splitlines()
    assert len(lines) == 300
    for line in lines:
        step = 1 if line[0] == "+" else -1
        writing += step if line[1:] == "exclusive" else 0
        appending += step if line[1:] == "shared" else 0
        assert writing == 0 or (writing == 1 and appending == 0)


def _hold_for_ever(kind: str, folder: str, ready: str) -> None:
    with getattr(Leases(Location(folder), timeout=5, lease_seconds=3600), kind)("work"):
        Path(ready).touch()
        time.sleep(60)


@pytest.mark.crash
@pytest.mark.parametrize("kind", ["exclusive", "shared", "target"])
def test_a_killed_holder_is_followed_at_once(tmp_path: Path, kind: str) -> None:
    ready = tmp_path / "ready"
    child = processes.Process(target=_hold_for_ever, args=(kind, str(tmp_path / "acme"), str(ready)))
    child.start()
    while not ready.exists():
        time.sleep(0.01)
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    # not joined: the dead process is a zombie still, as it is below a parent that does not care
    time.sleep(0.05)
    with leases(Location(tmp_path / "acme"), timeout=20).exclusive("merge") as lease:
        lease.check()
    with leases(Location(tmp_path / "acme"), timeout=20).target("work"):
        pass
    child.join()


def _take_over(folder: str, log: str) -> None:
    with Leases(Location(folder), timeout=30, lease_seconds=30).exclusive("take over") as lease:
        _note(log, "+")
        time.sleep(0.02)
        lease.check()
        _note(log, "-")


@pytest.mark.crash
def test_of_many_that_take_over_only_one_works_at_a_time(tmp_path: Path) -> None:
    location = Location(tmp_path / "acme")
    put_exclusive(location, dead_holder())
    log = tmp_path / "log"
    children = [
        processes.Process(target=_take_over, args=(str(tmp_path / "acme"), str(log))) for _ in range(6)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert log.read_text().split() == ["+", "-"] * 6


def _stand_still(folder: str, ready: str, go: str, log: str) -> None:
    with Leases(Location(folder), timeout=5, lease_seconds=0.5).exclusive("work") as lease:
        Path(ready).touch()
        while not Path(go).exists():
            time.sleep(0.01)
        try:
            lease.check()
        except LeaseLost:
            _note(log, "lost")


@pytest.mark.crash
def test_a_holder_that_stood_still_learns_that_it_was_taken_over(tmp_path: Path) -> None:
    ready, go, log = tmp_path / "ready", tmp_path / "go", tmp_path / "log"
    child = processes.Process(
        target=_stand_still, args=(str(tmp_path / "acme"), str(ready), str(go), str(log))
    )
    child.start()
    while not ready.exists():
        time.sleep(0.01)
    assert child.pid
    os.kill(child.pid, signal.SIGSTOP)
    location = Location(tmp_path / "acme")
    with leases(location, timeout=20).exclusive("merge") as lease:
        go.touch()
        os.kill(child.pid, signal.SIGCONT)
        child.join()
        lease.check()
        assert location.exists(layout.LOCK)
    assert log.read_text() == "lost\n"
