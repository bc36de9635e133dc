from pathlib import Path

import dagster as dg

from lakehouse_assets.defs.runs import run_checks, run_make
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


def test_all_checks_of_a_lake_in_one_run(acme: Dataset, lake: Lake, instance: dg.DagsterInstance) -> None:
    list(run_make(lake, instance))
    run = run_checks(lake, instance)
    assert run.success
    found = [
        record.event_log_entry.dagster_event.asset_check_evaluation_data
        for record in instance.get_records_for_run(run.run_id).records
        if record.event_log_entry.dagster_event.event_type_value == "ASSET_CHECK_EVALUATION"
    ]
    names = {"is_latest", "intact", "reconciles", "canonical", "assertions", "references", "unfinished_state"}
    assert {check.check_name for check in found} == names
    assert {check.partition for check in found} == {"acme", None}
    assert all(check.passed for check in found)


def test_a_dataset_that_a_run_works_on_is_not_called_stale_or_fresh_by_another_run(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance
) -> None:
    list(run_make(lake, instance))

    @dg.job
    def at_work() -> None:
        """No steps: it only has to be there."""

    instance.create_run_for_job(
        at_work, status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": "acme"}
    )
    records = instance.get_records_for_run(run_checks(lake, instance).run_id).records
    told = {
        (event.asset_check_evaluation_data.check_name, event.asset_check_evaluation_data.partition)
        for record in records
        if (event := record.event_log_entry.dagster_event) is not None
        and event.event_type_value == "ASSET_CHECK_EVALUATION"
    }
    assert ("is_latest", None) in told
    assert ("is_latest", "acme") not in told
    assert ("intact", "acme") in told


def test_the_terminal_stays_quiet(acme: Dataset, lake: Lake, instance: dg.DagsterInstance, capfd) -> None:
    list(run_make(lake, instance))
    assert capfd.readouterr() == ("", "")
