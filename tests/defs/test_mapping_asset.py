from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets import layout
from lakehouse_assets.defs.report import report_dataset
from lakehouse_assets.lake import Dataset, Lake
from tests.unit.mapping.tables import MAPPING, csv_bytes

Make = Callable[..., dg.ExecuteInProcessResult]
Latest = Callable[..., dg.AssetMaterialization]
Materialize = Callable[..., bool]


@pytest.fixture
def tables(lake: Lake, tmp_path: Path, instance: dg.DagsterInstance) -> Dataset:
    """A dataset with a mapping that did not run yet."""
    dataset = lake.create_dataset("acme")
    (tmp_path / "companies.yml").write_text(MAPPING)
    (tmp_path / "companies.csv").write_bytes(csv_bytes())
    dataset.mappings.add(tmp_path / "companies.yml", file=tmp_path / "companies.csv")
    instance.add_dynamic_partitions("dataset", [dataset.name])
    return dataset


@pytest.fixture
def materialize(defs: dg.Definitions, tables: Dataset, instance: dg.DagsterInstance) -> Materialize:
    """Materialises the mappings alone, with some config; whether that went well."""
    job = defs.resolve_implicit_global_asset_job_def()

    def run(**config: object) -> bool:
        return job.execute_in_process(
            partition_key=tables.name,
            asset_selection=[dg.AssetKey("mappings")],
            instance=instance,
            run_config={"ops": {"mappings": {"config": config}}},
            raise_on_error=False,
        ).success

    return run


def spoil(dataset: Dataset) -> None:
    key = layout.mapping(dataset.mappings.hashes()[0])
    dataset.location.write(key, dataset.location.read(key).replace(b"Company", b"Compny"))


def test_materialising_runs_what_changed_and_shows_what_came_of_it(
    tables: Dataset, materialize: Materialize, latest: Latest
) -> None:
    assert materialize()
    shown = latest("mappings").metadata
    assert (shown["rows_read"].value, shown["entities"].value, shown["quarantined_rows"].value) == (3, 3, 0)
    assert "Company" in shown["entities_by_schema"].value
    [row] = shown["mappings"].value.records
    assert row.data["path"] == "companies.csv"
    assert latest("mappings").tags["dagster/data_version"] == tables.mappings.version()
    assert latest("statements").tags["dagster/data_version"] == tables.content_version()


def test_what_is_fresh_is_left_alone_and_keeps_its_version(
    tables: Dataset, materialize: Materialize, latest: Latest
) -> None:
    materialize()
    before, content = latest("mappings").tags["dagster/data_version"], tables.content_version()
    materialize()
    assert latest("mappings").tags["dagster/data_version"] == before
    assert "rows_read" not in latest("mappings").metadata
    assert tables.content_version() == content
    materialize(force=True)
    assert tables.content_version() != content


def test_what_they_make_may_go_into_the_journal(tables: Dataset, materialize: Materialize) -> None:
    content = tables.content_version()
    materialize(journal=True)
    assert tables.content_version() == content
    assert tables.status().journal_rows
    tables.flush()
    assert tables.content_version() != content


def test_make_runs_mappings_before_the_exports(tables: Dataset, make: Make, latest: Latest) -> None:
    assert make().success
    assert latest("entities_json").metadata["dagster/row_count"].value == 3
    assert tables.check("mappings", "is_latest").passed


def test_a_mapping_that_fails_fails_by_itself_but_keeps_no_export_from_being_made(
    tables: Dataset, materialize: Materialize, make: Make, latest: Latest
) -> None:
    spoil(tables)
    assert not materialize()
    assert make().success
    assert "did you mean Company" in str(latest("mappings").metadata["failures"].value.records)
    assert not tables.check("mappings", "is_latest").passed


def test_what_the_command_line_mapped_is_told_to_dagster(
    tables: Dataset, instance: dg.DagsterInstance, latest: Latest
) -> None:
    report_dataset(instance, tables)
    before = latest("mappings").tags["dagster/data_version"]
    list(tables.mappings.run())
    assert set(report_dataset(instance, tables)) == {"mappings", "journal", "statements"}
    assert latest("mappings").tags["dagster/data_version"] != before
    assert report_dataset(instance, tables) == []
