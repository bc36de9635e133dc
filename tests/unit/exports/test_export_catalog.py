import json
from datetime import UTC, datetime

from lakehouse_assets.exports.catalog import write_catalog
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.tags import Tags
from lakehouse_assets.storage.versions import Versions


def index(lake, name, at):
    dataset = lake / name
    Versions(dataset, Tags(dataset)).write("index.json", json.dumps({"name": name}).encode(), at)


def test_the_catalog_lists_the_indexes_by_name_and_the_newest_change(tmp_path):
    lake = Location(tmp_path)
    index(lake, "b", datetime(2026, 1, 2, tzinfo=UTC))
    index(lake, "a", datetime(2026, 1, 1, tzinfo=UTC))
    result = write_catalog(lake, ["b", "a"])
    assert lake.read("index.json") == (
        b'{"name":"catalog","title":"Catalog","datasets":[{"name":"a"},{"name":"b"}],'
        b'"updated_at":"2026-01-02T00:00:00"}\n'
    )
    assert result.rows == 2


def test_the_same_datasets_give_the_same_bytes(tmp_path):
    lake = Location(tmp_path)
    index(lake, "a", datetime(2026, 1, 1, tzinfo=UTC))
    first = write_catalog(lake, ["a"])
    changed = lake.modified("index.json")
    assert write_catalog(lake, ["a"]).digest == first.digest
    assert lake.modified("index.json") == changed


def test_datasets_without_an_index_are_left_out_and_named(tmp_path):
    lake = Location(tmp_path)
    lake.write("broken/index.json", b"[")
    result = write_catalog(lake, ["broken", "new"])
    assert lake.read("index.json") == b'{"name":"catalog","title":"Catalog","datasets":[]}\n'
    assert result.notes == {"without_index": ["broken", "new"]}


def test_the_index_that_is_back_to_an_earlier_state_is_as_new_as_its_return(tmp_path):
    lake = Location(tmp_path)
    dataset = lake / "a"
    versions = Versions(dataset, Tags(dataset))
    for month, data in enumerate([b'{"name":"a"}', b'{"name":"a","title":"A"}', b'{"name":"a"}'], start=1):
        versions.write("index.json", data, datetime(2026, month, 1, tzinfo=UTC))
    write_catalog(lake, ["a"])
    assert json.loads(lake.read("index.json"))["updated_at"] == "2026-03-01T00:00:00"
