"""Pulls and pushes as runs, and what watches other lakes."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.collections import Collection, Schema
from lakehouse_assets.defs import sync_sensors
from lakehouse_assets.lake import Lake
from tests.defs.conftest import Meanwhile, Tick

RATES = Schema(day="date*", rate="float")
LABEL = "rates"
HERE = "office/rates"

Move = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Another lake, which has a table."""
    monkeypatch.setenv("LAKEHOUSE_REMOTES", f"office={tmp_path / 'office'}")
    (tmp_path / "office").mkdir()
    lake = Lake(tmp_path / "office")
    publish(lake.collections.create_collection(RATES, LABEL), "2026-01-05", 0.0411)
    return lake


def publish(rates: Collection | None, day: str, rate: float) -> None:
    assert rates is not None
    (rates / "CZK").write({"day": [day], "rate": [rate]})


def days(lake: Lake) -> list[str]:
    return [f"{day:%d}" for day in (lake.collections.get(LABEL) / "CZK").frame()["day"]]


@pytest.fixture
def move(office: Lake, lake: Lake, instance: dg.DagsterInstance) -> Move:
    """Run the job `pull` or `push` for a partition."""
    from lakehouse_assets.defs.build import build_definitions

    def run(job: str, partition: str = HERE, **config: object) -> dg.ExecuteInProcessResult:
        instance.add_dynamic_partitions(f"{'pulls' if job == 'pull' else 'pushes'}", [partition])
        run_config = {"ops": {f"sync_{job}": {"config": config}}} if config else None
        made = build_definitions(lake.uri).resolve_job_def(job)
        return made.execute_in_process(
            partition_key=partition, instance=instance, run_config=run_config, raise_on_error=False
        )

    return run


def metadata(result: dg.ExecuteInProcessResult, asset: str = "sync_pull") -> dict[str, object]:
    (event,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in event.metadata.items()}


def failure(result: dg.ExecuteInProcessResult) -> dg.Failure:
    (event,) = (each for each in result.all_events if each.is_step_failure)
    found = event.step_failure_data.user_failure_data
    assert found is not None
    return dg.Failure(found.description, metadata=found.metadata, allow_retries=False)


def requested(found: object) -> list[str]:
    return [str(request.partition_key) for request in found.run_requests or []]  # type: ignore[attr-defined]


def keys(found: object) -> set[str]:
    return {str(request.run_key) for request in found.run_requests or []}  # type: ignore[attr-defined]


def test_a_pull_brings_a_table_and_tells_how_much(move: Move, lake: Lake, office: Lake) -> None:
    told = metadata(move("pull"))
    assert days(lake) == ["05"]
    assert (told["state"], told["blobs_moved"], told["blobs_skipped"]) == ("new", 1, 0)
    assert isinstance(told["bytes_moved"], int)
    assert told["bytes_moved"] > 0
    assert told["why"] == "it was not here yet"


def test_a_second_pull_brings_nothing_and_has_the_same_version(move: Move, office: Lake) -> None:
    first, second = move("pull"), move("pull")
    told = metadata(second)
    assert (told["state"], told["blobs_moved"], told["blobs_skipped"], told["bytes_moved"]) == (
        "same",
        0,
        1,
        0,
    )
    assert (
        len(
            {
                (run.asset_materializations_for_node("sync_pull")[0].tags or {})["dagster/data_version"]
                for run in (first, second)
            }
        )
        == 1
    )


def test_a_push_is_a_pull_from_the_other_side(move: Move, lake: Lake, office: Lake) -> None:
    move("pull")
    publish(lake.collections / LABEL, "2026-01-06", 0.0412)
    told = metadata(move("push"), "sync_push")
    assert (told["state"], told["blobs_moved"], told["why"]) == (
        "behind",
        1,
        "what is here is ahead: 1 versions were missing there",
    )
    assert days(office) == ["05", "06"]


def test_what_both_sides_changed_fails_at_once_and_says_what_to_do(
    move: Move, lake: Lake, office: Lake
) -> None:
    move("pull")
    publish(lake.collections / LABEL, "2026-01-06", 0.0412)
    publish(office.collections / LABEL, "2026-01-07", 0.0410)
    result = move("pull")
    assert not result.success
    # a retry would change nothing
    assert not any(event.is_step_up_for_retry for event in result.all_events)
    why = failure(result)
    assert "'rates': changed here and there" in str(why.description)
    assert "resolve: ours" in str(why.metadata["run_config"].value)
    assert days(lake) == ["05", "06"]
    assert metadata(move("pull", resolve="ours"))["state"] == "merged"
    assert days(lake) == ["05", "06", "07"]
    assert metadata(move("push"), "sync_push")["blobs_moved"] == 1
    assert days(office) == days(lake)


def test_a_table_is_not_resolved_by_union(move: Move, office: Lake) -> None:
    assert "resolve by 'ours' or 'theirs'" in str(failure(move("pull", resolve="union")).description)


def test_a_lake_that_is_gone_fails_with_its_address(move: Move, office: Lake) -> None:
    result = move("pull", "elsewhere/rates")
    assert "no other lake is called 'elsewhere'; known: office" in str(failure(result).description)


def test_what_was_deleted_there_is_deleted_here_by_its_partition(
    move: Move, lake: Lake, office: Lake
) -> None:
    move("pull")
    office.collections.delete(LABEL)
    assert metadata(move("pull"))["state"] == "deleted"
    assert lake.collections.ls() == []


def test_what_other_lakes_have_are_partitions_and_a_check_says_what_waits(
    tick: Tick, office: Lake, lake: Lake, instance: dg.DagsterInstance
) -> None:
    lake.collections.create_collection(RATES, "mine")
    found = tick("watch_remotes")
    assert instance.get_dynamic_partitions("pulls") == [HERE]
    assert instance.get_dynamic_partitions("pushes") == ["office/mine"]
    pull, push = found.asset_events
    assert isinstance(pull, dg.AssetCheckEvaluation)
    assert isinstance(push, dg.AssetCheckEvaluation)
    assert (pull.passed, pull.severity, pull.metadata["waiting"].value) == (
        False,
        dg.AssetCheckSeverity.WARN,
        1,
    )
    assert "| office | rates | new | it was not here yet |" in str(pull.description)
    # what was never pushed is not missed
    assert push.passed


def test_what_is_asked_for_while_other_lakes_are_looked_at_stays_a_partition(
    tick: Tick, office: Lake, instance: dg.DagsterInstance, meanwhile: Meanwhile
) -> None:
    meanwhile(sync_sensors, "compare", lambda: instance.add_dynamic_partitions("pulls", ["office/new"]))
    tick("watch_remotes")
    assert sorted(instance.get_dynamic_partitions("pulls")) == ["office/new", HERE]


def test_a_lake_in_which_nothing_changed_is_not_read_again(tick: Tick, office: Lake, move: Move) -> None:
    first = tick("watch_remotes")
    log = office.collections.get(LABEL).location / "_delta_log"
    text = log.read("00000000000000000001.json")
    log.write("00000000000000000001.json", b"whoever reads this fails")
    again = tick("watch_remotes", first.cursor)
    assert (again.skip_message, again.asset_events) == ("1 of 1 wait to be pulled", [])
    log.write("00000000000000000001.json", text)
    move("pull")
    second = tick("watch_remotes", first.cursor)
    told = [event for event in second.asset_events if isinstance(event, dg.AssetCheckEvaluation)]
    assert {event.asset_key.to_user_string(): event.passed for event in told} == {
        "sync_pull": True,
        "sync_push": True,
    }


def test_the_check_is_told_again_after_a_pull_that_changed_nothing(
    tick: Tick, office: Lake, move: Move
) -> None:
    move("pull")
    first = tick("watch_remotes")
    assert tick("watch_remotes", first.cursor).asset_events == []
    # the page of a check shows nothing that is older than the asset
    move("pull")
    (check,) = tick("watch_remotes", first.cursor).asset_events
    assert isinstance(check, dg.AssetCheckEvaluation)
    assert check.passed


def test_what_both_sides_changed_is_an_error_of_the_check(
    tick: Tick, move: Move, office: Lake, lake: Lake
) -> None:
    move("pull")
    publish(lake.collections / LABEL, "2026-01-06", 0.0412)
    publish(office.collections / LABEL, "2026-01-07", 0.0410)
    pull, push = tick("watch_remotes").asset_events
    for check in (pull, push):
        assert isinstance(check, dg.AssetCheckEvaluation)
        assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
        assert "`office/rates` with `resolve: ours`" in str(check.description)


def test_a_lake_that_does_not_answer_keeps_its_partitions_and_fails_the_check(
    tick: Tick, office: Lake, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tick("watch_remotes")
    monkeypatch.setenv("LAKEHOUSE_REMOTES", "office=s3://nowhere-at-all/lake")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    found = tick("watch_remotes", first.cursor)
    assert instance.get_dynamic_partitions("pulls") == [HERE]
    check = found.asset_events[0]
    assert isinstance(check, dg.AssetCheckEvaluation)
    assert (check.passed, check.metadata["unreachable"].value) == (False, 1)


def test_a_disk_that_is_not_mounted_is_no_lake_from_which_everything_is_gone(
    tick: Tick, office: Lake, lake: Lake, instance: dg.DagsterInstance
) -> None:
    first = tick("watch_remotes")
    assert office.location.path is not None
    assert lake.location.path is not None
    office.location.path.rename(office.location.path.with_name("elsewhere"))
    found = tick("watch_remotes", first.cursor)
    assert f"office is left out: no folder {office.location.path}" in str(found.skip_message)
    assert instance.get_dynamic_partitions("pulls") == [HERE]
    lake.location.path.rename(lake.location.path.with_name("unmounted"))
    for sensor in ("watch_remotes", "pull_remotes"):
        assert tick(sensor, first.cursor).skip_message == f"no folder {lake.location.path}"


def test_a_lake_that_is_not_there_yet_can_be_pushed_to(
    tick: Tick,
    lake: Lake,
    move: Move,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    instance: dg.DagsterInstance,
) -> None:
    monkeypatch.setenv("LAKEHOUSE_REMOTES", f"office={tmp_path / 'new'}")
    publish(lake.collections.create_collection(RATES, LABEL), "2026-01-05", 0.0411)
    tick("watch_remotes")
    assert instance.get_dynamic_partitions("pushes") == [HERE]
    assert metadata(move("push"), "sync_push")["state"] == "new"
    assert days(Lake(tmp_path / "new")) == ["05"]


def test_the_check_can_be_run_by_hand(
    office: Lake, instance: dg.DagsterInstance, defs: dg.Definitions
) -> None:
    job = dg.define_asset_job(
        "look", selection=dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("sync_pull"), "in_sync"))
    )
    result = (
        dg.Definitions.merge(defs, dg.Definitions(jobs=[job]))
        .resolve_job_def("look")
        .execute_in_process(instance=instance)
    )
    (found,) = result.get_asset_check_evaluations()
    assert (found.passed, found.metadata["waiting"].value) == (False, 1)


def test_pulls_are_asked_for_when_something_changed_there(
    tick: Tick, office: Lake, move: Move, lake: Lake, instance: dg.DagsterInstance
) -> None:
    # an instance in memory does not see what a sensor asks for along with its runs
    instance.add_dynamic_partitions("pulls", [HERE])
    first = tick("pull_remotes")
    assert requested(first) == [HERE]
    move("pull")
    second = tick("pull_remotes", first.cursor)
    assert (requested(second), second.skip_message) == ([], "0 of 1 wait to be pulled")
    third = tick("pull_remotes", second.cursor)
    assert requested(third) == []
    publish(office.collections / LABEL, "2026-01-06", 0.0412)
    fourth = tick("pull_remotes", third.cursor)
    assert requested(fourth) == [HERE]
    assert keys(fourth).isdisjoint(keys(first))


def test_what_both_sides_changed_is_not_asked_for(tick: Tick, office: Lake, move: Move, lake: Lake) -> None:
    move("pull")
    publish(lake.collections / LABEL, "2026-01-06", 0.0412)
    publish(office.collections / LABEL, "2026-01-07", 0.0410)
    assert requested(tick("pull_remotes")) == []


def test_a_new_label_there_waits_to_be_pulled_and_is_no_second_table(
    tick: Tick, office: Lake, move: Move, lake: Lake, instance: dg.DagsterInstance
) -> None:
    move("pull")
    office.collections.rename(LABEL, "euro rates")
    check = tick("watch_remotes").asset_events[0]
    assert isinstance(check, dg.AssetCheckEvaluation)
    assert "| office | euro rates | renamed | it got another label there |" in str(check.description)
    assert instance.get_dynamic_partitions("pulls") == ["office/euro rates"]
    move("pull", "office/euro rates")
    assert lake.collections.ls() == ["euro rates"]


def test_two_tables_of_one_label_are_an_error_of_the_check(tick: Tick, office: Lake, lake: Lake) -> None:
    lake.collections.create_collection(Schema(a="int*"), LABEL)
    check = tick("watch_remotes").asset_events[0]
    assert isinstance(check, dg.AssetCheckEvaluation)
    assert check.severity is dg.AssetCheckSeverity.ERROR
    assert "conflict" in str(check.description)


def test_what_was_deleted_here_is_not_offered(
    tick: Tick, office: Lake, move: Move, lake: Lake, instance: dg.DagsterInstance
) -> None:
    move("pull")
    lake.collections.delete(LABEL)
    tick("watch_remotes")
    assert instance.get_dynamic_partitions("pulls") == []
    # the deletion itself can be pushed
    assert instance.get_dynamic_partitions("pushes") == [HERE]
    assert metadata(move("push"), "sync_push")["state"] == "deleted"


def test_pulling_by_itself_is_off_until_somebody_turns_it_on(office: Lake, defs: dg.Definitions) -> None:
    sensors = {name: defs.resolve_sensor_def(name) for name in ("watch_remotes", "pull_remotes")}
    assert sensors["pull_remotes"].default_status is dg.DefaultSensorStatus.STOPPED
    assert sensors["watch_remotes"].default_status is dg.DefaultSensorStatus.RUNNING


def test_without_other_lakes_nothing_of_them_is_shown(defs: dg.Definitions) -> None:
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert "registry" in keys
    assert not {"sync_pull", "sync_push"} & keys
