from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._utils.test.data_versions import get_stale_status_resolver

from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.defs.runs import run_make
from lakehouse_assets.lake import Dataset, Lake
from tests.defs.conftest import document, people
from tests.factories import entity, write_lines

EXPORTS = [artifact.asset for artifact in artifacts.FILES]

Make = Callable[..., dg.ExecuteInProcessResult]
Latest = Callable[..., dg.AssetMaterialization]


def value(event: dg.AssetMaterialization, name: str) -> object:
    return event.metadata[name].value


def version(event: dg.AssetMaterialization) -> str:
    return (event.tags or {})["dagster/data_version"]


def status(lake: Lake, instance: dg.DagsterInstance, asset: str, partition: str | None = "acme") -> str:
    # those that nothing materialises cannot be stale
    made = [
        each for each in build_definitions(lake.uri).assets or () if isinstance(each, dg.AssetsDefinition)
    ]
    resolver = get_stale_status_resolver(instance, made)
    return resolver.get_status(dg.AssetKey(asset), partition).value


def failure(result: dg.ExecuteInProcessResult) -> str:
    found = next(event for event in result.all_events if event.is_step_failure)
    return found.step_failure_data.user_failure_data.description


def test_make_writes_every_file_and_reports_its_rows_size_and_digest(
    acme: Dataset, make: Make, latest: Latest
) -> None:
    assert make().success
    for artifact in artifacts.FILES:
        event = latest(artifact.asset)
        state = acme.freshness(artifact.name)
        assert state.fresh
        assert version(event) == value(event, "sha256") == state.digest
        assert value(event, "bytes") == state.bytes == acme.location.size(artifact.path)
        assert value(event, "dagster/uri") == acme.location.url(artifact.path)
        assert value(event, "skipped") is False
    assert value(latest("entities_json"), "dagster/row_count") == 6
    assert value(latest("documents_csv"), "dagster/row_count") == 1


def test_statements_report_the_content_version_and_what_is_in_the_table(
    acme: Dataset, make: Make, latest: Latest
) -> None:
    make()
    event = latest("statements")
    assert version(event) == acme.content_version()
    assert value(event, "entities") == 6
    assert value(event, "dagster/row_count") == 5 * 3 + 4
    assert value(event, "skipped") is True


def test_pages_show_the_beginning_of_each_file(acme: Dataset, make: Make, latest: Latest) -> None:
    make()
    rows = latest("statements_csv").metadata["preview"]
    assert isinstance(rows, dg.TableMetadataValue)
    assert {record.data["prop"] for record in rows.records} <= {
        "id",
        "fileName",
        "contentHash",
        "fileSize",
        "country",
    }
    entities = latest("entities_json").metadata["preview"]
    assert entities.records[0].data["caption"] == "report-1.pdf"
    assert "Person    ████" in value(latest("statistics_json"), "by_schema")
    assert value(latest("statistics_json"), "entities") == 6
    assert len(latest("index_json").metadata["resources"].records) == 5
    assert latest("documents_csv").metadata["preview"].records[0].data["name"] == "report-1.pdf"


def test_previews_are_read_from_compressed_files_too(acme: Dataset, make: Make, latest: Latest) -> None:
    acme.configure(compression="zst")
    make()
    assert value(latest("entities_json"), "dagster/uri").endswith("entities.ftm.json.zst")
    assert latest("entities_json").metadata["preview"].records[0].data["caption"] == "report-1.pdf"


def test_previews_stay_small_whatever_the_values_are(
    lake: Lake, make: Make, latest: Latest, tmp_path: Path
) -> None:
    long = entity("p", "Person", name=["x" * 200_000], notes=["y" * 400_000])
    file = write_lines(tmp_path / "long.json", [long, *people(1)])
    lake.create_dataset("acme").import_files([file], trusted=True)
    assert make().success
    for asset in ("statements", *EXPORTS):
        shown = {name: str(found) for name, found in latest(asset).metadata.items()}
        assert sum(map(len, shown.values())) < 50_000


def test_second_run_skips_everything_and_reports_the_same_data_versions(
    acme: Dataset, make: Make, latest: Latest
) -> None:
    make()
    before = {asset: version(latest(asset)) for asset in ("statements", *EXPORTS)}
    written = {key: acme.location.modified(key) for key in acme.location.keys("exports")}
    assert make().success
    assert {asset: version(latest(asset)) for asset in before} == before
    assert all(value(latest(asset), "skipped") for asset in EXPORTS)
    assert {key: acme.location.modified(key) for key in acme.location.keys("exports")} == written


def test_force_in_the_run_config_makes_an_export_again(
    acme: Dataset, make: Make, defs: dg.Definitions, instance: dg.DagsterInstance, latest: Latest
) -> None:
    make()
    before = version(latest("entities_json"))
    config = {"ops": {"entities_json": {"config": {"force": True}}}}
    job = defs.resolve_job_def("make")
    assert job.execute_in_process(partition_key="acme", instance=instance, run_config=config).success
    assert value(latest("entities_json"), "skipped") is False
    assert version(latest("entities_json")) == before


def test_files_in_the_run_config_are_imported(lake: Lake, make: Make, latest: Latest, tmp_path: Path) -> None:
    lake.create_dataset("acme")
    file = write_lines(tmp_path / "e.json", [*people(1), document(2)])
    with file.open("a") as out:
        out.write("no json\n")
    assert make(files=[str(file)], origin="leak", mode="trusted", role="desk", last_seen="2026-01-02").success
    event = latest("statements")
    assert value(event, "imported_entities") == 2
    assert value(event, "bad_lines") == 1
    assert value(event, "mode") == "trusted"
    assert "quarantine/" in value(event, "quarantine")
    entity = lake.dataset("acme").get(["person-1"])["person-1"]
    assert b'"origin":["leak"]' in entity
    assert b'"role":["desk"]' in entity
    assert b"2026-01-02T00:00:00" in entity


def test_a_bad_line_fails_a_strict_import_with_its_place_and_changes_nothing(
    acme: Dataset, make: Make, tmp_path: Path
) -> None:
    before = acme.content_version()
    file = write_lines(tmp_path / "bad.json", [entity("x", "Nonsense")])
    result = make(files=[str(file)], strict=True)
    assert not result.success
    assert "Nonsense" in failure(result)
    assert acme.content_version() == before


@pytest.mark.parametrize(
    ("config", "reason"),
    [({"files": ["nowhere.json"]}, "nowhere.json"), ({"files": ["x"], "last_seen": "soon"}, "last_seen")],
)
def test_run_config_that_cannot_be_used_fails_with_the_reason(
    acme: Dataset, make: Make, config: dict[str, object], reason: str
) -> None:
    assert reason in failure(make(**config))


def test_a_partition_without_a_dataset_fails_with_what_to_do(lake: Lake, make: Make) -> None:
    assert "lakehouse dataset create ghost" in failure(make("ghost"))


def test_stale_status_follows_an_import_one_step_after_the_other(
    acme: Dataset, lake: Lake, make: Make, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    make()
    assert {status(lake, instance, asset) for asset in EXPORTS} == {"FRESH"}
    more = write_lines(tmp_path / "more.json", people(1, start=9))
    with_files = {"ops": {"statements": {"config": {"files": [str(more)]}}}}
    only_statements = list(build_definitions(lake.uri).assets)
    assert dg.materialize(
        only_statements,
        selection=["statements"],
        partition_key="acme",
        instance=instance,
        run_config=with_files,
        resources=build_definitions(lake.uri).resources,
    ).success
    assert status(lake, instance, "entities_json") == "STALE"
    make()
    assert status(lake, instance, "entities_json") == "FRESH"


def test_merging_is_observed_and_makes_nothing_stale(
    acme: Dataset,
    lake: Lake,
    make: Make,
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    tmp_path: Path,
) -> None:
    acme.import_files([tmp_path / "entities.ftm.json"])
    make()
    before = acme.content_version()
    merged = defs.resolve_job_def("merge").execute_in_process(partition_key="acme", instance=instance)
    assert merged.success
    filters = dg.AssetRecordsFilter(dg.AssetKey("statements"), asset_partitions=["acme"])
    seen = instance.fetch_observations(filters, limit=1).records[0].asset_observation
    assert seen.metadata["rows_before"].value > seen.metadata["rows_after"].value
    assert acme.content_version() == before
    assert {status(lake, instance, asset) for asset in EXPORTS} == {"FRESH"}


def test_compacting_and_vacuuming_are_observed_and_make_nothing_stale(
    acme: Dataset,
    lake: Lake,
    make: Make,
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    tmp_path: Path,
) -> None:
    acme.import_files([tmp_path / "entities.ftm.json"])
    make()
    before = acme.content_version()
    for job in ("compact", "vacuum"):
        done = defs.resolve_job_def(job).execute_in_process(partition_key="acme", instance=instance)
        assert done.success
    filters = dg.AssetRecordsFilter(dg.AssetKey("statements"), asset_partitions=["acme"])
    vacuumed, compacted = (
        record.asset_observation for record in instance.fetch_observations(filters, limit=2).records
    )
    assert compacted.metadata["files_before"].value > compacted.metadata["files_after"].value
    assert vacuumed.metadata["files"].value == compacted.metadata["files_before"].value
    assert acme.content_version() == before
    assert {status(lake, instance, asset) for asset in EXPORTS} == {"FRESH"}


def test_the_catalogue_lists_every_dataset_and_is_skipped_when_none_changed(
    acme: Dataset, lake: Lake, make: Make, defs: dg.Definitions, instance: dg.DagsterInstance, latest: Latest
) -> None:
    lake.create_dataset("bodies")
    make()
    make("bodies")
    job = defs.resolve_job_def("make_catalog")
    assert job.execute_in_process(instance=instance).success
    event = latest("catalog_index", None)
    assert value(event, "dagster/row_count") == 2
    assert [record.data["title"] for record in event.metadata["datasets"].records] == ["Acme leak", "bodies"]
    job.execute_in_process(instance=instance)
    assert value(latest("catalog_index", None), "skipped") is True
    assert version(latest("catalog_index", None)) == version(event)


def test_an_export_that_is_made_alone_mends_the_index(
    acme: Dataset,
    make: Make,
    lake: Lake,
    instance: dg.DagsterInstance,
    tmp_path: Path,
) -> None:
    make()
    acme.import_files([write_lines(tmp_path / "more.json", people(1, start=7))])
    made = build_definitions(lake.uri)
    assert dg.materialize(
        list(made.assets),
        selection=["entities_json"],
        partition_key="acme",
        instance=instance,
        resources=made.resources,
    ).success
    assert acme.check("index_json", "intact").passed


def test_observing_reports_the_digest_of_each_config(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance
) -> None:
    made = build_definitions(lake.uri)
    instance.add_dynamic_partitions("dataset", ["acme"])
    sources = [asset for asset in made.assets if asset.key == dg.AssetKey("dataset_config")]
    from dagster._core.definitions.observe import observe

    assert observe(sources, instance=instance, resources=made.resources, partition_key="acme").success
    filters = dg.AssetRecordsFilter(dg.AssetKey("dataset_config"), asset_partitions=["acme"])
    seen = instance.fetch_observations(filters, limit=1).records[0].asset_observation
    assert seen.tags["dagster/data_version"] == acme.config_digest()


def test_a_run_does_its_work_itself_even_if_a_dagster_to_delegate_to_is_named(
    acme: Dataset, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_DAGSTER_URL", "http://127.0.0.1:9")
    made, catalog = run_make(Lake(acme.lake.uri), instance)
    assert made.success, made.error
    assert catalog.success, catalog.error
    assert acme.freshness("index").fresh
