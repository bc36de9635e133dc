from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.lake import Dataset, Lake
from tests.defs.conftest import people
from tests.factories import write_lines

Tick = Callable[..., SensorExecutionData]


@pytest.fixture
def tick(lake: Lake, instance: dg.DagsterInstance) -> Tick:
    """Evaluate a sensor, and do what it asks for, as the daemon does."""

    def run(name: str, cursor: str | None = None) -> SensorExecutionData:
        defs = build_definitions(lake.uri)
        resources = dict(defs.resources)
        # closed before the instance is: what it enters, Dagster takes back in that order only
        with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
            found = defs.resolve_sensor_def(name).evaluate_tick(context)
        for request in found.dynamic_partitions_requests or []:
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                instance.add_dynamic_partitions("dataset", list(request.partition_keys))
            else:
                for key in request.partition_keys:
                    instance.delete_dynamic_partition("dataset", key)
        for event in found.asset_events:
            instance.report_runless_asset_event(event)
        return found

    return run


def test_new_datasets_become_partitions_and_their_config_is_observed(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick
) -> None:
    lake.create_dataset("bodies")
    found = tick("find_datasets")
    assert instance.get_dynamic_partitions("dataset") == ["acme", "bodies"]
    assert [(event.partition, event.tags["dagster/data_version"]) for event in found.asset_events] == [
        (name, lake.dataset(name).config_digest()) for name in ("acme", "bodies")
    ]


def test_nothing_happens_while_nothing_changes(acme: Dataset, tick: Tick) -> None:
    first = tick("find_datasets")
    second = tick("find_datasets", first.cursor)
    assert "nothing changed in 1 datasets" in (second.skip_message or "")
    assert not second.asset_events


def test_only_the_config_that_changed_is_observed(acme: Dataset, lake: Lake, tick: Tick) -> None:
    lake.create_dataset("bodies")
    first = tick("find_datasets")
    acme.configure(title="Another title")
    second = tick("find_datasets", first.cursor)
    assert [event.partition for event in second.asset_events] == ["acme"]
    assert not second.dynamic_partitions_requests


def test_a_dataset_that_is_gone_is_no_partition_any_more(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick
) -> None:
    lake.create_dataset("bodies")
    first = tick("find_datasets")
    lake.location.delete_tree("acme")
    tick("find_datasets", first.cursor)
    assert instance.get_dynamic_partitions("dataset") == ["bodies"]


@pytest.mark.parametrize("name", ["Bad Name", "a,b", "a...b", "ü", "catalog"])
def test_a_folder_with_a_name_that_no_dataset_may_have_is_left_alone(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick, name: str
) -> None:
    assert lake.location.path is not None
    folder = lake.location.path / name
    folder.mkdir()
    (folder / "config.yml").write_text("name: acme\n")
    tick("find_datasets")
    assert instance.get_dynamic_partitions("dataset") == ["acme"]


def test_a_disk_that_is_not_mounted_removes_no_partition(
    lake: Lake, instance: dg.DagsterInstance, tick: Tick
) -> None:
    instance.add_dynamic_partitions("dataset", ["acme"])
    assert lake.location.path is not None
    lake.location.path.rmdir()
    assert "no folder" in (tick("find_datasets").skip_message or "")
    assert instance.get_dynamic_partitions("dataset") == ["acme"]


def test_a_partition_that_somebody_deleted_by_hand_comes_back(
    acme: Dataset, instance: dg.DagsterInstance, tick: Tick
) -> None:
    first = tick("find_datasets")
    instance.delete_dynamic_partition("dataset", "acme")
    tick("find_datasets", first.cursor)
    assert instance.get_dynamic_partitions("dataset") == ["acme"]


def wanted(found: SensorExecutionData) -> list[str]:
    """The datasets that a run is asked to check."""
    (request,) = found.run_requests or []
    config = request.run_config["ops"]["check_datasets"]["config"]
    assert config["checks"] == ["is_latest"]
    return list(config["datasets"])


def test_one_run_is_asked_to_check_the_datasets_of_which_something_changed(
    acme: Dataset, lake: Lake, tick: Tick, tmp_path: Path
) -> None:
    bodies = lake.create_dataset("bodies")
    tick("find_datasets")
    acme.make()
    bodies.make()
    first = tick("refresh_checks")
    assert wanted(first) == ["acme", "bodies"]
    assert tick("refresh_checks", first.cursor).skip_message
    acme.import_files([write_lines(tmp_path / "more.json", people(1, start=9))])
    second = tick("refresh_checks", first.cursor)
    assert wanted(second) == ["acme"]
    acme.make()
    assert wanted(tick("refresh_checks", second.cursor)) == ["acme"]


def test_a_config_that_cannot_be_read_holds_up_no_other_dataset(
    acme: Dataset, lake: Lake, tick: Tick
) -> None:
    lake.create_dataset("broken").location.write("config.yml", b"name: [")
    tick("find_datasets")
    acme.make()
    found = tick("refresh_checks")
    assert wanted(found) == ["acme"]
