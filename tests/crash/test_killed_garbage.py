"""Garbage of datasets is collected by processes that are killed, while others store again what is about to go."""

import io
import multiprocessing
import os
import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.lake import Lake
from lakehouse_assets.storage.garbage import Clock
from tests.factories import company

pytestmark = pytest.mark.crash

ROUNDS = int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "4"))
CONTENTS = 12

# forked from a process that has loaded what is slow to load and starts no threads, so that a kill is cheap
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(
    ["polars", "pyarrow.parquet", "lakehouse_assets.lake", "tests.crash.test_killed_garbage"]
)


def text(number: int) -> bytes:
    return f"content {number}".encode()


def all_is_old() -> None:
    """From now on in this process, every file is so old that it may go."""
    Clock.now = datetime.now(UTC) + timedelta(days=2)  # type: ignore[assignment,method-assign]


def store_for_ever(root: str, log: str, seed: int) -> None:
    """Store and forget contents; what is confirmed is written down after it was, what goes before."""
    chance, archive = random.Random(seed), Lake(root).dataset("acme").archive
    held: dict[int, str] = {}
    with Path(log).open("a") as told:
        while True:
            number = chance.randrange(CONTENTS)
            if number in held:
                told.write(f"-{number}\n")
                told.flush()
                checksum = held.pop(number)
                for file in archive.get_all_files(checksum):
                    archive.delete(file.id, checksum)
            else:
                stored = archive.put(io.BytesIO(text(number)), key=f"{number}.txt")
                held[number] = stored.file.checksum
                told.write(f"+{number}\n")
                told.flush()


def collect_for_ever(root: str, begun: str) -> None:
    all_is_old()
    lake = Lake(root)
    while True:
        lake.gc(0)
        Path(begun).touch()


def delete_for_ever(root: str, begun: str) -> None:
    all_is_old()
    lake = Lake(root)
    for number in range(100_000):
        name = f"d{os.getpid()}_{number}"
        lake.create_dataset(name).import_entities([company()], trusted=True)
        lake.delete_dataset(name)
        if number % 3 == 2:
            lake.undelete_dataset(name)
        lake.gc(0)
        Path(begun).touch()


def start(work: object, *args: object) -> "multiprocessing.process.BaseProcess":
    child = processes.Process(target=work, args=args, daemon=True)  # type: ignore[arg-type]
    child.start()
    return child


def kill_when_begun(child: "multiprocessing.process.BaseProcess", begun: Path, seconds: float) -> None:
    until = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(seconds)
    assert child.is_alive(), f"it died by itself: {child.exitcode}"
    child.kill()
    child.join()


def test_what_is_stored_while_garbage_is_collected_is_never_lost(
    tmp_path: Path, chance: random.Random
) -> None:
    lake = Lake(tmp_path / "lake")
    acme = lake.create_dataset("acme")
    begun, seen = tmp_path / "begun", Counter[str]()
    for turn in range(ROUNDS * 2):
        begun.unlink(missing_ok=True)
        log = tmp_path / f"log{turn}"
        log.touch()
        # what the last round held is forgotten by nobody: it stays for ever
        for file in list(acme.archive.files()):
            acme.archive.delete(file.id, file.checksum)
        storer = start(store_for_ever, str(lake.location.path), str(log), chance.randrange(1 << 30))
        collector = start(collect_for_ever, str(lake.location.path), str(begun))
        kill_when_begun(collector, begun, chance.uniform(0.05, 0.5))
        storer.kill()
        storer.join()
        last = {line[1:]: line[0] for line in log.read_text().splitlines()}
        seen.update(line[0] for line in log.read_text().splitlines())
        held = {int(number) for number, sign in last.items() if sign == "+"}
        for number in held:
            checksum = _checksum(number)
            assert acme.archive.open(checksum).read() == text(number)
        aside = sum(key.endswith("aside") for key in acme.location.keys(layout.ARCHIVE))
        seen["aside"] += aside
        lake.gc(0)
        for number in held:
            assert acme.location.read(layout.blob(_checksum(number))) == text(number)
    assert lake.check_references().passed
    print(f"{ROUNDS * 2} kills; {seen['+']} stored, {seen['-']} forgotten, {seen['aside']} left aside")


def _checksum(number: int) -> str:
    import hashlib

    return hashlib.sha256(text(number)).hexdigest()


def _is_unborn(path: Path) -> bool:
    """Whether a file is of a dataset whose making was killed before it was one."""
    return "versions" in path.parts or path.name.startswith(".tmp-")


def test_a_kill_at_any_moment_of_a_removal_leaves_datasets_whole_or_going(
    tmp_path: Path, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(tmp_path / "lake")
    begun, seen = tmp_path / "begun", Counter[str]()
    for _ in range(ROUNDS * 2):
        begun.unlink(missing_ok=True)
        child = start(delete_for_ever, str(lake.location.path), str(begun))
        kill_when_begun(child, begun, chance.uniform(0, 0.6))
        for name in lake.datasets():
            dataset = lake.dataset(name)
            # the last one may have been killed before its import
            assert dataset.status().entities in (0, 1)
            seen["whole"] += 1
        seen["deleted"] += len(lake.deleted_datasets())
    monkeypatch.setattr(Clock, "now", datetime.now(UTC) + timedelta(days=2))
    for name in lake.datasets():
        lake.delete_dataset(name)
    monkeypatch.setenv("LAKEHOUSE_LOCK_TIMEOUT", "60")
    for _ in range(2):
        lake.gc(0)
    assert (lake.datasets(), lake.deleted_datasets()) == ([], {})
    # one that is killed as its last step may leave folders, and the guards of swaps in them
    left = [
        path
        for path in (tmp_path / "lake").glob("d*/**/*")
        if path.is_file() and path.name != ".guard" and not _is_unborn(path)
    ]
    print(f"{ROUNDS * 2} kills, after which there were {dict(seen)}; {len(left)} files that nobody knows")
    assert left == []
