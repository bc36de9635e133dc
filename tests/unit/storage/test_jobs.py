import json
from pathlib import Path

import pytest

from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.storage import jobs as jobs_module
from lakehouse_assets.storage.jobs import Jobs
from lakehouse_assets.storage.location import Location


class CountJob(DatasetJob):
    target: str | None = None


@pytest.fixture
def location(tmp_path: Path) -> Location:
    return Location(tmp_path / "acme")


def record(location: Location, job: CountJob) -> dict[str, object]:
    found = json.loads(location.read(f"jobs/runs/CountJob/{job.run_id}.json"))
    assert isinstance(found, dict)
    return found


def test_a_record_is_there_from_the_start_to_the_end(location: Location) -> None:
    job = CountJob.make(dataset="acme")
    with Jobs(location).run(job) as run:
        assert record(location, job)["running"] is True
        run.job.done += 3
    found = record(location, job)
    assert (found["running"], found["done"], found["exc"]) == (False, 3, None)
    assert str(found["stopped"]).endswith("Z")
    assert str(found["took"]).startswith("PT")


def test_a_record_holds_the_keys_that_other_programs_expect(location: Location) -> None:
    job = CountJob.make(dataset="acme")
    with Jobs(location).run(job):
        pass
    keys = "run_id started stopped last_updated pending done errors running exc took dataset target name"
    assert " ".join(record(location, job)) == keys
    assert location.read(f"jobs/runs/CountJob/{job.run_id}.json").count(b"\n") == 0


def test_a_failure_is_recorded_and_raised(location: Location) -> None:
    job = CountJob.make(dataset="acme")
    with pytest.raises(ZeroDivisionError), Jobs(location).run(job):
        raise ZeroDivisionError("no way")
    found = record(location, job)
    assert (found["running"], found["exc"]) == (False, "no way")


def test_the_work_s_own_failure_counts_when_the_record_cannot_be_written(tmp_path: Path) -> None:
    location = Location(tmp_path / "acme")

    def work() -> None:
        location.delete_tree("jobs")
        location.write("jobs", b"a file where the folder was")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), Jobs(location).run(CountJob.make(dataset="acme")):
        work()


def test_progress_is_written_every_thousand_tasks(location: Location) -> None:
    job = CountJob.make(dataset="acme")
    with Jobs(location).run(job) as run:
        run.progress(done=999, pending=2000)
        assert record(location, job)["done"] == 0
        run.progress(done=1000)
        assert record(location, job)["done"] == 1000
        run.progress(done=1001)
        assert record(location, job)["done"] == 1000


def test_progress_is_written_when_some_time_has_passed(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "_SAVE_SECONDS", 0.0)
    job = CountJob.make(dataset="acme")
    with Jobs(location).run(job) as run:
        run.progress(done=1)
        assert record(location, job)["done"] == 1


def test_the_latest_record_is_the_newest_that_can_be_read(location: Location) -> None:
    jobs = Jobs(location)
    assert jobs.latest(CountJob) is None
    made = [CountJob.make(dataset="acme") for _ in range(3)]
    for job in made:
        with jobs.run(job):
            pass
    location.write("jobs/runs/CountJob/ffffffff.json", b"{")
    assert [job.run_id for job in jobs.list(CountJob)] == [job.run_id for job in made]
    latest = jobs.latest(CountJob)
    assert latest is not None
    assert latest == made[-1]


def test_a_record_of_another_program_is_read(location: Location) -> None:
    text = (
        '{"run_id":"019a","started":"2026-11-21T04:07:56.769211Z","stopped":null,"last_updated":null,"pending":0,'
        '"done":1,"errors":0,"running":false,"exc":"None","took":"PT1.392031S","dataset":"acme","new":1,'
        '"name":"CountJob"}'
    )
    location.write("jobs/runs/CountJob/019a.json", text.encode())
    latest = Jobs(location).latest(CountJob)
    assert latest is not None
    assert latest.took.total_seconds() == 1.392031
    assert latest.exc is None
