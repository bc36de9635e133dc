"""Datasets that are pulled and pushed by runs."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.defs.working import datasets_at_work
from lakehouse_assets.lake import Dataset, Lake
from tests.defs.conftest import Tick, people
from tests.factories import write_lines

ACME = "office/dataset/acme"

Move = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset of five people in another lake, exported."""
    monkeypatch.setenv("LAKEHOUSE_REMOTES", f"office={tmp_path / 'office'}")
    dataset = Lake(tmp_path / "office").create_dataset("acme", title="Acme leak")
    add(dataset, 1, 5)
    dataset.make()
    return dataset


def add(dataset: Dataset, first: int, count: int) -> None:
    path = Path(f"{dataset.lake.location.name}-{first}.json").absolute()
    dataset.import_files([write_lines(path, people(count, start=first))])


def entities(dataset: Dataset) -> int:
    return dataset.status().entities


@pytest.fixture
def move(theirs: Dataset, lake: Lake, instance: dg.DagsterInstance) -> Move:
    def run(job: str, **config: object) -> dg.ExecuteInProcessResult:
        instance.add_dynamic_partitions("pulls" if job == "pull" else "pushes", [ACME])
        return (
            build_definitions(lake.uri)
            .resolve_job_def(job)
            .execute_in_process(
                partition_key=ACME,
                instance=instance,
                run_config={"ops": {f"sync_{job}": {"config": config}}},
                raise_on_error=False,
            )
        )

    return run


def told(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (event,) = (event for event in result.all_events if event.is_step_materialization)
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_a_dataset_is_pulled_and_shown_at_once(
    move: Move, lake: Lake, theirs: Dataset, instance: dg.DagsterInstance
) -> None:
    found = told(move("pull"))
    assert (found["state"], found["why"]) == ("new", "it was not here yet")
    assert entities(lake.dataset("acme")) == 5
    assert instance.get_dynamic_partitions("dataset") == ["acme"]
    filters = dg.AssetRecordsFilter(dg.AssetKey("statements"), asset_partitions=["acme"])
    assert instance.fetch_materializations(filters, limit=1).records
    again = told(move("pull"))
    assert (again["state"], again["bytes_moved"]) == ("same", 0)


def test_a_dataset_that_both_sides_changed_fails_at_once_and_is_resolved_by_union(
    move: Move, lake: Lake, theirs: Dataset, tick: Tick
) -> None:
    move("pull")
    add(lake.dataset("acme"), 10, 2)
    add(theirs, 20, 3)
    failed = move("pull")
    assert not failed.success
    (event,) = (event for event in failed.all_events if event.is_step_failure)
    assert "--resolve union" in str(event.step_failure_data.user_failure_data.description)
    assert entities(lake.dataset("acme")) == 7
    check = tick("watch_remotes").asset_events[0]
    assert isinstance(check, dg.AssetCheckEvaluation)
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert told(move("pull", resolve="union"))["state"] == "merged"
    assert entities(lake.dataset("acme")) == 10
    assert told(move("push"))["state"] == "behind"
    assert entities(theirs) == 10
    assert told(move("push"))["state"] == "same"


def test_a_dataset_of_another_lake_waits_until_it_is_pulled(
    move: Move, theirs: Dataset, tick: Tick, instance: dg.DagsterInstance
) -> None:
    first = tick("watch_remotes")
    assert instance.get_dynamic_partitions("pulls") == [ACME]
    assert first.skip_message == "1 of 1 wait to be pulled"
    move("pull")
    second = tick("watch_remotes", first.cursor)
    assert second.skip_message == "0 of 1 wait to be pulled"
    add(theirs, 6, 1)
    assert tick("watch_remotes", second.cursor).skip_message == "1 of 1 wait to be pulled"


def test_a_dataset_that_cannot_be_read_holds_up_no_other(
    theirs: Dataset, tick: Tick, instance: dg.DagsterInstance, lake: Lake
) -> None:
    for place in (theirs.lake, lake):
        broken = place.create_dataset("broken").location
        broken.write("statements/_delta_log/00000000000000000000.json", f"none of {place.uri}".encode())
    found = tick("watch_remotes")
    assert "1 are left for the next look" in str(found.skip_message)
    assert instance.get_dynamic_partitions("pulls") == [ACME]


def test_a_deletion_is_brought_by_its_partition(
    move: Move, lake: Lake, theirs: Dataset, tick: Tick, instance: dg.DagsterInstance
) -> None:
    move("pull")
    theirs.lake.delete_dataset("acme")
    found = tick("watch_remotes")
    assert found.skip_message == "1 of 1 wait to be pulled"
    assert told(move("pull"))["state"] == "deleted"
    assert lake.datasets() == []
    assert instance.get_dynamic_partitions("dataset") == []
    after = tick("watch_remotes", found.cursor)
    assert after.skip_message == "0 of 0 wait to be pulled"
    assert instance.get_dynamic_partitions("pulls") == []


def test_what_was_deleted_here_is_not_asked_for_again(
    move: Move, lake: Lake, theirs: Dataset, tick: Tick, instance: dg.DagsterInstance
) -> None:
    move("pull")
    lake.delete_dataset("acme")
    assert tick("pull_remotes").run_requests == []
    tick("watch_remotes")
    assert instance.get_dynamic_partitions("pulls") == []
    assert instance.get_dynamic_partitions("pushes") == [ACME]
    assert told(move("push"))["state"] == "deleted"
    assert theirs.lake.datasets() == []


def test_a_dataset_that_is_pulled_counts_as_one_at_work(instance: dg.DagsterInstance) -> None:
    tags = {"dagster/partition": ACME}
    instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED, tags=tags)
    assert "acme" in datasets_at_work(instance)


@dg.job
def nothing() -> None:
    """A job without steps."""
