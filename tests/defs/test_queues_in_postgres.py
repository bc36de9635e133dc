"""Jobs that wait in Postgres, worked by Dagster."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.jobs import Job, open_queue
from lakehouse_assets.jobs.procrastinate_queue import ProcrastinateQueue
from lakehouse_assets.lake import Lake
from tests.defs import deferred
from tests.e2e.postgres import postgres_programs, running_postgres

Look = Callable[..., SensorExecutionData]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no Postgres: install it with `apt-get install postgresql` (Debian)")
    with running_postgres(programs) as running:
        yield running.url


@pytest.fixture(autouse=True)
def _in_postgres(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEHOUSE_QUEUE_URI", server)
    monkeypatch.setenv("LAKEHOUSE_QUEUE_SECONDS", "0")
    monkeypatch.setenv("LAKEHOUSE_STAGES", deferred.__name__)
    monkeypatch.setenv(deferred.WORK, str(tmp_path))


def test_a_run_works_what_waits_and_the_sensor_sees_what_comes_at_once(
    lake: Lake, instance: dg.DagsterInstance, tick: Look
) -> None:
    queue = open_queue(lake)
    assert isinstance(queue, ProcrastinateQueue)
    queue.defer(Job(queue="notes", task="note", payload={"number": 1}))
    first = tick("work_jobs", None)
    [request] = first.run_requests or []
    job = build_definitions(lake.uri).resolve_job_def("work_jobs")
    done = job.execute_in_process(run_config=request.run_config, tags=dict(request.tags), instance=instance)
    assert done.success
    assert [(each.task, each.succeeded, each.open) for each in queue.status("notes")] == [("note", 1, 0)]
    idle = tick("work_jobs", tick("work_jobs", first.cursor).cursor)
    assert not idle.run_requests
    assert idle.skip_message == "nothing was deferred"
    queue.defer(Job(queue="notes", task="note", payload={"number": 2}))
    assert len(tick("work_jobs", idle.cursor).run_requests or []) == 1
    queue.database.close()
