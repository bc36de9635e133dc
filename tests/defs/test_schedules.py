from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.lake import Dataset, Lake
from tests.defs.conftest import people
from tests.factories import write_lines

NIGHT = datetime(2026, 11, 21, 3, tzinfo=UTC)


def requested(
    lake: Lake, partitions: list[str], schedule: str = "daily_make"
) -> list[tuple[str | None, str | None]]:
    """Partition and run key of the runs that a tick asks for, by default the nightly one."""
    defs = build_definitions(lake.uri)
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("dataset", partitions)
        with dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=NIGHT,
            resources=dict(defs.resources),
            repository_def=defs.get_repository_def(),
        ) as context:
            found = defs.resolve_schedule_def(schedule).evaluate_tick(context)
    assert found.run_requests or found.skip_message
    return [(request.partition_key, request.run_key) for request in found.run_requests or []]


@pytest.fixture
def bodies(lake: Lake) -> Dataset:
    dataset = lake.create_dataset("bodies")
    dataset.make()
    return dataset


def test_each_stale_dataset_gets_one_run(acme: Dataset, bodies: Dataset, lake: Lake) -> None:
    assert requested(lake, ["acme", "bodies"]) == [("acme", "acme:2026-11-21T03:00:00+00:00")]


def test_nothing_runs_when_everything_is_fresh(bodies: Dataset, lake: Lake) -> None:
    assert requested(lake, ["bodies"]) == []


def test_an_import_makes_a_dataset_due_again(bodies: Dataset, lake: Lake, tmp_path: Path) -> None:
    bodies.import_files([write_lines(tmp_path / "more.json", people(2))])
    assert [name for name, _ in requested(lake, ["bodies"])] == ["bodies"]


def test_a_dataset_that_says_off_is_left_out(acme: Dataset, lake: Lake) -> None:
    acme.location.write("pipeline.yml", b"schedules: {make: off}\n")
    assert requested(lake, ["acme"]) == []


def test_a_dataset_with_a_time_of_its_own_is_left_out(acme: Dataset, lake: Lake) -> None:
    acme.location.write("pipeline.yml", b"schedules: {make: '30 6 * * *'}\n")
    assert requested(lake, ["acme"]) == []


def test_a_dataset_that_cannot_be_read_holds_up_no_other(acme: Dataset, lake: Lake) -> None:
    lake.create_dataset("broken").location.write("pipeline.yml", b"schedules: 7\n")
    assert [name for name, _ in requested(lake, ["acme", "broken"])] == ["acme"]


def test_a_dataset_that_is_no_partition_yet_waits_for_the_sensor(acme: Dataset, lake: Lake) -> None:
    assert requested(lake, []) == []


def import_again(dataset: Dataset, tmp_path: Path) -> None:
    dataset.import_files([write_lines(tmp_path / "again.json", people(3))])


def test_only_datasets_with_something_to_do_are_merged_compacted_and_vacuumed(
    acme: Dataset, bodies: Dataset, lake: Lake, tmp_path: Path
) -> None:
    for dataset in (acme, bodies):
        dataset.vacuum()
        dataset.merge()
        dataset.compact()
        dataset.vacuum()
    names = ["acme", "bodies"]
    for schedule in ("weekly_compact", "weekly_merge", "weekly_vacuum"):
        assert requested(lake, names, schedule) == []
    import_again(acme, tmp_path)
    assert [name for name, _ in requested(lake, names, "weekly_compact")] == ["acme"]
    assert [name for name, _ in requested(lake, names, "weekly_merge")] == ["acme"]
    acme.merge()
    assert [name for name, _ in requested(lake, names, "weekly_vacuum")] == ["acme"]


def test_a_dataset_that_says_off_is_neither_merged_nor_compacted_nor_vacuumed(
    acme: Dataset, lake: Lake, tmp_path: Path
) -> None:
    import_again(acme, tmp_path)
    acme.location.write("pipeline.yml", b"schedules: {compact: off, merge: off, vacuum: off}\n")
    for schedule in ("weekly_compact", "weekly_merge", "weekly_vacuum"):
        assert requested(lake, ["acme"], schedule) == []
