"""Marking and sweeping as runs."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.collections import Schema
from lakehouse_assets.defs.garbage_assets import oldest_active
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.model.times import now_utc

Collect = Callable[..., dict[str, object]]


@pytest.fixture
def gone(lake: Lake) -> Path:
    """The folder of a table that was deleted."""
    made = lake.collections.create_collection(Schema(day="date*", rate="float"), "rates")
    (made / "CZK").write({"day": ["2026-01-05"], "rate": [0.0411]})
    lake.collections.delete("rates")
    folder = made.location.path
    assert folder is not None
    return folder


@pytest.fixture
def collect(defs: dg.Definitions, instance: dg.DagsterInstance) -> Collect:
    """Run the job, and give what the sweep tells."""

    def run(**config: object) -> dict[str, object]:
        result = defs.resolve_job_def("collect_garbage").execute_in_process(
            run_config={"ops": {"gc_sweep": {"config": config}}}, instance=instance
        )
        found = {}
        for asset in ("gc_mark", "gc_sweep"):
            (event,) = result.asset_materializations_for_node(asset)
            found |= {name: value.value for name, value in event.metadata.items()}
        return found

    return run


def test_the_first_run_marks_and_deletes_nothing(collect: Collect, gone: Path) -> None:
    told = collect()
    assert told["marked"] == 3
    assert told["deleted"] == 0
    assert len(list(gone.rglob("*.*"))) == 3


def test_what_was_marked_long_enough_ago_is_deleted(collect: Collect, gone: Path) -> None:
    collect()
    assert collect(grace_days=0)["deleted"] == 3
    assert not list(gone.rglob("*.*"))


def test_a_dry_run_deletes_nothing(collect: Collect, gone: Path) -> None:
    collect()
    told = collect(grace_days=0, dry_run=True)
    assert (told["deleted"], told["dry_run"]) == (3, True)
    assert len(list(gone.rglob("*.*"))) == 3


def test_what_was_marked_since_a_run_began_that_is_at_work_stays(
    collect: Collect, gone: Path, instance: dg.DagsterInstance
) -> None:
    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
    instance.report_engine_event("at work", run)
    assert oldest_active(instance) is not None
    assert oldest_active(instance, but=run.run_id) is None
    collect()
    told = collect(grace_days=0)
    assert told["deleted"] == 0
    assert "oldest_run_at_work" in told
    instance.report_run_canceled(run)
    assert collect(grace_days=0)["deleted"] == 3


def test_a_file_that_is_gone_and_needed_fails_the_check(
    defs: dg.Definitions, instance: dg.DagsterInstance, acme: Dataset
) -> None:
    def check() -> dg.AssetCheckEvaluation:
        result = defs.resolve_job_def("collect_garbage").execute_in_process(instance=instance)
        (found,) = result.get_asset_check_evaluations()
        return found

    assert check().passed
    name = next(key for key in acme.location.keys("statements") if key.endswith(".parquet"))
    acme.location.delete(name)
    found = check()
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert name in str(found.description)


def test_a_dataset_with_a_time_of_its_own_or_none_is_left_out_of_the_daily_one(
    lake: Lake, acme: Dataset, defs: dg.Definitions
) -> None:
    for name in ("off", "timed"):
        made = lake.create_dataset(f"is_{name}")
        cron = "off" if name == "off" else "'30 6 * * *'"
        made.location.write("pipeline.yml", f"schedules: {{gc: {cron}}}\n".encode())
    lake.create_dataset("broken").location.write("pipeline.yml", b"schedules: 7\n")
    with (
        dg.instance_for_test() as instance,
        dg.build_schedule_context(instance, resources=dict(defs.resources or {})) as context,
    ):
        schedule = defs.resolve_schedule_def("daily_gc")
        (request,) = schedule.evaluate_tick(context).run_requests or []
    assert request.run_config["ops"]["gc_sweep"]["config"]["without"] == ["broken", "is_off", "is_timed"]
    assert request.run_config["ops"]["gc_mark"] == request.run_config["ops"]["gc_sweep"]


def test_a_run_that_was_silent_for_a_week_is_taken_for_dead(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
    assert oldest_active(instance) is not None
    later = now_utc() + timedelta(days=8)
    monkeypatch.setattr("lakehouse_assets.defs.garbage_assets.now_utc", lambda: later)
    assert oldest_active(instance) is None


def test_a_dataset_that_was_deleted_is_removed_and_can_be_brought_back_before(
    collect: Collect, lake: Lake, acme: Dataset
) -> None:
    lake.delete_dataset("acme")
    assert isinstance(marked := collect()["marked"], int)
    assert marked > 0
    lake.undelete_dataset("acme")
    assert collect(grace_days=0)["deleted"] == 0
    lake.delete_dataset("acme")
    collect()
    assert collect(grace_days=0, names=["other"])["deleted"] == 0
    assert collect(grace_days=0, names=["acme"])["deleted"] == marked
    assert lake.deleted_datasets() == {}


@dg.job
def nothing() -> None:
    """A job without steps."""
