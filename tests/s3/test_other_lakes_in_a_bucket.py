"""Other lakes that lie in buckets: looked at from outside, brought from there and there."""

import time
from pathlib import Path

import pytest

from lakehouse_assets.collections import Schema
from lakehouse_assets.defs import sync_looks
from lakehouse_assets.defs.shared_names import Shared
from lakehouse_assets.defs.sync_looks import Comparison, compare
from lakehouse_assets.defs.sync_work import move
from lakehouse_assets.lake import Lake
from tests.factories import person, write_lines
from tests.s3.store import Bucket

RATES = Schema(day="date*", rate="float")
ACME = Shared("acme", "dataset")
TABLE = Shared("rates")


@pytest.fixture
def lake(tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake on disk, which knows of the one in the bucket."""
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LAKEHOUSE_REMOTES", f"office={bucket.uri}")
    lake = Lake(tmp_path / "lake")
    rates = lake.collections.create_collection(RATES, "rates")
    (rates / "CZK").write({"day": ["2026-01-05"], "rate": [0.0411]})
    acme = lake.create_dataset("acme")
    acme.import_files([write_lines(tmp_path / "people.json", [person("p1")])])
    return lake


def states(found: Comparison) -> dict[str, list[str]]:
    return {pair.partition: [state.name for state in pair.states.values()] for pair in found.pairs}


def seen(found: Comparison) -> dict[str, str]:
    return {pair.partition: pair.write() for pair in found.pairs}


def test_tables_and_datasets_are_pushed_to_a_bucket_and_pulled_from_there(lake: Lake, tmp_path: Path) -> None:
    office = lake.remote("office")
    first = compare(lake, ["office"], {})
    assert states(first) == {"office/rates": ["new"], "office/dataset/acme": ["new"]}
    for shared in (TABLE, ACME):
        assert move(lake, office, shared, direction="push").state == "new"
    second = compare(lake, ["office"], seen(first))
    assert states(second) == {"office/rates": ["same", "same"], "office/dataset/acme": ["same", "same"]}
    rates = office.collections.get("rates")
    (rates / "CZK").write({"day": ["2026-01-06"], "rate": [0.0412]})
    third = compare(lake, ["office"], seen(second))
    assert states(third)["office/rates"] == ["behind", "ahead"]
    moved = move(lake, office, TABLE, direction="pull")
    assert (moved.state, moved.blobs_moved) == ("behind", 1)
    copy = Lake(tmp_path / "copy")
    assert move(copy, office, ACME, direction="pull").state == "new"
    assert copy.dataset("acme").status().entities == 1


def test_a_bucket_that_says_nothing_holds_a_look_up_for_a_moment_only(
    lake: Lake, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = compare(lake, ["office"], {})
    monkeypatch.setitem(sync_looks._PATIENCE, "timeout", "1")
    bucket.rule(methods=["GET"], contains=bucket.name, hang=30)
    began = time.monotonic()
    found = compare(lake, ["office"], seen(before))
    assert time.monotonic() - began < 20
    assert list(found.failed) == ["office"]
    assert seen(found) == seen(before)
