"""Finding what is gone although something refers to it."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.collections import Schema
from lakehouse_assets.lake import Dataset
from tests.factories import company, make_dataset


@pytest.fixture
def acme(tmp_path: Path) -> Dataset:
    acme = make_dataset(tmp_path / "lake")
    acme.import_entities([company()])
    acme.import_entities([company("c2")], journal=True)
    acme.archive.put(io.BytesIO(b"file"), key="a.txt")
    acme.archive.put(io.BytesIO(b"other"), key="b.txt")
    made = acme.lake.collections.create_collection(Schema(time="int*"), "times")
    (made / "s").write({"time": [1]})
    return acme


def some_file(pattern: str) -> Callable[[Path], Path]:
    return lambda root: sorted(root.glob(pattern))[0]


def test_a_whole_lake_passes(acme: Dataset) -> None:
    found = acme.lake.check_references()
    assert (found.passed, found.mend) == (True, "")
    assert found.metadata == {"referenced": 5, "missing": 0, "hashed_bytes": 9, "damaged": 0}
    assert acme.lake.check_references(["times"]).metadata["referenced"] == 1
    assert acme.lake.check_references(sample=0).metadata["hashed_bytes"] == 0


@pytest.mark.parametrize(
    "pattern",
    [
        "acme/archive/*/*/*/*/blob",
        "acme/statements/shard=*/*/*/*.parquet",
        "acme/journal/rows/**/*.parquet",
        ".lakehouse/collections/*/*.parquet",
        ".lakehouse/collections/*/_delta_log/*0.json",
    ],
)
def test_a_file_that_is_gone_is_named(acme: Dataset, pattern: str) -> None:
    root = acme.lake.location.path
    assert root is not None
    gone = some_file(pattern)(root)
    gone.unlink()
    found = acme.lake.check_references()
    assert (found.passed, found.severity, found.metadata["missing"]) == (False, "ERROR", 1)
    if "_delta_log" not in pattern:
        assert found.table[0]["file"] == gone.relative_to(root).as_posix()


def test_a_damaged_content_and_a_mapping_without_its_table_are_found(acme: Dataset) -> None:
    root = acme.lake.location.path
    assert root is not None
    blob = some_file("acme/archive/*/*/*/*/blob")(root)
    blob.write_bytes(b"torn")
    acme.location.write(layout.mapping("0" * 64), b"queries: []")
    found = acme.lake.check_references()
    assert (found.metadata["missing"], found.metadata["damaged"]) == (1, 1)
    assert "mapping.yml" in str(found.table[0]["referred to by"])
    assert "damaged" in str(found.table[1]["referred to by"])
