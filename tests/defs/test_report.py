from collections.abc import Callable
from pathlib import Path

import dagster as dg

from lakehouse_assets.defs.report import report_dataset, report_maintenance, report_removal
from lakehouse_assets.defs.runs import run_make
from lakehouse_assets.lake import Dataset, Lake
from tests.defs.conftest import people
from tests.factories import entity, write_lines

Latest = Callable[..., dg.AssetMaterialization]

FILES = [
    "statements_csv",
    "entities_json",
    "documents_csv",
    "statistics_json",
    "entities_diff",
    "documents_diff",
    "index_json",
]


def test_what_a_command_made_is_told_once(
    acme: Dataset, instance: dg.DagsterInstance, latest: Latest
) -> None:
    acme.make()
    told = report_dataset(instance, acme)
    assert told == ["dataset_config", "archive", "mappings", "journal", "statements", *FILES, "catalog_index"]
    assert instance.get_dynamic_partitions("dataset") == ["acme"]
    assert latest("entities_json").metadata["dagster/row_count"].value == 6
    assert latest("entities_json").tags["dagster/data_version"] == acme.freshness("entities").digest
    assert report_dataset(instance, acme) == []


def test_only_what_changed_is_told(acme: Dataset, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    acme.make()
    report_dataset(instance, acme)
    acme.import_files([write_lines(tmp_path / "more.json", people(1, start=9))])
    assert report_dataset(instance, acme) == ["statements"]
    acme.export("entities")
    assert report_dataset(instance, acme) == ["entities_json", "entities_diff", "index_json", "catalog_index"]


def test_an_import_is_told_with_its_counts(
    acme: Dataset, instance: dg.DagsterInstance, latest: Latest, tmp_path: Path
) -> None:
    file = write_lines(
        tmp_path / "more.json",
        [*people(2, start=9), entity("x", "Person", height=["tall"], name=["X"], birthDate=["soon"])],
    )
    job = acme.import_files([file])
    report_dataset(instance, acme, job=job)
    shown = latest("statements").metadata
    assert shown["imported_entities"].value == 3
    assert "Person.birthDate" in shown["rejected_values"].value


def test_what_runs_made_needs_no_telling(acme: Dataset, lake: Lake, instance: dg.DagsterInstance) -> None:
    assert all(made.success for made in run_make(lake, instance))
    assert report_dataset(instance, acme) == []


def test_a_merge_is_an_observation(acme: Dataset, instance: dg.DagsterInstance) -> None:
    report_dataset(instance, acme)
    report_maintenance(instance, acme.merge(force=True))
    filters = dg.AssetRecordsFilter(dg.AssetKey("statements"), asset_partitions=["acme"])
    assert len(instance.fetch_observations(filters, limit=5).records) == 1
    assert len(instance.fetch_materializations(filters, limit=5).records) == 1
    assert report_dataset(instance, acme) == []


def test_compactions_and_vacuums_are_observations(acme: Dataset, instance: dg.DagsterInstance) -> None:
    report_dataset(instance, acme)
    report_maintenance(instance, acme.compact(force=True))
    report_maintenance(instance, acme.vacuum())
    filters = dg.AssetRecordsFilter(dg.AssetKey("statements"), asset_partitions=["acme"])
    found = [record.asset_observation for record in instance.fetch_observations(filters, limit=5).records]
    assert [event.description for event in found if event] == ["vacuumed", "compacted"]
    assert report_dataset(instance, acme) == []


def test_a_dataset_that_was_removed_is_no_partition_any_more(
    acme: Dataset, instance: dg.DagsterInstance
) -> None:
    report_dataset(instance, acme)
    report_removal(instance, "acme")
    report_removal(instance, "acme")
    assert instance.get_dynamic_partitions("dataset") == []
