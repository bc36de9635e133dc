from pathlib import Path

from dagster._core.definitions.sensor_definition import SensorExecutionData

from lakehouse_assets.lake import Dataset, Lake
from tests.defs.conftest import Tick, people
from tests.factories import write_lines


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
    tick("watch_lake")
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
    tick("watch_lake")
    acme.make()
    found = tick("refresh_checks")
    assert wanted(found) == ["acme"]
