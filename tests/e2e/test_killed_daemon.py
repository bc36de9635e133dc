"""
What becomes of the work when Dagster's processes are killed (SIGKILL): it is done in the end, once, without a hand.

`LAKEHOUSE_CRASH_ROUNDS` says how often: a round kills a daemon once, and the process of a run twice, which is how often
Dagster tries it again.
"""

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.lake import Dataset, Lake
from tests.crawling import paths_of, write_tree
from tests.e2e.conftest import eventually
from tests.e2e.daemon import Daemon
from tests.web import Handler, WebServer

pytestmark = [pytest.mark.e2e, pytest.mark.crash]

ROUNDS = max(1, int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "4")) // 4)
TRIES = 2
LONGEST = 3.5
"""Seconds within which a run has begun, and most of its work is done."""
FILES = {f"{number // 10}/{number}.txt": f"number {number}" for number in range(30)}
DATASETS = [f"d{number}" for number in range(6)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    (tmp_path / "lake").mkdir()
    return Lake(tmp_path / "lake")


@pytest.fixture
def daemon(tmp_path: Path, lake: Lake) -> Iterator[Daemon]:
    found = Daemon(tmp_path, lake)
    yield found
    found.stop()


@pytest.fixture
def chance() -> random.Random:
    """Random moments, other ones in each run; the seed is shown when the test fails."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


def slowly(handler: Handler) -> None:
    """Send a file after some time, so that there is a middle to be killed in."""
    time.sleep(0.3)
    with suppress(BrokenPipeError):
        handler.reply(200, FILES[handler.path.strip("/")].encode())


def runs_of(daemon: Daemon, name: str, sensor: str = "watch_sources") -> list[dg.DagsterRun]:
    """The runs that a sensor asked for, for a dataset."""
    with daemon.instance() as instance:
        tags = {"dagster/partition": name, "dagster/sensor_name": sensor}
        return list(instance.get_runs(dg.RunsFilter(tags=tags)))


def is_done(dataset: Dataset, files: int) -> bool:
    """Whether all files are archived, and stand in an index that lists what is there."""
    if len(paths_of(dataset)) < files or dataset.freshness("index").fresh is not True:
        return False
    statistics = json.loads(dataset.location.read("exports/statistics.json"))
    counts = {entry["name"]: entry["count"] for entry in statistics["things"]["schemata"]}
    return counts.get("PlainText") == files and all(
        dataset.check(asset, "intact").passed for asset in ("archive", "documents_csv", "index_json")
    )


def kill_run(daemon: Daemon, name: str, killed: list[str], after: float) -> bool:
    """
    Kill the process of the run that works on a dataset, so many seconds later; False when it had ended.

    Those `killed` before may still be held to be at work.
    """
    begun = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    with daemon.instance() as instance:

        def look() -> list[dg.DagsterRun]:
            found = instance.get_runs(dg.RunsFilter(statuses=begun, tags={"dagster/partition": name}))
            return [run for run in found if run.run_id not in killed]

        (found, *_) = eventually(look, within=120, what="a run at work")
        time.sleep(after)
        is_killed = daemon.kill_worker(found.run_id)
        run = instance.get_run_by_id(found.run_id)
    killed.append(found.run_id)
    # its process may have had nothing left to do but to end
    return is_killed and run is not None and not run.is_finished


def test_a_crawl_whose_process_is_killed_is_finished_by_the_next_run(
    daemon: Daemon, lake: Lake, tmp_path: Path, chance: random.Random
) -> None:
    acme = lake.create_dataset("acme")
    with WebServer(write_tree(tmp_path / "files", FILES)) as web:
        for path in FILES:
            web.rules[f"/{path}"] = slowly
        acme.location.write("pipeline.yml", f"crawl: [{{uri: {web.url}, every: 10m}}]".encode())
        daemon.start()
        killed: list[str] = []
        for _ in range(TRIES):
            seen = len(web.requests)
            eventually(lambda seen=seen: len(web.requests) > seen + 5, within=180, what="a crawl at work")
            kill_run(daemon, "acme", killed, chance.random())
        eventually(lambda: is_done(acme, len(FILES)), within=240, what="the index of all files")
    print(f"\n{len(killed)} crawls killed")
    assert len(killed) == TRIES
    assert sorted(FILES) == paths_of(acme)


def test_runs_whose_processes_are_killed_anywhere_are_finished_by_the_next(
    daemon: Daemon, lake: Lake, tmp_path: Path, chance: random.Random
) -> None:
    acme = lake.create_dataset("acme")
    folder = write_tree(tmp_path / "files", {"first.txt": "first"})
    acme.location.write("pipeline.yml", f"crawl: [{{uri: {folder}}}]".encode())
    daemon.start()
    eventually(lambda: is_done(acme, 1), within=180, what="the first index")
    killed: list[str] = []
    late = 0
    for number in range(ROUNDS):
        write_tree(folder, {f"{number}.txt": f"number {number}"})
        for _ in range(TRIES):
            if not kill_run(daemon, "acme", killed, chance.random() * LONGEST):
                late += 1
                break
        eventually(lambda number=number: is_done(acme, number + 2), within=240, what="the index of all files")
    print(f"\n{len(killed)} runs killed, {late} had ended before")
    assert paths_of(acme) == sorted(["first.txt", *(f"{number}.txt" for number in range(ROUNDS))])


def test_a_daemon_that_is_killed_while_it_submits_runs_submits_the_others_and_none_twice(
    daemon: Daemon, lake: Lake, tmp_path: Path, chance: random.Random
) -> None:
    for name in DATASETS:
        lake.create_dataset(name)
    daemon.start()
    with daemon.instance() as instance:
        eventually(
            lambda: sorted(instance.get_dynamic_partitions("dataset")) == DATASETS,
            within=120,
            what="the partitions",
        )
        eventually(lambda: _is_idle(instance), within=180, what="the end of what was to be made at first")
    for name in DATASETS:
        folder = tmp_path / "files" / name
        folder.mkdir(parents=True)
        lake.dataset(name).location.write("pipeline.yml", f"crawl: [{{uri: {folder}}}]".encode())

    def asked(number: int) -> int:
        return sum(len(roots_of(daemon, name)) > number for name in DATASETS)

    left = []
    for number in range(ROUNDS):
        for name in DATASETS:
            write_tree(tmp_path / "files" / name, {f"{number}.txt": f"{number}"})
        eventually(lambda number=number: asked(number), within=120, what="the first run")
        time.sleep(chance.random())
        daemon.kill()
        left.append(len(DATASETS) - asked(number))
        daemon.start()
        for name in DATASETS:
            eventually(
                lambda name=name, number=number: is_done(lake.dataset(name), number + 1),
                within=300,
                what=f"the index of {name}",
            )
        for name in DATASETS:
            found = roots_of(daemon, name)
            assert len(found) == number + 1, f"{name} was crawled by {found}"
    print(f"\n{ROUNDS} daemons killed, when these of {len(DATASETS)} runs were left to submit: {left}")


def roots_of(daemon: Daemon, name: str) -> set[str]:
    """The runs that were asked for because a source of the dataset changed; each with what was tried again of it."""
    return {run.root_run_id or run.run_id for run in runs_of(daemon, name)}


def _is_idle(instance: dg.DagsterInstance) -> bool:
    """Whether automation has asked for something, and nothing waits or runs any more."""
    runs = instance.get_runs()
    return len({run.tags.get("dagster/partition") for run in runs if run.is_success}) > len(DATASETS) and all(
        run.is_finished for run in runs
    )
