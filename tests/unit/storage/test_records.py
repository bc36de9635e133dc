from pathlib import Path

import pytest

from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.records import Records, Written


@pytest.fixture
def location(tmp_path: Path) -> Location:
    return Location(tmp_path / "acme")


def test_a_record_comes_back_as_it_was(location: Location) -> None:
    written = Written(
        digest="ab", size=5, rows=1, source={"statements": "id:7"}, path="exports/statements.csv.gz"
    )
    records = Records(location)
    assert records.get("exports/statements.csv") is None
    records.put("exports/statements.csv", written)
    assert records.get("exports/statements.csv") == written
    assert location.exists("tags/lakehouse/exports/statements.csv-written")
    assert records.delete("exports/statements.csv")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"digest": "ab"}', b"\xff"])
def test_a_record_that_cannot_be_read_counts_as_none(location: Location, data: bytes) -> None:
    location.write("tags/lakehouse/index.json-written", data)
    assert Records(location).get("index.json") is None
