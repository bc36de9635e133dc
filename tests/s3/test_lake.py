"""A whole lake on S3, beside the same one on local disk."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets import layout
from lakehouse_assets.cli import main
from lakehouse_assets.errors import NotFound
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.storage.location import Location
from tests.factories import Entity, company, entity, person, values_of, write_lines
from tests.s3.store import ROOT, Bucket

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = re.compile(rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?")


def entities() -> list[Entity]:
    people = [
        person(f"p{n}", name=[f"Jane Döe {n}"], country=["fr"], email=["a@example.org"]) for n in range(40)
    ]
    file = entity("d1", "Document", fileName=["a.pdf"], contentHash=["0" * 40], fileSize=["10"])
    owner = entity("o1", "Ownership", owner=["p1"], asset=["c1"], percentage=["50"])
    return [*people, company("c1"), file, owner]


def fill(lake: Lake, folder: Path) -> Dataset:
    """Two imports, the second over the first, and a delete."""
    dataset = lake.create_dataset("acme", title="Acme leak")
    first = write_lines(folder / "first.ftm.json", entities())
    second = write_lines(folder / "second.ftm.json", [person("p1", name=["Jane Roe"]), company("c2")])
    dataset.import_files([first], origin="a:b %", last_seen=WHEN)
    dataset.import_files([second], origin="web", last_seen=WHEN)
    dataset.delete(["p2"])
    return dataset


@pytest.fixture
def local(tmp_path: Path) -> Dataset:
    return fill(Lake(tmp_path / "lake"), tmp_path)


@pytest.fixture
def remote(bucket: Bucket, tmp_path: Path) -> Dataset:
    return fill(bucket.lake, tmp_path)


def normal(data: bytes, location: Location) -> bytes:
    """Times and addresses, and what hangs on their digests and sizes, made the same."""
    data = TIMES.sub(b"TIME", data).replace(location.uri.encode(), b"LAKE")
    return re.sub(rb'"(checksum|size)":\s?("[0-9a-f]+"|\d+)', rb'"\1":0', data)


def exports(dataset: Dataset) -> dict[str, bytes]:
    location = dataset.location
    keys = [*location.keys("exports"), layout.ENTITIES, layout.INDEX]
    return {key: normal(location.read(key), dataset.lake.location) for key in keys}


def test_every_export_has_the_bytes_that_it_has_on_local_disk(local: Dataset, remote: Dataset) -> None:
    for dataset in (local, remote):
        dataset.make()
    assert exports(remote) == exports(local)
    assert {"index.json", "entities.ftm.json", "exports/statements.csv"} <= exports(remote).keys()
    index = layout.LAKE_INDEX
    assert normal(remote.lake.location.read(index), remote.lake.location) == normal(
        local.lake.location.read(index), local.lake.location
    )


def test_reads_answer_as_on_local_disk_before_and_after_a_merge(local: Dataset, remote: Dataset) -> None:
    def answers(dataset: Dataset) -> list[object]:
        return [
            [TIMES.sub(b"", line) for line in dataset.get(["p1", "p2", "c1", "none"]).values()],
            [TIMES.sub(b"", line) for line in dataset.query(schema="Person", where={"country": "fr"})],
            [TIMES.sub(b"", line) for line in dataset.query(origin="web", limit=1)],
            values_of(dataset),
        ]

    before = answers(remote)
    assert before == answers(local)
    done = remote.merge()
    assert done.partitions == local.merge().partitions
    assert answers(remote) == before
    assert remote.status().dirty_partitions == []


def test_a_made_dataset_is_fresh_passes_its_checks_and_stands_in_the_catalogue(
    remote: Dataset, bucket: Bucket
) -> None:
    remote.make()
    status = remote.status()
    assert all(state.fresh for state in status.artifacts.values())
    assert (status.entities, status.lease) == (43, [])
    assert [check for check in remote.checks() if not check.passed and check.severity == "ERROR"] == []
    assert all(done["skipped"] for done in remote.make().artifacts.values())
    catalog = json.loads(remote.lake.location.read(layout.LAKE_INDEX))
    assert [found["name"] for found in catalog["datasets"]] == ["acme"]
    assert remote.lake.datasets() == ["acme"]
    assert bucket.uploads() == []
    with pytest.raises(NotFound, match=f"no dataset 'other' in {bucket.uri}"):
        remote.lake.dataset("other")


def test_maintenance_works_as_on_local_disk(remote: Dataset) -> None:
    before = values_of(remote)
    remote.merge()
    remote.merge(force=True)
    files = [key for key in remote.location.keys(layout.STATEMENTS_TABLE) if key.endswith(".parquet")]
    snapshot = remote.statements.table.snapshot()
    assert snapshot is not None
    assert len(files) > len(snapshot.files)
    assert values_of(remote) == before
    assert remote.versions.list(layout.CONFIG)


ADD = """
import json, sys
from lakehouse_assets.lake import Lake
dataset = Lake(sys.argv[1], json.loads(sys.argv[2])).dataset("acme")
dataset.status()
print("ready", flush=True)
sys.stdin.readline()
for batch in range(3):
    dataset.entities.add_many(
        {"id": f"{sys.argv[3]}-{batch}-{n}", "schema": "Company", "properties": {"name": ["A"]}} for n in range(3)
    )
"""


def test_writers_at_once_lose_nothing(bucket: Bucket) -> None:
    dataset = bucket.lake.create_dataset("acme")
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", ADD, bucket.uri, json.dumps(bucket.options), str(number)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for _ in range(2):
        dataset.merge()
    for writer in writers:
        error = writer.communicate(timeout=60)[1]
        assert writer.returncode == 0, error
    ids = {entity_id for entity_id, _, _ in values_of(dataset)}
    assert ids == {f"{w}-{b}-{n}" for w in range(2) for b in range(3) for n in range(3)}
    assert dataset.holders() == []


def test_the_command_finds_the_lake_by_the_usual_variables(
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> None:
    file = write_lines(tmp_path / "entities.ftm.json", entities())
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def lakehouse(*args: str) -> bytes:
        code = main(["--uri", bucket.uri, *args])
        captured = capsysbinary.readouterr()
        assert code == 0, captured.err
        return captured.out

    lakehouse("dataset", "create", "acme")
    lakehouse("import", "-d", "acme", str(file))
    lakehouse("make", "-d", "acme")
    assert json.loads(lakehouse("get", "-d", "acme", "c1"))["id"] == "c1"
    assert {"lake/acme/index.json", "lake/index.json"} <= set(bucket.keys())
    # nothing of the lake strays to local disk
    assert list(tmp_path.iterdir()) == [file]


def made_by_dagster(defs: dg.Definitions) -> bool:
    """Whether the make job of a lake succeeds for acme."""
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("dataset", ["acme"])
        job = defs.resolve_job_def("make")
        return job.execute_in_process(partition_key="acme", instance=instance, raise_on_error=False).success


def test_dagster_makes_a_dataset_with_its_own_credentials(
    bucket: Bucket, remote: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dagster_aws.s3 import S3Resource

    from lakehouse_assets.defs.build import build_definitions

    monkeypatch.setenv("MY_SECRET", bucket.options["secret"])
    s3 = S3Resource(
        endpoint_url=bucket.server.url,
        region_name="us-east-1",
        aws_access_key_id=bucket.options["key"],
        aws_secret_access_key=dg.EnvVar("MY_SECRET"),
    )
    assert made_by_dagster(build_definitions(bucket.uri, s3=s3))
    assert all(state.fresh for state in remote.status().artifacts.values())


@pytest.mark.parametrize("named", [True, False])
def test_dagster_takes_the_usual_variables_where_it_is_given_no_credentials(
    bucket: Bucket, remote: Dataset, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    from lakehouse_assets.defs.build import build_definitions

    for name, value in {**bucket.environment, "LAKEHOUSE_URI": bucket.uri}.items():
        monkeypatch.setenv(name, value)
    assert made_by_dagster(build_definitions(bucket.uri if named else None))
    assert all(state.fresh for state in remote.status().artifacts.values())
