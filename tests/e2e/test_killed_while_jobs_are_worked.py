"""
What becomes of jobs when Dagster's processes are killed (SIGKILL): each is worked in the end, without a hand.

`LAKEHOUSE_CRASH_ROUNDS` says how often: a daemon in each fourth, the process of a run twice at most, which is how often
Dagster tries it again at once.
"""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.jobs import DatasetJob, FileQueue, Job
from lakehouse_assets.jobs.worker import EVERY
from lakehouse_assets.lake import Lake
from tests.e2e.conftest import eventually
from tests.e2e.daemon import Daemon
from tests.e2e.queueing import WORK
from tests.e2e.test_jobs_by_themselves import WORKSPACE

pytestmark = [pytest.mark.e2e, pytest.mark.crash]

# Dagster tries a run whose process died twice more
ROUNDS = max(1, int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "4")) // 4)
KILLS = min(2, ROUNDS)
JOBS = 400
DATASETS = [f"d{number}" for number in range(8)]
# after so many seconds, at the latest, a worker notes what is done; a job takes 20 ms
REPEATED = min(EVERY, int(6 / 0.02))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    (tmp_path / "lake").mkdir()
    return Lake(tmp_path / "lake")


@pytest.fixture
def daemon(tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    monkeypatch.setenv(WORK, str(tmp_path))
    (tmp_path / "workspace.yaml").write_text(WORKSPACE)
    found = Daemon(tmp_path, lake, workspace=tmp_path / "workspace.yaml")
    yield found
    found.stop()


@pytest.fixture
def chance() -> random.Random:
    """Random moments, other ones in each run; the seed is shown when the test fails."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    return random.Random(seed)


def did(folder: Path) -> Counter[str]:
    """How often each job was begun."""
    path = folder / "did"
    lines = path.read_bytes().splitlines() if path.exists() else []
    return Counter(json.loads(line)["payload"]["id"] for line in lines)


def runs(daemon: Daemon, *statuses: dg.DagsterRunStatus) -> list[dg.DagsterRun]:
    with daemon.instance() as instance:
        return list(instance.get_runs(dg.RunsFilter(job_name="work_jobs", statuses=list(statuses))))


def is_empty(queue: FileQueue) -> bool:
    return not any(queue.waiting(name) for name in queue.queues())


def test_a_run_that_is_killed_is_gone_on_with_where_it_was(
    daemon: Daemon, lake: Lake, tmp_path: Path, chance: random.Random
) -> None:
    queue = FileQueue(lake)
    queue.defer(Job(queue="files", task="slow", payload={"id": f"job{n}"}) for n in range(JOBS))
    daemon.start()
    killed = 0
    for _ in range(KILLS):
        begun = sum(did(tmp_path).values())
        eventually(
            lambda begun=begun: sum(did(tmp_path).values()) > begun + 20, within=180, what="a run at work"
        )
        time.sleep(chance.uniform(0, 2))
        (run, *_) = runs(daemon, dg.DagsterRunStatus.STARTED)
        killed += daemon.kill_worker(run.run_id)
    eventually(lambda: is_empty(queue), within=300, what="an empty queue")
    counted = did(tmp_path)
    repeated = sum(counted.values()) - JOBS
    print(f"{killed} workers killed, {repeated} of {JOBS} jobs worked once more")
    assert len(counted) == JOBS
    assert repeated <= killed * REPEATED
    (counts,) = queue.status("files")
    assert (counts.succeeded, counts.failed) == (JOBS, 0)


def test_a_daemon_that_is_killed_while_it_submits_runs_loses_no_job(
    daemon: Daemon, lake: Lake, tmp_path: Path, chance: random.Random
) -> None:
    daemon.start()
    queue = FileQueue(lake)
    # when it looks at the queues
    queue.defer(Job(queue="files", task="slow", payload={"id": "first"}))
    eventually(lambda: is_empty(queue), within=180, what="the first job")
    wanted, left = {"first"}, []
    for number in range(ROUNDS):
        jobs = [
            DatasetJob(queue="files", task="slow", dataset=name, payload={"id": f"{number}-{name}-{n}"})
            for name in DATASETS
            for n in range(5)
        ]
        wanted |= {str(job.payload["id"]) for job in jobs}
        before = len(runs(daemon))
        queue.defer(jobs)
        eventually(lambda before=before: len(runs(daemon)) > before, within=120, what="the first run")
        time.sleep(chance.uniform(0, 0.5))
        daemon.kill()
        left.append(len(DATASETS) - (len(runs(daemon)) - before))
        daemon.start()
        eventually(lambda: is_empty(queue), within=300, what="an empty queue")
    counted = did(tmp_path)
    print(f"killed {ROUNDS} times, with {left} of {len(DATASETS)} runs left to be submitted")
    print(f"{sum(counted.values()) - len(counted)} of {len(counted)} jobs worked once more")
    assert set(counted) == wanted
    # only what was at work when it was killed
    assert max(counted.values()) <= 2
