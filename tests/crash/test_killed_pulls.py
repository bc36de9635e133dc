"""Pulls and pushes of datasets that are killed: both lakes stay whole, and the next call goes on."""

import multiprocessing
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import Diverged, StorageError
from lakehouse_assets.lake import Dataset, Lake
from tests.factories import person, rows_of

pytestmark = pytest.mark.crash

ROUNDS = int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "4"))
STRESS = float(os.environ.get("LAKEHOUSE_STRESS_SECONDS", "4"))
EXPORTS = ("statements", "entities", "documents", "statistics")

# forked from a process that has loaded what is slow to load and starts no threads, so that a kill is cheap
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(
    ["duckdb", "followthemoney", "lakehouse_assets.lake", "tests.crash.test_killed_pulls"]
)


def exchange(here: Lake, there: Lake) -> None:
    try:
        here.pull(there)
    except Diverged:
        here.pull(there, resolve="union")


def say(lake: Lake, entity_id: str, said: Path) -> None:
    """Import an entity, and then tell that it is there."""
    lake.dataset("acme").import_entities([person(entity_id)], origin=f"o{len(entity_id) % 3}")
    with said.open("a") as file:
        file.write(f"{entity_id}\n")


def exchange_for_ever(root: str) -> None:
    one, two = Lake(Path(root, "one")), Lake(Path(root, "two"))
    said, begun = Path(root, "said"), Path(root, "begun")
    for number in range(100_000):
        name = f"{os.getpid()}-{number}"
        say(one, f"a{name}", said)
        (Path(root) / "file.txt").write_text(name)
        one.dataset("acme").archive.store(Path(root, "file.txt"), key=f"{number % 5}/{name}.txt")
        if number % 3 == 0:
            one.dataset("acme").make()
            begun.touch()
        if number % 4 == 3:
            one.dataset("acme").merge(force=True)
        exchange(two, one)
        begun.touch()
        say(two, f"b{name}", said)
        if number % 5 == 4:
            say(one, f"c{name}", said)
        exchange(one, two)


def kill_once(root: Path, seconds: float) -> None:
    begun = root / "begun"
    begun.unlink(missing_ok=True)
    child = processes.Process(target=exchange_for_ever, args=(str(root),))
    child.start()
    until = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(seconds)
    child.kill()
    child.join()
    assert begun.exists(), f"it died by itself: {child.exitcode}"


def look(dataset: Dataset) -> None:
    """Every file of the table is there, the archive has whole contents, and what looks fresh is right."""
    rows = rows_of(dataset)
    assert rows["id"].is_duplicated().sum() == 0
    for file in dataset.archive.files():
        with dataset.archive.open(file.checksum) as stream:
            assert len(stream.read()) == file.size
    for name in EXPORTS:
        state = dataset.freshness(name)
        if state.fresh and name == "statements":
            assert state.rows == len(rows)
        if state.fresh:
            before = state.digest
            assert dataset.export(name, force=True, update_index=False).digest == before


def test_a_kill_at_any_moment_of_an_exchange_leaves_both_lakes_whole(
    tmp_path: Path, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_LOCK_TIMEOUT", "60")
    lakes = [Lake(tmp_path / name) for name in ("one", "two")]
    lakes[0].create_dataset("acme").import_entities([person("first")])
    seen = Counter[str]()
    for _ in range(ROUNDS * 2):
        kill_once(tmp_path, chance.uniform(0, 0.6))
        for lake in lakes:
            for name in lake.datasets():
                look(lake.dataset(name))
        (step,) = lakes[1].plan_pull(lakes[0])
        begun = lakes[1].location.exists(f"acme/{layout.REPLICA_BEGUN}")
        seen[f"{step.state}{', in a pull' if begun else ''}"] += 1
    exchange(lakes[1], lakes[0])
    exchange(lakes[0], lakes[1])
    one, two = (lake.dataset("acme") for lake in lakes)
    assert rows_of(one).equals(rows_of(two))
    confirmed = set((tmp_path / "said").read_text().split())
    assert confirmed <= set(rows_of(one)["entity_id"])
    assert {file.key for file in one.archive.files()} == {file.key for file in two.archive.files()}
    assert [step.state for step in lakes[1].plan_pull(lakes[0])] == ["same"]
    for dataset in (one, two):
        dataset.make()
        assert [result for result in dataset.checks() if not result.passed] == []
    print(f"{ROUNDS * 2} kills, {len(confirmed)} entities confirmed, after which the copy was {dict(seen)}")


def pull_once(root: str) -> None:
    Path(root, "begun").touch()
    Lake(Path(root, "two")).pull(Path(root, "one"))


def test_a_new_copy_is_whole_after_any_number_of_kills(tmp_path: Path, chance: random.Random) -> None:
    lake, other = Lake(tmp_path / "one"), Lake(tmp_path / "two")
    acme = lake.create_dataset("acme", title="Acme leak")
    for number in range(8):
        acme.import_entities([person(f"p{number}")])
        for part in range(8):
            (tmp_path / "file.txt").write_text(f"{number}/{part}")
            acme.archive.store(tmp_path / "file.txt", key=f"{number}/{part}.txt")
    acme.make()
    began = time.monotonic()
    Lake(tmp_path / "try").pull(lake)
    seconds = time.monotonic() - began
    seen = Counter[int]()
    for _ in range(ROUNDS * 2):
        child = processes.Process(target=pull_once, args=(str(tmp_path),))
        child.start()
        time.sleep(chance.uniform(0, seconds + 0.2))
        child.kill()
        child.join()
        seen[len(other.datasets())] += 1
        for name in other.datasets():
            assert rows_of(other.dataset(name)).equals(rows_of(acme))
            look(other.dataset(name))
    other.pull(lake)
    copy = other.dataset("acme")
    assert (rows_of(copy).equals(rows_of(acme)), len(list(copy.archive.files()))) == (True, 64)
    copy.make()
    assert [result for result in copy.checks() if not result.passed] == []
    assert other.pull(lake).same == ("acme",)
    print(f"{ROUNDS * 2} kills, the dataset was there after {seen[1]} of them")


def work_until(root: str, what: str, until: float) -> None:
    lake, number = Lake(Path(root, "one")), 0
    acme = lake.dataset("acme")
    while time.time() < until:
        if what == "import":
            acme.import_entities([person(f"n{number}")])
        elif what == "maintain":
            acme.merge(force=True)
            acme.vacuum(force=True)
        else:
            acme.make()
        number += 1


def test_pulls_beside_imports_merges_and_vacuums_are_whole(tmp_path: Path) -> None:
    lake, other = Lake(tmp_path / "one"), Lake(tmp_path / "two")
    lake.create_dataset("acme").import_entities([person("first")])
    until = time.time() + STRESS
    children = [
        processes.Process(target=work_until, args=(str(tmp_path), what, until))
        for what in ("import", "maintain", "make")
    ]
    for child in children:
        child.start()
    seen = Counter[str]()
    while time.time() < until:
        try:
            seen[other.pull(lake).steps[0].state] += 1
        except StorageError as exc:
            # vacuumed after it was planned, before it was held
            seen[f"again: {exc}"] += 1
        copy = other.dataset("acme")
        rows, state = rows_of(copy), copy.freshness("statements")
        assert not state.fresh or state.rows == len(rows)
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    other.pull(lake)
    assert rows_of(other.dataset("acme")).equals(rows_of(lake.dataset("acme")))
    print(f"{sum(seen.values())} pulls: {dict(seen)}")
    assert seen["behind"] > 0
