"""Tables and mappings in a bucket."""

from pathlib import Path

import pytest

from lakehouse_assets.lake import Dataset, Lake
from tests.factories import values_of
from tests.s3.store import Bucket
from tests.unit.mapping.tables import HEADER, MAPPING, ROWS, csv_bytes, workbook


@pytest.fixture
def acme(bucket: Bucket) -> Dataset:
    """A dataset in a bucket, without anything in it."""
    return Lake(bucket.uri, bucket.options).create_dataset("acme")


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_table_in_a_bucket_becomes_entities(acme: Dataset, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "companies.csv"
    path.write_bytes(csv_bytes() if kind == "csv" else workbook(tmp_path, first=[HEADER, *ROWS]).read_bytes())
    (tmp_path / "companies.yml").write_text(MAPPING)
    added = acme.mappings.add(tmp_path / "companies.yml", file=path)
    job = acme.mappings.run_one(added.mapping.content_hash)
    assert (job.entities, job.missing, job.errors) == (3, [], 0)
    assert {value for _, prop, value in values_of(acme) if prop == "name"} == {row[1] for row in ROWS}
    assert acme.mappings.run_one(added.mapping.content_hash).skipped
    assert [version.key for version in acme.versions.list() if version.key.startswith("mappings/")]


def test_a_newer_table_in_a_bucket_takes_the_place_of_the_earlier_one(acme: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "companies.csv"
    (tmp_path / "companies.yml").write_text(MAPPING)
    for rows in ([HEADER, *ROWS], [HEADER, ["4", "New", "it"]]):
        path.write_bytes(csv_bytes(rows))
        added = acme.mappings.add(tmp_path / "companies.yml", file=path)
        [ran] = acme.mappings.run()
        assert ran.error is None
    assert {value for _, prop, value in values_of(acme) if prop == "name"} == {"New"}
    assert acme.mappings.wanted() == [added.mapping.content_hash]
