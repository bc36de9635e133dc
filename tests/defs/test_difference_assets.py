from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.operations import ExportEntitiesJob
from tests.defs.conftest import document, people
from tests.factories import person, write_lines

Make = Callable[..., dg.ExecuteInProcessResult]
Latest = Callable[..., dg.AssetMaterialization]

DIFFS = ["entities_diff", "documents_diff"]


def value(event: dg.AssetMaterialization, name: str) -> object:
    return event.metadata[name].value


def version(event: dg.AssetMaterialization) -> str:
    return (event.tags or {})["dagster/data_version"]


@pytest.fixture
def changed(acme: Dataset, make: Make, tmp_path: Path) -> Dataset:
    """A made dataset, then one person renamed, one new, one gone, and another document."""
    make()
    renamed = person("person-1", name=["Jane Roe"])
    acme.import_files([write_lines(tmp_path / "more.json", [renamed, *people(1, start=9), document(2)])])
    acme.delete(["person-2"])
    return acme


def test_the_first_run_finds_nothing_to_compare_with(acme: Dataset, make: Make, latest: Latest) -> None:
    assert make().success
    for asset in DIFFS:
        assert version(latest(asset)) == "none"
        assert (value(latest(asset), "changed"), value(latest(asset), "kept")) == (0, 0)
    assert not acme.location.exists("diffs/delta.json")


def test_a_run_tells_what_changed_and_shows_the_first_changes(
    changed: Dataset, make: Make, latest: Latest
) -> None:
    assert make().success
    event = latest("entities_diff")
    [difference] = [found for found in changed.differences.versions() if found.kind == "entities"]
    assert version(event) == difference.checksum
    counts = [value(event, name) for name in ("changed", "added", "modified", "deleted", "kept")]
    assert counts == [4, 2, 1, 1, 1]
    assert value(event, "dagster/uri") == changed.location.url(difference.path)
    assert value(event, "bytes") == changed.location.size(difference.path)
    shown = [record.data for record in event.metadata["changes"].records]
    assert {"op": "DEL", "id": "person-2", "schema": "", "caption": ""} in shown
    assert {"op": "ADD", "id": "person-9", "schema": "Person", "caption": "Jane Doe 9"} in shown
    assert [record.data["modified"] for record in event.metadata["versions"].records] == [1]
    documents = latest("documents_diff")
    assert (value(documents, "added"), value(documents, "modified"), value(documents, "deleted")) == (1, 0, 0)
    assert [record.data["id"] for record in documents.metadata["changes"].records] == ["document-2"]
    # the file was made by one asset, which left the rest to the other
    assert changed.jobs.latest(ExportEntitiesJob).diffs == {}


def test_a_run_without_change_materialises_them_with_the_version_from_before(
    changed: Dataset, make: Make, latest: Latest, instance: dg.DagsterInstance
) -> None:
    make()
    before = {asset: version(latest(asset)) for asset in DIFFS}
    files = list(changed.location.keys("diffs"))
    assert make().success
    for asset in DIFFS:
        assert version(latest(asset)) == before[asset]
        assert value(latest(asset), "changed") == 0
        filters = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=["acme"])
        assert len(instance.fetch_materializations(filters, limit=9).records) == 3
    assert list(changed.location.keys("diffs")) == files


def test_an_export_that_is_materialised_alone_keeps_its_differences_itself(
    changed: Dataset, lake: Lake, instance: dg.DagsterInstance
) -> None:
    made = build_definitions(lake.uri)
    assert dg.materialize(
        list(made.assets),
        selection=["entities_json"],
        partition_key="acme",
        instance=instance,
        resources=made.resources,
    ).success
    assert changed.differences.status("entities").fresh
    assert [found.kind for found in changed.differences.versions()] == ["entities"]


def test_differences_that_are_materialised_alone_lead_to_the_file_that_is_there(
    changed: Dataset, lake: Lake, instance: dg.DagsterInstance, latest: Latest
) -> None:
    changed.export("entities", make_diff=False)
    assert changed.check("entities_diff", "is_latest").passed is False
    made = build_definitions(lake.uri)
    assert dg.materialize(
        list(made.assets),
        selection=["entities_diff"],
        partition_key="acme",
        instance=instance,
        resources=made.resources,
    ).success
    assert value(latest("entities_diff"), "changed") == 4
    assert changed.check("entities_diff", "is_latest").passed
    assert changed.check("index_json", "intact").passed


def test_the_index_follows_when_something_changed_and_names_the_list(
    changed: Dataset, make: Make, latest: Latest
) -> None:
    make()
    shown = [record.data["name"] for record in latest("index_json").metadata["resources"].records]
    assert shown[-1] == "delta.json"
