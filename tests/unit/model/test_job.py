import uuid

import pytest

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.job import DatasetJob, Job, new_run_id


def test_run_ids_sort_by_time() -> None:
    made = [new_run_id() for _ in range(50)]
    assert {uuid.UUID(run_id).version for run_id in made} == {7}
    assert {uuid.UUID(run_id).variant for run_id in made} == {uuid.RFC_4122}
    assert [run_id[:18] for run_id in made] == sorted(run_id[:18] for run_id in made)


def test_a_job_runs_from_its_first_touch_to_its_stop() -> None:
    job = Job.make()
    assert (job.running, job.started, job.name) == (False, None, "Job")
    job.touch()
    assert job.running
    started = job.started
    job.touch()
    assert job.started == started
    job.stop(ValueError("bad"))
    assert (job.running, job.exc) == (False, "bad")
    assert job.started is not None
    assert job.stopped is not None
    assert job.took == job.stopped - job.started


def test_a_job_that_never_ran_can_be_stopped() -> None:
    job = DatasetJob.make(dataset="acme")
    job.stop()
    assert job.stopped is not None
    assert (job.done, job.exc) == (0, None)


def test_an_error_without_text_is_recorded_by_its_kind() -> None:
    job = Job.make()
    job.stop(KeyboardInterrupt())
    assert job.exc == "KeyboardInterrupt"


@pytest.mark.parametrize("name", ["../x", "catalog", "Acme"])
def test_a_job_on_no_dataset_is_refused(name: str) -> None:
    with pytest.raises(InvalidData, match="cannot be the name"):
        DatasetJob.make(dataset=name)


def test_unknown_and_missing_fields_are_named() -> None:
    with pytest.raises(InvalidData, match="has no field datset"):
        DatasetJob.make(datset="acme")
    with pytest.raises(InvalidData, match="DatasetJob: dataset: Field required"):
        DatasetJob.make()
