from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from lakehouse_assets.lake import Dataset, Lake
from tests.defs.conftest import Tick, people
from tests.factories import write_lines


def wanted(found: SensorExecutionData) -> list[str]:
    """The datasets that a run is asked to check."""
    (request,) = [request for request in found.run_requests or [] if request.job_name == "check"]
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


def made(found: SensorExecutionData) -> list[str | None]:
    """The datasets that are to be made."""
    return [request.partition_key for request in found.run_requests or [] if request.job_name == "make"]


def test_what_stays_behind_is_made_by_a_run_of_its_own(acme: Dataset, tick: Tick) -> None:
    tick("watch_lake")
    acme.make()
    first = tick("refresh_checks")
    acme.location.delete("entities.ftm.json")
    second = tick("refresh_checks", first.cursor)
    assert made(second) == []
    third = tick("refresh_checks", second.cursor)
    assert made(third) == ["acme"]
    # Dagster takes a run key once
    fourth = tick("refresh_checks", third.cursor)
    assert [request.run_key for request in third.run_requests or []] == [
        request.run_key for request in fourth.run_requests or []
    ]
    acme.make()
    assert made(tick("refresh_checks", fourth.cursor)) == []


def test_what_a_run_is_at_work_on_or_waits_for_is_not_made_a_second_time(
    acme: Dataset, defs: dg.Definitions, instance: dg.DagsterInstance, tick: Tick
) -> None:
    tick("watch_lake")
    first = tick("refresh_checks")
    for status in (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED):
        run = instance.create_run_for_job(
            defs.resolve_job_def("make"), tags={"dagster/partition": "acme"}, status=status
        )
        assert made(tick("refresh_checks", first.cursor)) == []
        instance.report_run_canceled(run)
    assert made(tick("refresh_checks", first.cursor)) == ["acme"]


def test_a_dataset_that_is_not_to_be_made_stays_behind(acme: Dataset, tick: Tick) -> None:
    acme.location.write("pipeline.yml", b"schedules: {make: off}\n")
    tick("watch_lake")
    first = tick("refresh_checks")
    assert made(tick("refresh_checks", first.cursor)) == []


def test_datasets_that_look_as_before_are_not_checked_again(
    acme: Dataset, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick("watch_lake")
    acme.make()
    first = tick("refresh_checks")
    checked: list[str] = []
    look = Dataset.check
    monkeypatch.setattr(
        Dataset, "check", lambda self, *given: checked.append(self.name) or look(self, *given)
    )
    tick("refresh_checks", first.cursor)
    assert checked == []
    acme.configure(title="Another title")
    tick("refresh_checks", first.cursor)
    assert set(checked) == {"acme"}


def test_the_cursor_of_an_earlier_version_is_no_trouble(acme: Dataset, tick: Tick) -> None:
    tick("watch_lake")
    assert wanted(tick("refresh_checks", '{"acme": "++-+", "": "+"}')) == ["acme"]


def test_a_config_that_cannot_be_read_holds_up_no_other_dataset(
    acme: Dataset, lake: Lake, tick: Tick
) -> None:
    lake.create_dataset("broken").location.write("config.yml", b"name: [")
    tick("watch_lake")
    acme.make()
    found = tick("refresh_checks")
    assert wanted(found) == ["acme"]
