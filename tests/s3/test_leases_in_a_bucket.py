"""Leases of a lake in a bucket: other machines with other clocks, other programs, dead processes."""

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import LeaseLost, Locked
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.location import Location
from tests.clocks import HOUR, elsewhere, hold_elsewhere
from tests.s3.store import Bucket

processes = multiprocessing.get_context("spawn")


@pytest.fixture
def acme(bucket: Bucket) -> Location:
    return bucket.location / "acme"


def leases(location: Location, *, timeout: float = 0.3, seconds: float = 60) -> Leases:
    return Leases(location, timeout=timeout, lease_seconds=seconds)


@pytest.mark.parametrize("ahead", [-HOUR, 0.0, HOUR])
def test_a_lease_lasts_its_time_by_the_clock_of_the_store(acme: Location, ahead: float) -> None:
    holder = elsewhere(seconds=2, ahead=ahead)
    began = time.monotonic()
    acme.write(layout.WRITE_LOCK, holder.to_bytes())
    acme.write(layout.LOCK, json.dumps(holder.stamp).encode())
    with pytest.raises(Locked, match="tester on elsewhere"), leases(acme).shared():
        pass
    with leases(acme, timeout=20).exclusive("merge") as lease:
        # told in whole seconds, and never too early
        assert 1.9 < time.monotonic() - began < 19
        lease.check()
    assert not acme.exists(layout.LOCK)


@pytest.mark.parametrize("ahead", [-HOUR, HOUR])
def test_a_living_process_with_a_wrong_clock_keeps_its_lease(
    acme: Location, tmp_path: Path, ahead: float
) -> None:
    arguments = (acme.uri, acme.storage_options, "exclusive", ahead, 2.0, str(tmp_path))
    child = processes.Process(target=hold_elsewhere, args=arguments)
    child.start()
    while not (tmp_path / "ready").exists():
        time.sleep(0.01)
    try:
        with pytest.raises(Locked, match="far away"), leases(acme, timeout=4).exclusive("merge"):
            pass
    finally:
        (tmp_path / "stop").touch()
        child.join()
    assert (tmp_path / "kept").exists()
    with leases(acme, timeout=5).exclusive("merge"):
        pass


def test_a_lock_of_another_program_is_never_taken_over_and_its_age_is_told(acme: Location) -> None:
    acme.write(layout.LOCK, b'"2020-01-01T00:00:00.000000+00:00"')
    told = r"another program for \d+ s.*unlock --force -d acme"
    with pytest.raises(Locked, match=told) as error, leases(acme).exclusive("merge"):
        pass
    assert error.value.age_seconds is not None
    assert error.value.age_seconds > 5 * 365 * 24 * HOUR
    assert acme.exists(layout.LOCK)


def test_a_lock_file_that_another_program_removes_or_replaces_is_missed(acme: Location) -> None:
    with leases(acme).shared() as lease:
        acme.delete_tree(layout.APPEND_LOCKS)
        with pytest.raises(LeaseLost):
            lease.check()
    with leases(acme).exclusive("merge") as lease:
        acme.write(layout.LOCK, b'"2026-11-20T04:08:00.717802+00:00"')
        with pytest.raises(LeaseLost):
            lease.check()
    assert acme.exists(layout.LOCK)


def _work(uri: str, options: dict[str, str], kind: str, rounds: int, log: str) -> None:
    ours = Leases(Location(uri, options), timeout=90, lease_seconds=30)
    for number in range(rounds):
        with getattr(ours, kind)(kind) as lease:
            _note(log, f"+{kind}")
            time.sleep(0.01)
            lease.check()
            if kind == "exclusive" and number == rounds - 1:
                # dies in the middle of it, and is followed at once
                _note(log, f"-{kind}")
                os.kill(os.getpid(), signal.SIGKILL)
            _note(log, f"-{kind}")


def _note(log: str, text: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{text}\n".encode())
    os.close(descriptor)


@pytest.mark.crash
def test_processes_on_a_bucket_never_overlap_also_when_they_are_killed(
    acme: Location, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    children = [
        processes.Process(target=_work, args=(acme.uri, acme.storage_options, kind, 5, str(log)))
        for kind in ("exclusive", "exclusive", "shared", "shared")
    ]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [-signal.SIGKILL] * 2 + [0] * 2
    writing = appending = 0
    for line in log.read_text().splitlines():
        step = 1 if line[0] == "+" else -1
        writing += step if line[1:] == "exclusive" else 0
        appending += step if line[1:] == "shared" else 0
        assert writing == 0 or (writing == 1 and appending == 0)
    assert (writing, appending) == (0, 0)
    with leases(acme, timeout=5).exclusive("last"):
        pass
    assert leases(acme).holders() == []
