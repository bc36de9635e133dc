"""Runs in processes that are forked from one that has loaded Dagster: they begin, end and die like any other."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher.base import WorkerStatus
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget

from lakehouse_assets.defs.warm.keeping import Keeper, NoProcess
from lakehouse_assets.defs.warm.launcher import executable_here
from lakehouse_assets.defs.warm.processes import TAG, Life, Machine, RunProcess
from tests.defs import warm_jobs
from tests.defs.warmth import FILE, LOCATION, ROOT, Warm, elsewhere, eventually, is_there, parent_of, settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process is forked")

SUCCESS, FAILURE, CANCELED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("warm")
    settings(found)
    return found


@pytest.fixture(scope="module")
def only(home: Path) -> Iterator[Warm]:
    """One instance and one keeper for all."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(warm_jobs.PLACE, str(home / "place"))
        patched.setenv("PYTHONPATH", str(ROOT))
        with dg.DagsterInstance.from_config(str(home)) as instance:
            yield Warm(instance, home / "place")


@pytest.fixture
def warm(only: Warm) -> Iterator[Warm]:
    """The same, with nothing noted yet, and nothing left at work."""
    shutil.rmtree(only.place, ignore_errors=True)
    only.place.mkdir()
    yield only
    (only.place / "go").touch()
    eventually(lambda: all(run.is_finished for run in only.instance.get_runs()), what="the end of all runs")


def test_a_run_succeeds_and_what_it_prints_is_kept(warm: Warm) -> None:
    run_id = warm.launch("speaking")
    assert warm.end(run_id) == SUCCESS, warm.messages(run_id)
    assert (warm.place / run_id).read_text().strip() == os.getcwd()
    (captured,) = warm.instance.all_logs(run_id, of_type=dg.DagsterEventType.LOGS_CAPTURED)
    key = [run_id, "compute_logs", captured.dagster_event.event_specific_data.file_key]
    kept = warm.instance.compute_log_manager.get_log_data(key).stdout
    assert f"this is {warm.process(run_id).pid}, a child of " in kept.decode()


def test_the_steps_of_a_run_may_have_processes_of_their_own(warm: Warm) -> None:
    run_id = warm.launch("speaking_apart")
    assert warm.end(run_id) == SUCCESS, warm.messages(run_id)
    assert (warm.place / run_id).exists()


def test_runs_work_side_by_side_in_processes_of_one_keeper(warm: Warm) -> None:
    first, second = warm.launch_waiting(), warm.launch_waiting()
    pids = [warm.process(run_id).pid for run_id in (first, second)]
    assert all(map(is_there, pids))
    (keeper,) = {parent_of(pid) for pid in pids}
    assert len(os.listdir(f"/proc/{keeper}/task")) == 1
    (warm.place / "go").touch()
    assert [warm.end(first), warm.end(second)] == [SUCCESS, SUCCESS]
    eventually(lambda: not any(map(is_there, pids)), what="the end of the processes")


def test_a_run_whose_process_is_killed_has_failed_and_is_tried_again(warm: Warm) -> None:
    run_id = warm.launch_waiting()
    os.kill(warm.process(run_id).pid, signal.SIGKILL)
    assert warm.end(run_id) == FAILURE
    assert "terminated by signal 9 (SIGKILL)" in warm.messages(run_id)
    eventually(
        lambda: warm.run(run_id).tags.get("dagster/will_retry") == "true", what="that it is tried again"
    )


def test_what_is_left_to_the_end_of_a_process_is_done(warm: Warm) -> None:
    run_id = warm.launch("forgetting")
    assert warm.end(run_id) == SUCCESS, warm.messages(run_id)
    process = warm.process(run_id)
    eventually(lambda: process.life() is Life.GONE, what="the end of the process")
    note = warm.place / run_id
    assert note.read_text() == "not closed"
    assert note.with_suffix(".exit").exists()
    assert note.with_suffix(".thread").exists()


def test_a_run_that_ends_without_a_word_has_failed(warm: Warm) -> None:
    run_id = warm.launch("leaving")
    assert warm.end(run_id) == FAILURE
    assert "exited with code 0" in warm.messages(run_id)


def test_a_run_is_ended_from_another_process_and_cleans_up(warm: Warm, home: Path) -> None:
    run_id = warm.launch_waiting()
    said = elsewhere(home, f"print(instance.run_launcher.terminate({run_id!r}))")
    assert said == "True\n"
    assert warm.end(run_id) == CANCELED, warm.messages(run_id)
    assert (warm.place / f"{run_id}.left").exists()
    assert not warm.launcher.terminate(run_id)


def test_a_process_that_got_the_number_of_another_is_left_alone(warm: Warm) -> None:
    run = warm.create("waiting")
    with subprocess.Popen(["sleep", "60"]) as other:
        process = RunProcess.of(run.run_id, other.pid)
        assert process.life() is Life.ALIVE
        former = replace(process, started=process.started - 1)
        warm.instance.add_run_tags(run.run_id, {TAG: former.write()})
        assert not warm.launcher.terminate(run.run_id)
        assert warm.launcher.check_run_worker_health(warm.run(run.run_id)).status == WorkerStatus.FAILED
        assert is_there(other.pid)
        other.kill()
    warm.instance.report_run_canceled(warm.run(run.run_id))


def test_what_is_told_of_the_process_of_a_run_does_not_count_for_its_retry(warm: Warm) -> None:
    first, retry = warm.create("speaking"), warm.create("speaking")
    process = RunProcess.of(first.run_id, os.getpid())
    for run in (first, retry):
        warm.instance.add_run_tags(run.run_id, {TAG: process.write()})
    assert RunProcess.read(warm.run(first.run_id)) == process
    assert RunProcess.read(warm.run(retry.run_id)) is None
    for run in (first, retry):
        warm.instance.delete_run(run.run_id)


def test_processes_of_other_machines_are_told_from_those_that_are_gone() -> None:
    here = Machine.here()
    process = RunProcess.of("a run", os.getpid())
    assert process.life() is Life.ALIVE
    started_again = replace(process, machine=replace(here, boot="before"))
    assert started_again.life() is Life.GONE
    other = replace(process, machine=replace(here, host="other", boot="another"))
    assert other.life() is Life.ELSEWHERE
    assert not other.signal(signal.SIGTERM)


def test_a_run_goes_on_when_its_keeper_is_killed_and_the_next_one_has_another(warm: Warm) -> None:
    run_id = warm.launch_waiting()
    keeper = parent_of(warm.process(run_id).pid)
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: not is_there(keeper), what="the end of the keeper")
    other = warm.launch_waiting()
    assert parent_of(warm.process(other).pid) != keeper
    assert warm.launcher.check_run_worker_health(warm.run(run_id)).status == WorkerStatus.RUNNING
    (warm.place / "go").touch()
    assert [warm.end(run_id), warm.end(other)] == [SUCCESS, SUCCESS]


def test_a_run_that_dies_after_its_keeper_is_found_by_a_look_at_it(warm: Warm) -> None:
    run_id = warm.launch_waiting()
    process = warm.process(run_id)
    for pid in (parent_of(process.pid), process.pid):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: process.life() is Life.GONE, what="the end of the process")
    assert not warm.run(run_id).is_finished
    found = warm.launcher.check_run_worker_health(warm.run(run_id))
    assert found.status == WorkerStatus.FAILED
    warm.instance.report_run_failed(warm.run(run_id))


def test_nothing_is_left_of_an_instance_that_is_closed_but_runs_at_work(warm: Warm, home: Path) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        other = Warm(instance, warm.place)
        run_id = other.launch_waiting()
        pid = other.process(run_id).pid
        keeper = parent_of(pid)
    assert is_there(pid)
    (warm.place / "go").touch()
    assert warm.end(run_id) == SUCCESS
    eventually(lambda: not is_there(keeper) and not is_there(pid), what="the end of both processes")


def test_a_process_that_nobody_lets_begin_ends_with_who_asked_for_it() -> None:
    keeper = Keeper(sys.executable)
    dropped, forgotten = keeper.fork("{}", None), keeper.fork("{}", None)
    keeper.drop(dropped)
    eventually(lambda: not is_there(dropped), what="the end of the one that was dropped")
    assert is_there(forgotten)
    keeper.close()
    eventually(lambda: not is_there(forgotten) and not is_there(keeper.pid), what="the end of all")


def test_code_that_was_changed_is_not_forked_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lakehouse_assets"
    shutil.copytree(ROOT / package.name, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    keeper = Keeper(sys.executable)
    with pytest.raises(NoProcess, match="is not that of") as refused:
        keeper.fork("{}", str(ROOT))
    assert not refused.value.is_old
    assert is_there(keeper.fork("{}", str(tmp_path)))
    with (package / "defs" / "assets.py").open("a") as file:
        file.write("# changed\n")
    with pytest.raises(NoProcess, match=r"assets\.py was changed") as refused:
        keeper.fork("{}", str(tmp_path))
    assert refused.value.is_old
    keeper.close()
    eventually(lambda: not is_there(keeper.pid), what="the end of the keeper")


def test_a_keeper_that_is_asked_to_stop_ends_after_its_last_run_and_another_takes_its_place(
    warm: Warm,
) -> None:
    run_id = warm.launch_waiting()
    keeper = parent_of(warm.process(run_id).pid)
    os.kill(keeper, signal.SIGTERM)
    other = warm.launch_waiting()
    assert parent_of(warm.process(other).pid) != keeper
    assert is_there(keeper)
    (warm.place / "go").touch()
    assert [warm.end(run_id), warm.end(other)] == [SUCCESS, SUCCESS]
    eventually(lambda: not is_there(keeper), what="the end of the keeper")


def test_what_is_loaded_before_a_fork_is_nothing_that_it_breaks() -> None:
    code = (
        "import sys, os; from lakehouse_assets.defs.warm import preload; preload.load(); "
        "print(preload.unsafe(), len(os.listdir('/proc/self/task')), "
        "[name for name in preload.UNSAFE if name in sys.modules], 'lakehouse_assets.definitions' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert ran.stdout == "None 1 [] False\n", ran.stderr


def test_what_starts_threads_is_not_forked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dagster_threaded.py").write_text("import threading\nthreading.Timer(60, print).start()\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(tmp_path)]))
    with pytest.raises(NoProcess, match="started 1 threads"):
        Keeper(sys.executable, ["dagster_threaded"])


def test_a_python_without_this_package_has_its_runs_started_by_the_code_server(
    warm: Warm, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    poor = tmp_path / "python"
    poor.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    poor.chmod(0o755)
    target = PythonFileTarget(
        str(FILE), attribute="defs", working_directory=str(ROOT), location_name=LOCATION
    )
    with WorkspaceProcessContext(warm.instance, target) as context:
        runs = [warm.create("speaking", executable=str(poor)) for _ in range(2)]
        for run in runs:
            warm.instance.launch_run(run.run_id, context.create_request_context())
        assert [warm.end(run.run_id) for run in runs] == [SUCCESS, SUCCESS]
    assert [RunProcess.read(warm.run(run.run_id)) for run in runs] == [None, None]
    told = ["No warm process for the run" in warm.messages(run.run_id) for run in runs]
    # it is not tried again at once
    assert told == [True, False]
    assert "No warm process for the run" in caplog.text


@pytest.mark.parametrize(
    ("where", "is_here"),
    [
        ({"host": "localhost", "port": 4000}, True),
        ({"host": "localhost", "socket": "code.sock"}, True),
        ({"host": "code.example.org", "port": 4000}, False),
    ],
)
def test_only_runs_of_code_servers_of_this_machine_are_warm(
    warm: Warm, where: dict[str, object], is_here: bool
) -> None:
    run = warm.create("speaking", **where)
    assert executable_here(run) == (sys.executable if is_here else None)
    warm.instance.delete_run(run.run_id)
