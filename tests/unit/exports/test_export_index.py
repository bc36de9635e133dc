import hashlib
import json
from datetime import UTC, datetime

from lakehouse_assets.exports.index import IndexJson
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.storage.records import Written
from tests.unit.exports.tables import make_view, people

ALL = ["statements.csv", "entities.ftm.json", "documents.csv", "documents.crawl.csv", "statistics.json"]


def index_of(view):
    IndexJson().write(view)
    return json.loads(view.location.read("index.json"))


def export(view, *names, at=datetime(2026, 1, 1, 12, tzinfo=UTC)):
    """Write exports, and their records as operations do."""
    for name in names:
        for result in EXPORTS[name].write(view):
            written = Written(result.digest, result.bytes, result.rows, {}, at, result.path)
            view.records.put(result.key, written)


def test_exports_are_written_in_the_order_in_which_they_need_each_other():
    assert list(EXPORTS) == ["statements", "entities", "documents", "statistics", "index"]


def test_a_dataset_without_exports_lists_nothing(tmp_path):
    found = index_of(make_view(tmp_path))
    assert (found["name"], found["resources"], "entity_count" in found) == ("acme", [], False)


def test_the_index_lists_the_files_with_size_and_checksum(tmp_path):
    view = make_view(tmp_path, people())
    export(view, "statements", "entities", "documents", "statistics")
    found = index_of(view)
    assert [resource["name"] for resource in found["resources"]] == ALL
    entities = found["resources"][1]
    data = view.location.read("entities.ftm.json")
    assert entities == {
        "name": "entities.ftm.json",
        "checksum": hashlib.sha256(data).hexdigest(),
        "timestamp": "2026-01-01T12:00:00",
        "mime_type": "application/json+ftm",
        "size": len(data),
        "mime_type_label": "FollowTheMoney Entities",
    }


def test_under_a_public_prefix_files_have_addresses(tmp_path):
    view = make_view(tmp_path, people(), prefix="https://data.example.org/${dataset}")
    export(view, "statements")
    assert [resource["url"] for resource in index_of(view)["resources"]] == [
        "https://data.example.org/acme/exports/statements.csv"
    ]


def test_the_index_tells_the_counts(tmp_path):
    view = make_view(tmp_path, people())
    export(view, "statistics")
    found = index_of(view)
    assert (found["entity_count"], found["thing_count"]) == (4, 3)
    assert found["stats"]["countries"] == ["de", "fr"]


def test_a_compressed_export_is_listed_under_its_own_name(tmp_path):
    view = make_view(tmp_path, people(), compression="gz")
    export(view, "entities")
    [found] = index_of(view)["resources"]
    assert (found["name"], found["mime_type"]) == ("entities.ftm.json.gz", "application/json+ftm")


def test_a_timestamp_is_when_the_bytes_changed(tmp_path):
    view = make_view(tmp_path, people())
    export(view, "entities")
    first = index_of(view)
    export(view, "entities", at=datetime(2027, 1, 1, tzinfo=UTC))
    assert index_of(view) == first
    assert len(view.versions.list("index.json")) == 1


def test_a_file_that_another_program_replaced_is_read_anew(tmp_path):
    view = make_view(tmp_path, people())
    export(view, "entities")
    index_of(view)
    view.location.write("entities.ftm.json", b"{}\n")
    [found] = index_of(view)["resources"]
    assert (found["size"], found["checksum"]) == (3, hashlib.sha256(b"{}\n").hexdigest())


def test_files_that_somebody_else_publishes_stay_listed(tmp_path):
    theirs = {"name": "source.zip", "url": "https://example.org/source.zip"}
    stale = {"name": "statements.csv", "url": "https://example.org/old.csv"}
    found = index_of(make_view(tmp_path, resources=[theirs, stale]))
    assert [resource["name"] for resource in found["resources"]] == ["source.zip"]


def test_a_broken_index_is_written_anew(tmp_path):
    view = make_view(tmp_path, people())
    view.location.write("index.json", b"{")
    assert index_of(view)["name"] == "acme"
