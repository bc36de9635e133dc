"""What is launched in a Dagster in place of an operation is there, takes the job, and does it."""

import json
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.lake import Dataset
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.operations import (
    CompactJob,
    DeleteJob,
    ExportDocumentsJob,
    ExportEntitiesJob,
    ExportIndexJob,
    ExportStatementsJob,
    ExportStatisticsJob,
    FlushJob,
    ImportJob,
    MakeJob,
    MakeOperation,
    MappingJob,
    MergeJob,
    VacuumJob,
)
from lakehouse_assets.operations.asked import _OPERATIONS
from lakehouse_assets.operations.diffs import DiffJob
from lakehouse_assets.remote.launch import Launch, Names
from tests.defs.conftest import people
from tests.factories import write_lines

PREFIX = Names("leaks/raw")
HASH = "0" * 40


def launch_of(dataset: Dataset, job: DatasetJob) -> Launch:
    operation = MakeOperation if isinstance(job, MakeJob) else _OPERATIONS[type(job)]
    return operation(job, repositories=dataset.repositories).launch(force=True)


def run(
    dataset: Dataset, instance: dg.DagsterInstance, launch: Launch, *, raise_on_error: bool = True
) -> dg.ExecuteInProcessResult:
    """What a Dagster with this lake does when it is launched there; the config goes through JSON on its way."""
    defs = build_definitions(dataset.lake.uri, key_prefix=PREFIX.parts)
    config = json.loads(json.dumps(PREFIX.run_config(launch)))
    instance.add_dynamic_partitions(PREFIX.name("dataset"), [dataset.name])
    if launch.assets:
        job = defs.resolve_implicit_global_asset_job_def()
        keys = [dg.AssetKey(PREFIX.key(asset)) for asset in launch.assets]
        return job.execute_in_process(
            config, instance=instance, partition_key=dataset.name, asset_selection=keys, raise_on_error=raise_on_error
        )  # fmt: skip
    job = defs.resolve_job_def(PREFIX.name(launch.job))
    return job.execute_in_process(
        config, instance=instance, partition_key=dataset.name, raise_on_error=raise_on_error
    )


@pytest.mark.parametrize(
    "job",
    [
        CompactJob(dataset="acme"),
        DeleteJob(dataset="acme", ids=["person-1"]),
        DiffJob(dataset="acme", artifact="documents", initial=True),
        ExportDocumentsJob(dataset="acme", public_url_prefix="https://data.example.org/acme"),
        ExportEntitiesJob(dataset="acme", make_diff=False, assertions=False),
        ExportIndexJob(dataset="acme"),
        ExportStatementsJob(dataset="acme"),
        ExportStatisticsJob(dataset="acme"),
        MergeJob(dataset="acme"),
        VacuumJob(dataset="acme", retention_hours=24, dry_run=True),
    ],
    ids=lambda job: job.name,
)
def test_each_operation_has_an_asset_or_a_job_that_does_it_and_leaves_its_record(
    acme: Dataset, instance: dg.DagsterInstance, job: DatasetJob
) -> None:
    assert run(acme, instance, launch_of(acme, job)).success
    record = acme.jobs.get(type(job), job.run_id)
    assert record is not None
    assert record.stopped is not None
    kept = set(job.model_fields_set) - {"dataset"}
    assert record.model_dump(include=kept) == job.model_dump(include=kept)


def test_an_import_is_asked_for_with_all_its_options(
    acme: Dataset, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    file = write_lines(tmp_path / "more.json", people(2, start=7))
    job = ImportJob.make(
        dataset="acme", files=[str(file)], origin="leak", mode="trusted", last_seen="2026-01-31"
    )
    assert run(acme, instance, launch_of(acme, job)).success
    record = acme.jobs.get(ImportJob, job.run_id)
    assert record is not None
    assert (record.entities, record.origin, record.mode, record.last_seen) == (
        2,
        "leak",
        "trusted",
        job.last_seen,
    )


def test_make_is_asked_for_by_steps_with_records_of_their_own(
    acme: Dataset, instance: dg.DagsterInstance
) -> None:
    job = MakeJob.make(dataset="acme")
    operation = MakeOperation(job, repositories=acme.repositories)
    assert run(acme, instance, operation.launch(force=False)).success
    assert operation.collect()
    assert job.artifacts["entities"]["rows"] == 6
    assert set(job.artifacts["entities"]["diffs"]) == {"entities"}  # type: ignore[arg-type]
    assert not job.artifacts["index"]["skipped"]
    assert acme.jobs.get(MakeJob, job.run_id) == job
    # nothing to do any more: the steps leave no records, and are told as skipped
    again = MakeOperation(MakeJob.make(dataset="acme"), repositories=acme.repositories)
    assert run(acme, instance, again.launch(force=False)).success
    assert again.collect()
    assert again.job.artifacts["index"]["skipped"]


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ({"name": "MergeJob", "dataset": "acme"}, "MergeJob is not done here"),
        ({"name": "ImportJob", "dataset": "other", "files": []}, "for the dataset 'other'"),
        ({"name": "os.system", "dataset": "acme"}, "no job 'os.system'"),
        ({"name": "ImportJob", "dataset": "acme", "fils": []}, "no field fils"),
    ],
)
def test_what_cannot_be_done_by_an_asset_is_refused(
    acme: Dataset, instance: dg.DagsterInstance, job: dict[str, object], said: str
) -> None:
    launch = Launch(assets=["statements"], config={"statements": {"job": job}})
    result = run(acme, instance, launch, raise_on_error=False)
    failed = next(event for event in result.all_events if event.is_step_failure)
    assert said in (failed.step_failure_data.user_failure_data.description or "")


def test_a_flush_moves_what_programs_confirmed(acme: Dataset, instance: dg.DagsterInstance) -> None:
    with acme.entities.writer("leak") as writer:
        writer.add_many(people(2, start=7))
    job = FlushJob.make(dataset="acme")
    assert run(acme, instance, launch_of(acme, job)).success
    record = acme.jobs.get(FlushJob, job.run_id)
    assert record is not None
    assert record.rows > 0
    assert "person-8" in acme.get(["person-8"])


def test_a_mapping_is_asked_for_by_its_file(acme: Dataset, instance: dg.DagsterInstance) -> None:
    launch = launch_of(acme, MappingJob(dataset="acme", content_hash=HASH))
    result = run(acme, instance, launch, raise_on_error=False)
    failed = next(event for event in result.all_events if event.is_step_failure)
    assert HASH in (failed.step_failure_data.user_failure_data.description or "")
