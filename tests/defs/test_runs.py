from pathlib import Path

import dagster as dg

from lakehouse_assets.defs.runs import run_make
from lakehouse_assets.lake import Dataset, Lake
from tests.defs.conftest import people
from tests.factories import write_lines


def test_files_are_imported_exported_and_listed_in_runs_of_the_instance(
    lake: Lake, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    lake.create_dataset("acme")
    file = write_lines(tmp_path / "e.json", people(3))
    made = list(run_make(lake, instance, files={"acme": [file]}))
    assert [(run.dataset, run.success) for run in made] == [("acme", True), (None, True)]
    assert {run.job_name for run in instance.get_runs()} == {"make", "make_catalog"}
    run = instance.get_run_by_id(made[0].run_id)
    assert run is not None
    assert run.tags["dagster/partition"] == "acme"
    assert lake.dataset("acme").freshness("entities").rows == 3
    assert lake.catalog_freshness().fresh


def test_a_dataset_that_fails_says_why_and_stops_no_other(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance
) -> None:
    lake.create_dataset("bodies")
    first, second, catalog = run_make(lake, instance, files={"acme": ["nowhere.json"]})
    assert not first.success
    assert "nowhere.json" in (first.error or "")
    assert second.success
    assert catalog.success


def test_the_terminal_stays_quiet(acme: Dataset, lake: Lake, instance: dg.DagsterInstance, capfd) -> None:
    list(run_make(lake, instance))
    assert capfd.readouterr() == ("", "")
