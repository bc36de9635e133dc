"""Jobs that Dagster works: what is deferred, what the sensor asks for, and what its runs do and show."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from lakehouse_assets.cli import reporting
from lakehouse_assets.defs import queue_looks, queue_sensor
from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.defs.naming import Naming, plain
from lakehouse_assets.defs.queue_assets import dead_letters, waiting_observation
from lakehouse_assets.defs.queue_events import EventLogQueue
from lakehouse_assets.jobs import DatasetJob, FileQueue, Job, work_queue
from lakehouse_assets.lake import Dataset, Lake
from tests.defs import deferred

STAGES = deferred.__name__
KEY = dg.AssetKey(["jobs", "notes"])

Look = Callable[..., SensorExecutionData]
Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the stages note what they did."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setenv(deferred.WORK, str(folder))
    monkeypatch.setenv("LAKEHOUSE_STAGES", STAGES)
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance that a queue of runs can be on."""
    with dg.instance_for_test(temp_dir=str(tmp_path)) as made:
        yield made


@pytest.fixture
def queue(lake: Lake, instance: dg.DagsterInstance) -> EventLogQueue:
    return EventLogQueue(lake, instance.report_runless_asset_event)


@pytest.fixture
def look(tick: Look) -> Look:
    return lambda cursor=None: tick("work_jobs", cursor)


@pytest.fixture
def run(lake: Lake, instance: dg.DagsterInstance) -> Run:
    """Do what the sensor asks for."""

    def execute(request: dg.RunRequest, **kwargs: object) -> dg.ExecuteInProcessResult:
        job = build_definitions(lake.uri).resolve_job_def("work_jobs")
        return job.execute_in_process(
            run_config=request.run_config, tags=dict(request.tags), instance=instance, **kwargs
        )

    return execute


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let the sensor look so many seconds later."""

    def go(seconds: float) -> None:
        now = datetime.now(UTC) + timedelta(seconds=seconds)
        monkeypatch.setattr(queue_sensor, "now_utc", lambda: now)

    return go


def note(number: object = 1, **fields: object) -> Job:
    return Job(queue="notes", task="note", payload={"number": number}, **fields)


def did(work: Path) -> list[object]:
    path = work / "did"
    return (
        [json.loads(line)["payload"].get("number") for line in path.read_text().splitlines()]
        if path.exists()
        else []
    )


def config_of(request: dg.RunRequest) -> dict[str, object]:
    return request.run_config["ops"]["work_queue"]["config"]


def test_what_is_deferred_in_a_run_and_outside_of_one_is_asked_for_in_one_run(
    lake: Lake, instance: dg.DagsterInstance, queue: EventLogQueue, look: Look
) -> None:
    @dg.op
    def defer(context: dg.OpExecutionContext) -> None:
        EventLogQueue(lake, context.log_event).defer(note("inside"))

    @dg.job
    def own() -> None:
        defer()

    queue.defer(note("outside"))
    assert own.execute_in_process(instance=instance).success
    found = look()
    (request,) = found.run_requests
    assert config_of(request) == {"queue": "notes", "dataset": ""}
    assert request.tags["lakehouse/queue"] == "notes"
    announced = [shown["ref"].value for shown in observations(instance) if "ref" in shown]
    assert sorted(announced) == sorted(batch.ref for batch in queue.waiting("notes"))


def test_a_second_look_without_new_events_asks_for_nothing_and_leaves_the_cursor(
    queue: EventLogQueue, look: Look
) -> None:
    queue.defer(note())
    first = look()
    second = look(first.cursor)
    assert second.run_requests in (None, [])
    assert second.skip_message == "nothing was deferred"
    assert second.cursor in (None, first.cursor)


def test_the_same_look_twice_asks_for_the_same_runs(queue: EventLogQueue, look: Look) -> None:
    queue.defer([note(1), DatasetJob(queue="notes", task="note", dataset="acme")])
    keys = [[request.run_key for request in look().run_requests] for _ in range(2)]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 2


def test_a_later_look_asks_with_another_key_though_the_same_jobs_wait(
    queue: EventLogQueue, look: Look, later: Callable[[float], None]
) -> None:
    queue.defer(note())
    first = look()
    # nobody did what was asked for: the run was lost
    later(60)
    second = look(first.cursor)
    assert [request.run_key for request in first.run_requests] != [
        request.run_key for request in second.run_requests
    ]


def test_a_look_that_fails_is_repeated_as_it_was(
    queue: EventLogQueue, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.defer(note())
    wanted = look().run_requests

    def broken(*_: object) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(queue_sensor._Look, "_tell", broken)
        with pytest.raises(OSError, match="disk"):
            look()
    assert look().run_requests == wanted


def test_jobs_that_nobody_announced_are_found(lake: Lake, queue: EventLogQueue, look: Look) -> None:
    first = look()
    FileQueue(lake).defer(note())
    assert len(look(first.cursor).run_requests) == 1


def test_a_job_of_the_future_waits_and_lets_others_pass(
    work: Path,
    queue: EventLogQueue,
    look: Look,
    later: Callable[[float], None],
    run: Run,
) -> None:
    queue.defer(note("tomorrow", scheduled_at=datetime.now(UTC) + timedelta(hours=1), priority=99))
    first = look()
    assert first.run_requests == []
    queue.defer(note("now"))
    second = look(first.cursor)
    assert run(second.run_requests[0]).success
    assert did(work) == ["now"]
    later(1800)
    third = look(second.cursor)
    assert third.run_requests in (None, [])
    later(3601)
    (request,) = look(third.cursor).run_requests
    assert config_of(request)["queue"] == "notes"


def test_each_dataset_has_a_run_of_its_own_which_waits_for_others_on_it(
    queue: EventLogQueue, look: Look
) -> None:
    for name in ("acme", "bodies"):
        queue.defer(DatasetJob(queue="notes", task="note", dataset=name, payload={"number": name}))
    queue.defer(note("none", priority=90))
    requests = look().run_requests
    assert [config_of(request)["dataset"] for request in requests] == ["", "acme", "bodies"]
    assert [request.tags.get("dagster/partition") for request in requests] == [None, "acme", "bodies"]
    assert [request.tags["dagster/priority"] for request in requests] == ["40", "0", "0"]


def test_a_run_that_is_at_work_is_not_asked_for_again(
    lake: Lake, instance: dg.DagsterInstance, queue: EventLogQueue, look: Look, later: Callable[[float], None]
) -> None:
    queue.defer(note(1))
    first = look()
    made = begun(lake, instance, first.run_requests[0])
    queue.defer(note(2))
    second = look(first.cursor)
    assert second.run_requests in (None, [])
    instance.report_run_failed(made)
    later(20)
    assert look(second.cursor).run_requests in (None, [])
    later(40)
    assert len(look(second.cursor).run_requests) == 1


def begun(lake: Lake, instance: dg.DagsterInstance, request: dg.RunRequest) -> dg.DagsterRun:
    """A run that is at work on what the sensor asked for."""
    return instance.create_run_for_job(
        build_definitions(lake.uri).resolve_job_def("work_jobs"),
        run_config=request.run_config,
        tags=dict(request.tags),
        status=dg.DagsterRunStatus.STARTED,
    )


def test_after_each_failure_the_next_run_waits_longer(
    lake: Lake, instance: dg.DagsterInstance, queue: EventLogQueue, look: Look, later: Callable[[float], None]
) -> None:
    queue.defer(note(1))
    (request,) = look().run_requests
    for _ in range(4):
        instance.report_run_failed(begun(lake, instance, request))
    later(220)
    assert look().run_requests in (None, [])
    later(250)
    assert len(look().run_requests) == 1


def test_few_jobs_wait_for_some_seconds_after_a_run_and_many_do_not(
    queue: EventLogQueue,
    look: Look,
    later: Callable[[float], None],
    run: Run,
) -> None:
    queue.defer(note(1))
    assert run(look().run_requests[0]).success
    queue.defer(note(2))
    assert look().run_requests in (None, [])
    later(21)
    assert len(look().run_requests) == 1
    later(1)
    queue.defer(Job(queue="notes", task="hand_on_none", payload={"number": n}) for n in range(1000))
    assert len(look().run_requests) == 1


def test_a_job_that_fails_is_tried_again_and_its_run_succeeds(
    work: Path,
    instance: dg.DagsterInstance,
    queue: EventLogQueue,
    look: Look,
    run: Run,
) -> None:
    jobs = [note(1), Job(queue="notes", task="fail", payload={"number": 2}), note(3)]
    queue.defer(jobs)
    result = run(look().run_requests[0])
    assert result.success
    assert sorted(did(work)) == [1, 2, 3]
    (waiting,) = queue.waiting("notes")
    assert waiting.not_before is not None
    shown = next(each for each in observations(instance) if "succeeded" in each)
    assert (shown["succeeded"].value, shown["failed"].value, shown["tried_again"].value) == (2, 1, 1)


def observations(instance: dg.DagsterInstance, key: dg.AssetKey = KEY) -> list[dict[str, dg.MetadataValue]]:
    """What the events of a queue show, the newest first."""
    records = instance.fetch_observations(key, limit=20).records
    return [dict(record.event_log_entry.asset_observation.metadata) for record in records]


def test_a_run_that_is_interrupted_is_gone_on_with_by_the_next(
    work: Path,
    queue: EventLogQueue,
    look: Look,
    run: Run,
) -> None:
    queue.defer([note(1), note(2), Job(queue="notes", task="stop", payload={"number": 3}), note(4)])
    (request,) = look().run_requests
    (work / "stop").touch()
    with pytest.raises(KeyboardInterrupt):
        run(request)
    before = did(work)
    (work / "stop").unlink()
    assert run(request).success
    assert did(work)[: len(before)] == before
    assert sorted(did(work)) == sorted([1, 2, 3, 3, 4])


def test_what_a_stage_hands_on_is_announced_and_asked_for(
    work: Path,
    instance: dg.DagsterInstance,
    queue: EventLogQueue,
    look: Look,
    run: Run,
) -> None:
    queue.defer(DatasetJob(queue="notes", task="hand_on", dataset="acme", payload={"number": 1}))
    first = look()
    assert run(first.run_requests[0]).success
    (announced,) = observations(instance, dg.AssetKey(["jobs", "later"]))
    assert announced["count"].value == 1
    (request,) = look(first.cursor).run_requests
    assert config_of(request) == {"queue": "later", "dataset": "acme"}
    assert run(request).success
    assert did(work) == [1, None]


def test_what_stages_write_is_told_so_that_exports_are_made_again(
    acme: Dataset,
    instance: dg.DagsterInstance,
    queue: EventLogQueue,
    look: Look,
    tick: Look,
    latest: Callable[..., dg.AssetMaterialization],
    run: Run,
) -> None:
    tick("watch_lake")
    before = latest("statements").tags["dagster/data_version"]
    queue.defer(DatasetJob(queue="notes", task="write", dataset="acme", payload={"id": "written"}))
    assert run(look().run_requests[0]).success
    assert "written" in acme.get(["written"])
    told = latest("statements").tags["dagster/data_version"]
    assert told == acme.content_version() != before


def test_the_config_of_a_run_is_small_however_large_the_jobs_are(queue: EventLogQueue, look: Look) -> None:
    queue.defer(note("x" * 5_000_000))
    (request,) = look().run_requests
    assert len(json.dumps(request.run_config)) < 200


def test_what_looks_like_a_variable_of_the_environment_arrives_as_it_is(
    work: Path,
    queue: EventLogQueue,
    look: Look,
    run: Run,
) -> None:
    queue.defer(note({"env": "HOME"}))
    assert run(look().run_requests[0]).success
    assert did(work) == [{"env": "HOME"}]


def test_a_queue_may_have_any_name(
    work: Path,
    queue: EventLogQueue,
    look: Look,
    run: Run,
) -> None:
    names = ["../up", "a b/c", "{'env': 'HOME'}", "ü" * 100]
    for name in names:
        queue.defer(Job(queue=name, task="note", payload={"number": name}))
    requests = look().run_requests
    assert len(requests) == len(names)
    assert all(run(request).success for request in requests)
    assert sorted(did(work)) == sorted(names)
    assert len({plain(name) for name in names}) == len(names)


def test_a_full_disk_of_dagster_loses_no_job(lake: Lake, look: Look) -> None:
    def broken(_: dg.AssetObservation) -> None:
        raise OSError("no space left")

    EventLogQueue(lake, broken).defer(note())
    assert len(look().run_requests) == 1


def test_announcements_of_a_run_are_put_together(lake: Lake) -> None:
    told: list[dg.AssetObservation] = []
    queue = EventLogQueue(lake, told.append, pause=3600)
    for number in range(5):
        queue.defer(note(number))
    assert len(told) == 1
    queue.flush()
    assert [event.metadata["count"].value for event in told] == [1, 4]


def test_dead_letters_are_told_with_their_cause(
    instance: dg.DagsterInstance,
    queue: EventLogQueue,
    look: Look,
    run: Run,
) -> None:
    queue.defer(Job(queue="notes", task="fail", max_retries=0, payload={"number": 1}))
    first = look()
    assert check_of(instance, "dead_letters").passed
    assert run(first.run_requests[0]).success
    second = look(first.cursor)
    evaluation = check_of(instance, "dead_letters")
    assert not evaluation.passed
    assert "ValueError: no good" in evaluation.description
    # and that it is well again is not kept back, either
    queue.requeue([letter.id for letter in queue.dead("notes")], queue="notes")
    look(second.cursor)
    assert check_of(instance, "dead_letters").passed


def check_of(instance: dg.DagsterInstance, name: str) -> dg.AssetCheckEvaluation:
    (record,) = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(KEY, name), limit=1
    )
    return record.event.dagster_event.asset_check_evaluation_data


def test_checks_of_a_queue_can_be_run_by_hand(
    lake: Lake, queue: EventLogQueue, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.defer(note())
    monkeypatch.setenv("LAKEHOUSE_QUEUE_PATIENCE_SECONDS", "0")
    defs = build_definitions(lake.uri)
    checks = dg.AssetSelection.checks(
        dg.AssetCheckKey(KEY, "worked_in_time"), dg.AssetCheckKey(KEY, "dead_letters")
    )
    job = dg.define_asset_job("look", selection=checks)
    merged = dg.Definitions.merge(defs, dg.Definitions(jobs=[job]))
    result = merged.resolve_job_def("look").execute_in_process(instance=instance)
    passed = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
    assert passed == {"worked_in_time": False, "dead_letters": True}


def test_queues_are_assets_with_checks_where_there_are_stages(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    FileQueue(lake).defer(Job(queue="other/queue", task="note"))
    graph = build_definitions(lake.uri, key_prefix=["acme"]).resolve_asset_graph()
    keys = {node.key.to_user_string() for node in graph.asset_nodes if node.group_name == "jobs"}
    assert keys == {"acme/jobs/notes", f"acme/jobs/{plain('other/queue')}"}
    monkeypatch.delenv("LAKEHOUSE_STAGES")
    defs = build_definitions(lake.uri)
    assert not [node for node in defs.resolve_asset_graph().asset_nodes if node.group_name == "jobs"]
    assert "work_jobs" not in {job.name for job in defs.get_repository_def().get_all_jobs()}


def test_after_a_long_look_the_next_one_takes_its_time(
    queue: EventLogQueue, look: Look, later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        # so many jobs wait that a look takes two seconds
        times = iter([0.0, 2.0])
        patched.setattr(queue_sensor, "monotonic", lambda: next(times))
        first = look()
    queue.defer(note())
    later(15)
    assert look(first.cursor).run_requests in (None, [])
    later(21)
    assert len(look(first.cursor).run_requests) == 1


def test_whatever_stands_in_the_cursor_is_survived(queue: EventLogQueue, look: Look) -> None:
    queue.defer(note())
    for cursor in ("", "x", "[]", '{"event": 3}', '{"event": "x"}', None):
        assert queue_looks.Seen.read(cursor).turn == 0
        assert len(look(cursor).run_requests) == 1


def test_a_lake_in_a_bucket_is_looked_at_when_something_was_announced(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake("memory://queues-in-dagster")
    naming, now = Naming(), datetime.now(UTC)

    def signs(after: int) -> tuple[int, str]:
        return queue_sensor._signs(instance, naming, lake, ["notes"], after)

    assert signs(0) == (0, "")
    FileQueue(lake).defer(note(1))
    assert signs(0) == (0, "")
    EventLogQueue(lake, instance.report_runless_asset_event).defer(note(2))
    event, _ = signs(0)
    assert event > 0
    # what else is told of a queue wakes nobody
    instance.report_runless_asset_event(waiting_observation(naming, "notes", FileQueue(lake).status("notes")))
    assert signs(event) == (event, "")
    found = queue_sensor._Look(instance, naming, lake, ["notes"], queue_looks.Seen(), now).result()
    assert len(found.run_requests) == 1


def test_the_command_line_announces_what_it_defers_to_a_lake_in_a_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").touch()
    lake = Lake("memory://announced-by-a-command")
    with reporting.announced(FileQueue(lake)) as queue:
        queue.defer(note(1))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert [shown["count"].value for shown in observations(instance)] == [1]


def test_of_many_dead_letters_the_newest_are_shown(lake: Lake, queue: EventLogQueue) -> None:
    made = [Job(queue="notes", task="nowhere", payload={"number": number}) for number in range(30)]
    queue.defer(made)
    work_queue(queue, "notes", lake=lake)
    found = dead_letters(queue, "notes")
    assert not found.passed
    assert found.metadata["dead_letters"] == 30
    assert len(found.table) == 20
    assert "TaskNotFound" in str(found.metadata["why"])
    assert str(found.metadata["why"]).endswith("and 29 more")
