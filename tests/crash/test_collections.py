"""Collections whose writers are killed: every version is whole, and the next call goes on."""

import json
import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.collections import Repo, Schema
from lakehouse_assets.errors import InvalidData

pytestmark = pytest.mark.crash

ROUNDS = int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "4"))
ROWS = 30_000
SCHEMA = Schema(time="int*", value="int")

# forked from a process that has loaded what is slow to load and starts no threads, so that a kill is cheap
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["polars", "pyarrow.parquet", "tests.crash.test_collections"])


def frame(number: int) -> pl.DataFrame:
    """Rows that all say the same, so that half of them would show."""
    return pl.DataFrame({"time": pl.int_range(ROWS, eager=True)}).with_columns(value=number)


def write_for_ever(root: str, begun: str) -> None:
    collection = Repo(root).get("c")
    for number in range(100_000):
        with collection.multi():
            for name in ("a", "b"):
                (collection / name).write(frame(number))
        if number % 5 == 4:
            collection.defrag(max_chunk=1)
            collection.trim(collection.revisions()[-3].at)
        Path(begun).touch()


def import_for_ever(root: str, begun: str) -> None:
    repo = Repo(root)
    for number in range(100_000):
        repo.import_collections(Path(root).parent / f"files{number % 2}")
        Path(begun).touch()


def register_for_ever(root: str, begun: str) -> None:
    repo = Repo(root)
    for number in range(100_000):
        labels = [f"{os.getpid()}-{number}-{part}" for part in "xy"]
        for made in repo.create_collection(SCHEMA, *labels):
            (made / "s").write({"time": [1], "value": [number]})
        repo.rename(labels[0], f"{labels[0]} renamed")
        repo.delete(labels[1])
        Path(begun).touch()


def collect_for_ever(root: str, begun: str) -> None:
    repo = Repo(root)
    for number in range(100_000):
        made = repo.create_collection(SCHEMA, f"{os.getpid()}-{number}")
        (made / "s").write({"time": [1], "value": [number]})
        repo.delete(made.label)
        kept = repo.get("c")
        (kept / "s").write({"time": list(range(number % 5 + 1)), "value": [number] * (number % 5 + 1)})
        kept.trim(kept.revisions()[-2 if number else -1].at)
        repo.gc(0)
        Path(begun).touch()


def push_for_ever(root: str, begun: str) -> None:
    repo, remote = Repo(root), Repo(f"{root}-remote")
    for number in range(100_000):
        with (made := repo.get("c")).multi():
            for name in ("a", "b"):
                (made / name).write(frame(number))
        if number % 3 == 2:
            # as somebody else may do there
            (remote.get("c") / "c").write({"time": [number], "value": [number]})
        repo.push(remote, resolve="ours")
        repo.pull(remote)
        Path(begun).touch()


def kill_once(work: Callable[[str, str], None], root: Path, seconds: float) -> None:
    begun = root.parent / "begun"
    begun.unlink(missing_ok=True)
    child = processes.Process(target=work, args=(str(root), str(begun)))
    child.start()
    until = time.monotonic() + 60
    while not begun.exists() and time.monotonic() < until:
        time.sleep(0.005)
    time.sleep(seconds)
    child.kill()
    child.join()
    assert begun.exists(), f"it died by itself: {child.exitcode}"


def look(root: Path) -> int:
    """The number that all rows say; an assertion when something is not whole, in any version that is kept."""
    collection = Repo(root).get("c")
    for revision in collection.revisions():
        found = [(collection / name).frame(version=revision.version) for name in ("a", "b")]
        assert [each.height for each in found] in ([ROWS, ROWS], [0, 0])
        assert len({value for each in found for value in each["value"].unique()}) <= 1
    return int((collection / "a").frame()["value"][0])


@pytest.mark.parametrize("work", [write_for_ever, import_for_ever])
def test_a_kill_at_any_moment_leaves_whole_versions(
    tmp_path: Path, work: Callable[[str, str], None], chance: random.Random
) -> None:
    root = tmp_path / "lake"
    repo = Repo(root)
    repo.create_collection(SCHEMA, "c")
    for number in (0, 1):
        folder = tmp_path / f"files{number}" / "c"
        folder.mkdir(parents=True)
        files = {name: f"{name}.csv" for name in ("a", "b")}
        (folder / "_schema.json").write_text(json.dumps({**json.loads(SCHEMA.dumps()), "files": files}))
        for file in files.values():
            frame(number).write_csv(folder / file)
    seen = Counter[int]()
    for _ in range(ROUNDS * 3):
        kill_once(work, root, chance.uniform(0, 0.3))
        seen[look(root)] += 1
        assert pl.read_delta(str(repo.get("c").location.path)).height == 2 * ROWS
    known = {file for version in repo.get("c").table.log.commits() for file in version.removed}
    known |= set(repo.get("c").table.log.snapshot().files)
    lost = [
        name for name in repo.get("c").location.names() if name.endswith(".parquet") and name not in known
    ]
    print(f"{sum(seen.values())} kills, {len(lost)} files that no kept version has")
    assert sum(seen.values()) == ROUNDS * 3


def test_a_kill_at_any_moment_of_a_registry_change_leaves_it_whole(
    tmp_path: Path, chance: random.Random
) -> None:
    root = tmp_path / "lake"
    kills = 0
    for _ in range(ROUNDS * 3):
        kill_once(register_for_ever, root, chance.uniform(0, 0.3))
        repo = Repo(root)
        entries = repo.entries() + repo.entries(deleted=True)
        assert len({entry.label for entry in entries}) == len(entries)
        for collection in repo.search():
            rows = (collection / "s").frame().rows()
            # the last one may have been killed between its creation and its first write
            assert rows in ([], [(1, int(collection.label.split("-")[1]))])
        with pytest.raises(InvalidData):
            repo.create_collection(SCHEMA, repo.ls()[0])
        kills += 1
    folders = len(repo.location.folders(".lakehouse/collections"))
    print(f"{kills} kills, {len(entries)} collections, {folders - len(entries)} folders that nobody knows")
    assert folders - len(entries) <= 2 * kills


def test_a_kill_at_any_moment_of_a_collection_of_garbage_takes_nothing_that_is_needed(
    tmp_path: Path, chance: random.Random
) -> None:
    root = tmp_path / "lake"
    Repo(root).create_collection(SCHEMA, "c")
    for _ in range(ROUNDS * 3):
        kill_once(collect_for_ever, root, chance.uniform(0, 0.3))
        repo = Repo(root)
        for collection in repo.search():
            for revision in collection.revisions():
                (collection / "s").frame(version=revision.version)
            assert (collection / "s").frame()["time"].to_list()[:1] in ([], [0], [1])
    repo.delete(*[label for label in repo.ls() if label != "c"])
    done = [repo.gc(0), repo.gc(0)]
    print(f"{ROUNDS * 3} kills, then {done}")
    assert repo.gc(0) == (0, 0)
    # what the killed ones were about to make is left alone for a day
    assert (repo.entries(deleted=True), (repo.get("c") / "s").frame().height > 0) == ([], True)


def test_a_kill_at_any_moment_of_a_push_leaves_both_sides_whole(
    tmp_path: Path, chance: random.Random
) -> None:
    root, remote = tmp_path / "lake", tmp_path / "lake-remote"
    Repo(root).create_collection(SCHEMA, "c")
    states = Counter[str]()
    for _ in range(ROUNDS * 3):
        kill_once(push_for_ever, root, chance.uniform(0, 0.4))
        for place in (root, remote):
            look(place)
        (step,) = Repo(remote).plan_pull(Repo(root))
        states[step.state] += 1
    Repo(root).push(Repo(remote), resolve="ours")
    Repo(root).pull(Repo(remote))
    assert look(root) == look(remote)
    assert Repo(root).push(Repo(remote)).collections == ()
    print(f"{ROUNDS * 3} kills, after which the remote was {dict(states)}")


def race(root: str, number: int) -> None:
    repo = Repo(root)
    for turn in range(10):
        try:
            repo.rename(repo.registry.entries()[0].label, f"{turn % 3}")
        except InvalidData:
            continue


def test_processes_that_rename_at_once_leave_one_collection(tmp_path: Path) -> None:
    made = Repo(tmp_path).create_collection(SCHEMA, "0")
    (made / "s").write({"time": [1], "value": [7]})
    children = [processes.Process(target=race, args=(str(tmp_path), number)) for number in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    repo = Repo(tmp_path)
    assert [child.exitcode for child in children] == [0, 0, 0, 0]
    assert (len(repo.ls()), (repo.get(repo.ls()[0]) / "s").frame().rows()) == (1, [(1, 7)])


def append(root: str, number: int) -> None:
    collection = Repo(root).get("c")
    for turn in range(5):
        start = (turn * 4 + number) * 1000
        rows = pl.DataFrame({"time": pl.int_range(start, start + 1000, eager=True), "value": [number] * 1000})
        (collection / "s").write(rows)


def test_no_row_of_processes_that_write_at_once_is_lost(tmp_path: Path) -> None:
    Repo(tmp_path).create_collection(SCHEMA, "c")
    children = [processes.Process(target=append, args=(str(tmp_path), number)) for number in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    collection = Repo(tmp_path).get("c")
    assert [child.exitcode for child in children] == [0, 0, 0, 0]
    assert (collection / "s").frame()["time"].to_list() == list(range(20_000))
    assert len(collection.revisions()) == 20
