"""What is done at times of a dataset's own."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from lakehouse_assets import layout
from lakehouse_assets.defs import timetables
from lakehouse_assets.defs.timetables import last_time
from lakehouse_assets.lake import Dataset, Lake
from tests.defs.conftest import Tick, people
from tests.factories import write_lines

EVENING = datetime(2026, 11, 20, 20, tzinfo=UTC)
MORNING = datetime(2026, 11, 21, 6, 45, tzinfo=UTC)

At = Callable[[datetime], None]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Set the clock."""
    return lambda when: monkeypatch.setattr(timetables, "now_utc", lambda: when)


@pytest.fixture
def timed(acme: Dataset, instance: dg.DagsterInstance) -> Dataset:
    """A stale dataset that is to be made at half past six."""
    instance.add_dynamic_partitions("dataset", ["acme"])
    acme.location.write("pipeline.yml", b"schedules: {make: '30 6 * * *'}\n")
    return acme


def asked(found: SensorExecutionData) -> list[tuple[str | None, str | None]]:
    return [(request.job_name, request.partition_key) for request in found.run_requests or []]


def test_a_run_is_asked_for_once_when_the_time_has_come(timed: Dataset, tick: Tick, at: At) -> None:
    at(EVENING)
    first = tick("keep_timetables")
    assert asked(first) == []
    at(MORNING)
    second = tick("keep_timetables", first.cursor)
    assert asked(second) == [("make", "acme")]
    assert asked(tick("keep_timetables", second.cursor)) == []
    # whoever lost the second cursor asks for a run that Dagster knows
    keys = [request.run_key for request in tick("keep_timetables", first.cursor).run_requests or []]
    assert keys == [request.run_key for request in second.run_requests or []]


def test_what_was_missed_for_days_is_done_once(timed: Dataset, tick: Tick, at: At) -> None:
    at(EVENING)
    first = tick("keep_timetables")
    at(MORNING + timedelta(days=9))
    second = tick("keep_timetables", first.cursor)
    assert asked(second) == [("make", "acme")]
    assert asked(tick("keep_timetables", second.cursor)) == []


def test_times_that_are_new_begin_to_count_when_they_are_first_seen(
    timed: Dataset, tick: Tick, at: At
) -> None:
    at(MORNING)
    first = tick("keep_timetables")
    assert asked(first) == []
    timed.location.write("pipeline.yml", b"schedules: {make: '0 5 * * *'}\n")
    assert asked(tick("keep_timetables", first.cursor)) == []


def test_garbage_is_collected_at_a_time_of_its_own(
    timed: Dataset, tick: Tick, at: At, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    timed.location.write("pipeline.yml", b"schedules: {gc: '30 6 * * *'}\n")
    at(EVENING)
    first = tick("keep_timetables")
    at(MORNING)
    path = timed.location.local(layout.blob("0" * 64))
    assert path is not None
    path.parent.mkdir(parents=True)
    path.write_bytes(b"gone")
    os.utime(path, (0, 0))
    assert asked(tick("keep_timetables", first.cursor)) == [("gc", "acme")]
    job = defs.resolve_job_def("gc")
    for config, marked, size in (({}, 1, 0), ({"grace_days": 0}, 0, 4)):
        run = job.execute_in_process(
            run_config={"ops": {"gc_dataset": {"config": config}}}, partition_key="acme", instance=instance
        )
        assert run.success
        (told,) = [
            event.step_output_data.metadata
            for event in run.all_events
            if event.event_type_value == "STEP_OUTPUT"
        ]
        assert (told["marked"].value, told["bytes"].value) == (marked, size)
    assert not path.exists()


def test_a_dataset_without_anything_to_do_is_left_alone(timed: Dataset, tick: Tick, at: At) -> None:
    timed.make()
    at(EVENING)
    first = tick("keep_timetables")
    at(MORNING)
    assert asked(tick("keep_timetables", first.cursor)) == []


def test_each_kind_of_work_has_times_of_its_own(timed: Dataset, tick: Tick, at: At, tmp_path: Path) -> None:
    timed.import_files([write_lines(tmp_path / "again.json", people(3))])
    timed.location.write(
        "pipeline.yml",
        b"schedules: {make: off, compact: '@daily', merge: '0 6 * * *', vacuum: '0 7 * * *'}\n",
    )
    at(EVENING)
    first = tick("keep_timetables")
    at(MORNING)
    assert asked(tick("keep_timetables", first.cursor)) == [("compact", "acme"), ("merge", "acme")]


@pytest.mark.parametrize(
    "pipeline", ["schedules: {make: '99 99 * * *'}", "schedules: {make: '0 0 31 2 *'}", "schedules: 7"]
)
def test_times_that_are_none_hold_up_no_other(
    timed: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick, at: At, pipeline: str
) -> None:
    lake.create_dataset("broken").location.write("pipeline.yml", pipeline.encode())
    instance.add_dynamic_partitions("dataset", ["broken"])
    at(EVENING)
    first = tick("keep_timetables")
    at(MORNING)
    assert asked(tick("keep_timetables", first.cursor)) == [("make", "acme")]


@pytest.mark.parametrize(
    ("cron", "last"),
    [
        ("*/5 * * * *", "2026-11-21T06:45:00+00:00"),
        ("46 6 * * *", "2026-11-20T06:46:00+00:00"),
        ("0 4 * * SUN", "2026-11-15T04:00:00+00:00"),
        ("@hourly", "2026-11-21T06:00:00+00:00"),
        ("0 0 29 2 *", "2024-02-29T00:00:00+00:00"),
    ],
)
def test_the_last_time_is_the_one_that_came_true_most_recently(cron: str, last: str) -> None:
    assert last_time(cron, MORNING).isoformat() == last
