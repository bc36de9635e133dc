"""What is left of a daemon that is stopped while it works: nothing, and its runs have ended or go on to their end."""

import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.defs.warm.processes import Life, RunProcess
from lakehouse_assets.jobs import FileQueue, Job
from lakehouse_assets.lake import Lake
from tests.e2e.conftest import eventually
from tests.e2e.daemon import Daemon
from tests.e2e.queueing import WORK
from tests.e2e.test_jobs_by_themselves import WORKSPACE, did

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process is forked"),
]

KEEPER = "lakehouse_assets.defs.warm.keeper"


@pytest.fixture
def at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """A daemon that works a job, which ends when there is no file `hold` any more."""
    monkeypatch.setenv(WORK, str(tmp_path))
    (tmp_path / "lake").mkdir()
    (tmp_path / "workspace.yaml").write_text(WORKSPACE)
    (tmp_path / "hold").touch()
    lake = Lake(tmp_path / "lake")
    found = Daemon(tmp_path, lake, workspace=tmp_path / "workspace.yaml")
    found.start()
    FileQueue(lake).defer(Job(queue="files", task="wait", payload={"id": "held"}))
    eventually(lambda: did(tmp_path, "held"), within=180, what="the job")
    yield found
    found.stop()


def run_of(daemon: Daemon) -> dg.DagsterRun:
    with daemon.instance() as instance:
        (run,) = instance.get_runs(dg.RunsFilter(job_name="work_jobs"))
        return run


def process_of(daemon: Daemon) -> RunProcess:
    found = RunProcess.read(run_of(daemon))
    assert found is not None, "the run is not a warm one"
    return found


def test_nothing_is_left_of_a_daemon_that_is_interrupted_and_its_run_has_ended(at_work: Daemon) -> None:
    process = process_of(at_work)
    before = at_work.processes()
    assert process.pid in before
    assert any(KEEPER in command for pid, command in before.items() if pid != process.pid)
    at_work.interrupt()
    eventually(lambda: not at_work.processes(), within=60, what="the end of all processes")
    assert run_of(at_work).is_finished


def test_a_run_goes_on_when_its_daemon_is_killed_and_nothing_is_left_after_it(
    at_work: Daemon, tmp_path: Path
) -> None:
    process = process_of(at_work)
    at_work.kill_daemon()
    assert process.life() is Life.ALIVE
    (tmp_path / "hold").unlink()
    eventually(lambda: run_of(at_work).is_success, within=60, what="the end of the run")
    eventually(lambda: not at_work.processes(), within=90, what="the end of all processes")
