"""What pipeline.yml asserts holds in runs, too."""

from collections.abc import Callable

import dagster as dg
import pytest

from lakehouse_assets.defs.jobs import MAKE
from lakehouse_assets.lake import Dataset

Make = Callable[..., dg.ExecuteInProcessResult]
FILES = ["statements_csv", "entities_json", "documents_csv", "statistics_json"]


@pytest.fixture
def refused(acme: Dataset) -> Dataset:
    """A dataset that was made, and of which something else is asserted now than it holds."""
    acme.make()
    acme.delete(["person-1"])
    acme.location.write("pipeline.yml", b"assertions: {schema: {Person: {min: 5}}}")
    return acme


def test_a_run_publishes_nothing_and_names_both_numbers(refused: Dataset, make: Make) -> None:
    before = {file: refused.location.read(file) for file in ("entities.ftm.json", "index.json")}
    result = make()
    assert not result.success
    failed = {event.step_key: event.step_failure_data for event in result.all_events if event.is_step_failure}
    assert set(failed) == set(FILES)
    told = failed["entities_json"].user_failure_data
    assert told is not None
    assert "4 entities are of schema Person, at least 5 are wanted" in (told.description or "")
    assert told.metadata["error"].value == "AssertionFailed"
    assert "at least 5" in str(told.metadata["failed_assertions"].value)
    # asking again would not help
    assert not any(event.is_step_restarted for event in result.all_events)
    assert {file: refused.location.read(file) for file in before} == before


def test_a_run_of_make_leaves_the_verdict_on_the_statements_page(refused: Dataset, make: Make) -> None:
    (found,) = [each for each in make().get_asset_check_evaluations() if each.check_name == "assertions"]
    assert (found.asset_key.to_user_string(), found.partition, found.passed) == ("statements", "acme", False)


def test_a_run_publishes_anyway_when_told_so_and_says_it(
    refused: Dataset,
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    latest: Callable[..., dg.AssetMaterialization],
) -> None:
    instance.add_dynamic_partitions("dataset", ["acme"])
    ops = {asset: {"config": {"assertions": False}} for asset in [*FILES, "index_json"]}
    result = defs.resolve_job_def(MAKE).execute_in_process(
        {"ops": ops}, partition_key="acme", instance=instance, raise_on_error=False
    )
    assert result.success
    said = latest("entities_json").metadata["failed_assertions"].value
    assert "4 entities are of schema Person, at least 5 are wanted" in str(said)
    assert "failed_assertions" in latest("index_json").metadata


def test_what_holds_leaves_no_note(
    acme: Dataset, make: Make, latest: Callable[..., dg.AssetMaterialization]
) -> None:
    acme.location.write("pipeline.yml", b"assertions: {schema: {Person: {min: 5}}}")
    assert make().success
    assert "failed_assertions" not in latest("entities_json").metadata
