"""Jobs that are deferred while Dagster's daemon runs: they are worked, and so is what they hand on."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lakehouse_assets.defs.queue_events import EventLogQueue
from lakehouse_assets.jobs import DatasetJob, FileQueue, Job
from lakehouse_assets.lake import Lake
from tests.e2e.conftest import eventually
from tests.e2e.daemon import Daemon
from tests.e2e.queueing import WORK

pytestmark = pytest.mark.e2e

WORKSPACE = """
load_from:
  - python_module:
      module_name: tests.e2e.queueing
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs_by_themselves")


@pytest.fixture(scope="module")
def daemon(folder: Path) -> Iterator[Daemon]:
    lake = Lake(make_folder(folder / "lake"))
    lake.create_dataset("acme")
    (folder / "workspace.yaml").write_text(WORKSPACE)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(WORK, str(folder))
        # each test is the first to have something worked
        patched.setenv("LAKEHOUSE_QUEUE_SECONDS", "1")
        found = Daemon(folder, lake, workspace=folder / "workspace.yaml")
        found.start()
        yield found
        found.stop()


@pytest.fixture(scope="module")
def lake(daemon: Daemon, folder: Path) -> Lake:
    """The lake, when the daemon looks at its queues."""
    lake = Lake(folder / "lake")
    FileQueue(lake).defer(Job(queue="files", task="slow", payload={"id": "warm"}))
    eventually(lambda: did(folder, "warm"), within=180, what="the first job")
    eventually(lambda: not at_work(daemon), within=60, what="the end of the first run")
    return lake


def make_folder(path: Path) -> Path:
    path.mkdir()
    return path


def did(folder: Path, name: str) -> list[dict[str, object]]:
    """What was done for the jobs with this id, in the order in which it was done."""
    path = folder / "did"
    lines = path.read_text().splitlines() if path.exists() else []
    return [found for found in map(json.loads, lines) if found["payload"].get("id") == name]


def at_work(daemon: Daemon) -> bool:
    with daemon.instance() as instance:
        return any(not run.is_finished for run in instance.get_runs(dg.RunsFilter(job_name="work_jobs")))


def sensor_of(instance: dg.DagsterInstance) -> Any:
    """What the daemon has noted of the sensor that asks for runs."""
    (found,) = (state for state in instance.all_instigator_state() if state.name == "work_jobs")
    return found


def turn_of(state: Any) -> int:
    """How many looks of the sensor asked for runs."""
    return int(json.loads(state.instigator_data.cursor)["turn"])


def test_a_job_and_what_it_hands_on_are_worked_within_seconds(
    daemon: Daemon, lake: Lake, folder: Path
) -> None:
    began = time.time()
    with daemon.instance() as instance:
        queue = EventLogQueue(lake, instance.report_runless_asset_event)
        queue.defer(DatasetJob(queue="files", task="first", dataset="acme", payload={"id": "announced"}))
    acme = lake.dataset("acme")
    eventually(lambda: "announced" in acme.get(["announced"]), within=120, what="the entity")
    first, second = did(folder, "announced")
    print(
        f"from defer to the first stage: {first['at'] - began:.1f} s, to the second: {second['at'] - began:.1f} s"
    )
    assert [first["task"], second["task"]] == ["first", "second"]
    eventually(
        lambda: b'"id":"announced"' in (acme.location.read_or_none("entities.ftm.json") or b""),
        within=180,
        what="the export",
    )
    print(f"from defer to the export: {time.time() - began:.1f} s")


def test_a_job_that_a_program_defers_without_dagster_is_worked_too(
    daemon: Daemon, lake: Lake, folder: Path
) -> None:
    eventually(lambda: not at_work(daemon), within=120, what="the end of the runs before")
    began = time.time()
    FileQueue(lake).defer(DatasetJob(queue="files", task="first", dataset="acme", payload={"id": "plain"}))
    eventually(lambda: len(did(folder, "plain")) == 2, within=180, what="both stages")
    print(f"from defer to the second stage: {did(folder, 'plain')[1]['at'] - began:.1f} s")


def test_runs_on_one_dataset_never_overlap_and_those_on_others_may(
    daemon: Daemon, lake: Lake, folder: Path
) -> None:
    eventually(lambda: not at_work(daemon), within=120, what="the end of the runs before")
    (folder / "hold").touch()
    jobs = [
        DatasetJob(queue=queue, task="wait", dataset=dataset, payload={"id": "held", "of": [queue, dataset]})
        for queue in ("files", "others")
        for dataset in ("acme", "bodies")
    ]
    FileQueue(lake).defer(jobs)
    eventually(lambda: len(did(folder, "held")) == 2, within=180, what="two that begin")
    time.sleep(8)
    assert sorted(found["payload"]["of"][1] for found in did(folder, "held")) == ["acme", "bodies"]
    (folder / "hold").unlink()
    eventually(lambda: len(did(folder, "held")) == 4, within=180, what="the others")


def test_a_run_that_is_asked_for_twice_is_one_run_and_its_job_is_worked_once(
    daemon: Daemon, lake: Lake, folder: Path
) -> None:
    eventually(lambda: not at_work(daemon), within=120, what="the end of the runs before")
    (folder / "hold").touch()
    FileQueue(lake).defer(DatasetJob(queue="others", task="wait", dataset="bodies", payload={"id": "before"}))
    eventually(lambda: did(folder, "before"), within=120, what="a run on the dataset")
    with daemon.instance() as instance:
        before = sensor_of(instance)
        # it waits in the queue for the one on the same dataset
        job = DatasetJob(queue="files", task="slow", dataset="bodies", payload={"id": "twice"})
        FileQueue(lake).defer(job)
        queued = dg.RunsFilter(job_name="work_jobs", statuses=[dg.DagsterRunStatus.QUEUED])
        (run, *_) = eventually(lambda: instance.get_runs(queued), within=120, what="the run")
        key = run.tags["dagster/run_key"]
        eventually(lambda: turn_of(sensor_of(instance)) > turn_of(before), within=60, what="the note of it")
        # as if the daemon had died before it noted what it asked for
        instance.update_instigator_state(before)
        instance.report_run_canceled(run)
        eventually(
            lambda: f'already completed with run keys: ["{key}"]' in daemon.log.read_text(),
            within=120,
            what="that the same run is asked for again",
        )
        (folder / "hold").unlink()
        eventually(lambda: did(folder, "twice"), within=180, what="the job")
        eventually(lambda: not at_work(daemon), within=60, what="the end of its run")
        same = instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": key}))
    assert [each.run_id for each in same] == [run.run_id]
    assert len(did(folder, "twice")) == 1
