"""Credentials go to the store, and nowhere else."""

import logging
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value

from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.statements.table import StatementTable
from tests.factories import company, write_lines
from tests.s3.keys import SECRET, TOKEN, WRONG
from tests.s3.store import Bucket


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All that any package logs."""
    loggers = [logging.getLogger(name) for name in ("", "botocore", "aiobotocore", "s3fs", "fsspec")]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    caplog.handler.setLevel(logging.DEBUG)
    yield caplog
    for logger, level in before:
        logger.setLevel(level)


def assert_no_secret(text: str) -> None:
    for secret in (SECRET, TOKEN):
        assert secret not in text


def full(bucket: Bucket, **changes: str) -> dict[str, str]:
    return {**bucket.options, "token": TOKEN, **changes}


def test_no_log_line_file_or_error_has_a_secret(
    bucket: Bucket, tmp_path: Path, lines: pytest.LogCaptureFixture
) -> None:
    lake = Lake(bucket.uri, full(bucket))
    dataset = lake.create_dataset("acme")
    dataset.import_files([write_lines(tmp_path / "a.ftm.json", [company("c1")])])
    dataset.make()
    dataset.merge(force=True)
    errors: list[str] = []
    for changes in ({"key": WRONG}, {"endpoint_url": "http://127.0.0.1:9"}):
        broken = Lake(bucket.uri, full(bucket, **changes))
        for step in (broken.datasets, StatementTable(Dataset(broken, "acme").location).exists):
            with pytest.raises(LakehouseError) as caught:
                step()
            errors.append(repr(caught.value))
    bucket.rule(methods=["PUT"], contains="entities.ftm.json", status=403, code="AccessDenied")
    with pytest.raises(LakehouseError) as caught:
        dataset.make(force=True)
    bucket.heal()
    errors += [repr(caught.value), repr(lake), repr(dataset), repr(dataset.location)]
    assert "s3fs" in {record.name for record in lines.records}
    assert_no_secret(lines.text)
    assert_no_secret("\n".join(errors))
    for key in lake.location.keys():  # noqa: SIM118
        assert_no_secret(lake.location.read(key).decode("latin-1"))
        assert_no_secret(key)


@pytest.mark.parametrize("literal", [True, False])
def test_nothing_that_dagster_keeps_or_shows_has_a_secret(
    made: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, literal: bool
) -> None:
    from dagster_aws.s3 import S3Resource

    from lakehouse_assets.defs.build import build_definitions

    dataset = made.lake.dataset("acme")
    for name, value in (("MY_SECRET", SECRET), ("MY_TOKEN", TOKEN)):
        monkeypatch.setenv(name, value)
    s3 = S3Resource(
        endpoint_url=made.server.url,
        region_name="us-east-1",
        aws_access_key_id=made.options["key"],
        aws_secret_access_key=SECRET if literal else dg.EnvVar("MY_SECRET"),
        aws_session_token=TOKEN if literal else dg.EnvVar("MY_TOKEN"),
    )
    defs = build_definitions(made.uri, s3=s3)
    assert_no_secret(serialize_value(RepositorySnap.from_def(defs.get_repository_def())))
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("dataset", ["acme"])
        job = defs.resolve_job_def("make")
        first = job.execute_in_process(partition_key="acme", instance=instance)
        made.rule(methods=["PUT"], contains="entities.ftm.json", status=403, code="AccessDenied")
        dataset.import_files([write_lines(tmp_path / "b.ftm.json", [company("c2")])])
        failed = job.execute_in_process(partition_key="acme", instance=instance, raise_on_error=False)
        assert (first.success, failed.success) == (True, False)
        for result in (first, failed):
            run = instance.get_run_by_id(result.run_id)
            assert run is not None
            assert_no_secret(serialize_value(run))
            if run.job_snapshot_id:
                assert_no_secret(serialize_value(instance.get_job_snapshot(run.job_snapshot_id)))
            assert_no_secret("\n".join(entry.to_json() for entry in instance.all_logs(result.run_id)))
