"""
What becomes of the work when Dagster's processes are killed (SIGKILL): it is done in the end, once, without a hand.

`LAKEHOUSE_CRASH_ROUNDS` says how often the process of a run is killed.
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

# Dagster tries a run whose process died twice more
KILLS = min(2, max(1, int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "4")) // 4))
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


def test_a_run_whose_process_is_killed_in_the_middle_of_an_asset_is_finished_by_the_next(
    daemon: Daemon, lake: Lake, tmp_path: Path, chance: random.Random
) -> None:
    acme = lake.create_dataset("acme")
    with WebServer(write_tree(tmp_path / "files", FILES)) as web:
        for path in FILES:
            web.rules[f"/{path}"] = slowly
        acme.location.write("pipeline.yml", f"crawl: [{{uri: {web.url}, every: 10m}}]".encode())
        daemon.start()
        killed = 0
        for _ in range(KILLS):
            seen = len(web.requests)
            eventually(lambda seen=seen: len(web.requests) > seen + 5, within=180, what="a crawl at work")
            time.sleep(chance.random())
            with daemon.instance() as instance:
                (run, *_) = instance.get_runs(
                    dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={"dagster/partition": "acme"}),
                    limit=1,
                )
            killed += daemon.kill_worker(run.run_id)
        eventually(lambda: is_done(acme, len(FILES)), within=240, what="the index of all files")
    print(f"{killed} workers killed")
    assert killed == KILLS
    assert sorted(FILES) == paths_of(acme)


def test_a_daemon_that_is_killed_while_it_submits_runs_submits_the_others_and_none_twice(
    daemon: Daemon, lake: Lake, tmp_path: Path
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
    files = {"a.txt": "one", "b/c.txt": "two"}
    for name in DATASETS:
        folder = write_tree(tmp_path / "files" / name, files)
        lake.dataset(name).location.write("pipeline.yml", f"crawl: [{{uri: {folder}}}]".encode())
    submitted = eventually(
        lambda: sum(bool(runs_of(daemon, name)) for name in DATASETS), within=120, what="the first run"
    )
    daemon.kill()
    left = len(DATASETS) - sum(bool(runs_of(daemon, name)) for name in DATASETS)
    print(f"killed when {submitted} of {len(DATASETS)} runs were submitted, {left} were left")
    daemon.start()
    for name in DATASETS:
        eventually(
            lambda name=name: is_done(lake.dataset(name), len(files)), within=300, what=f"the index of {name}"
        )
    for name in DATASETS:
        asked = {run.root_run_id or run.run_id for run in runs_of(daemon, name)}
        assert len(asked) == 1, f"{name} was crawled by {asked}"


def _is_idle(instance: dg.DagsterInstance) -> bool:
    """Whether automation has asked for something, and nothing waits or runs any more."""
    runs = instance.get_runs()
    return len({run.tags.get("dagster/partition") for run in runs if run.is_success}) > len(DATASETS) and all(
        run.is_finished for run in runs
    )
