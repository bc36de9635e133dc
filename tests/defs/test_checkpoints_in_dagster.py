"""Steps that hand on frames by checkpoints, and what deletes these."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from lakehouse_assets.checkpoints import CheckpointScope, CheckpointStore
from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.defs.checkpoint_cleaning import clean_after, sweep
from lakehouse_assets.defs.correlation import correlation_id, reexecute_from_failure
from lakehouse_assets.errors import NotFound
from lakehouse_assets.exports import keeping
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.statements import ranges, reader
from tests.defs import checkpointed
from tests.defs.conftest import people

RUN, CORRELATION = CheckpointScope.RUN, CheckpointScope.CORRELATION


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the jobs leave what they did; they fail as long as `fail` lies there."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.setenv(checkpointed.WORK, str(folder))
    (folder / "fail").touch()
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance that other processes can open."""
    with dg.instance_for_test(temp_dir=str(tmp_path)) as made:
        yield made


def trees(work: Path) -> list[tuple[CheckpointScope, str]]:
    return [(tree.scope, tree.id) for tree in CheckpointStore(work / "checkpoints").trees()]


def did(work: Path) -> list[str]:
    found = (work / "did").read_text().split()
    (work / "did").unlink()
    return found


def fail(job: Callable[[], dg.JobDefinition], instance: dg.DagsterInstance, **tags: str) -> str:
    with dg.execute_job(dg.reconstructable(job), instance, tags=tags) as result:
        assert not result.success
    return result.run_id


def retry(job: Callable[[], dg.JobDefinition], instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    with reexecute_from_failure(dg.reconstructable(job), run_id, instance) as result:
        assert result.success
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    return run


def test_a_reexecution_reads_what_the_steps_before_the_failure_made(
    work: Path, kept: dg.DagsterInstance
) -> None:
    first = fail(checkpointed.chain, kept)
    assert (did(work), trees(work)) == (["load", "double", "total"], [(CORRELATION, first)])
    second = fail_again(checkpointed.chain, kept, first)
    assert did(work) == ["total"]
    (work / "fail").unlink()
    run = retry(checkpointed.chain, kept, second)
    assert (did(work), (work / "total").read_text()) == (["total"], "12")
    assert (correlation_id(run), trees(work)) == (first, [(CORRELATION, first)])


def fail_again(job: Callable[[], dg.JobDefinition], instance: dg.DagsterInstance, run_id: str) -> str:
    with reexecute_from_failure(dg.reconstructable(job), run_id, instance) as result:
        assert not result.success
    return result.run_id


def test_each_of_many_dynamic_steps_has_a_checkpoint_of_its_own(work: Path, kept: dg.DagsterInstance) -> None:
    first = fail(checkpointed.fan, kept)
    did(work)
    (work / "fail").unlink()
    retry(checkpointed.fan, kept, first)
    assert (did(work), (work / "total").read_text()) == (["total"], str(2 * (ord("a") + ord("b"))))
    names = sorted(path.name for path in (work / "checkpoints" / "correlations" / first).iterdir())
    assert names == ["double~5ba~5d.result.arrow", "double~5bb~5d.result.arrow",
                     "split.result.a.arrow", "split.result.b.arrow"]  # fmt: skip


def test_partitions_of_assets_are_kept_apart_and_kept_by_a_reexecution(
    work: Path, kept: dg.DagsterInstance
) -> None:
    runs = [fail(checkpointed.assets, kept, **{"dagster/partition": key}) for key in ("eu", "u/s")]
    did(work)
    (work / "fail").unlink()
    for run_id, wanted in zip(runs, (2, 3), strict=True):
        run = retry(checkpointed.assets, kept, run_id)
        store = CheckpointStore(work / "checkpoints")
        name = f"~.summary.~.{'eu' if wanted == 2 else 'u~2fs'}"
        assert store.get(name, run_id=run.run_id, correlation_id=run_id).collect().item() == wanted
    assert did(work) == ["summary", "summary"]


def test_an_asset_that_is_made_alone_says_what_to_do(work: Path, kept: dg.DagsterInstance) -> None:
    (work / "fail").unlink()
    with pytest.raises(dg.Failure, match="materialise orders in the same run"):
        dg.materialize(
            [checkpointed.orders, checkpointed.summary],
            selection=[checkpointed.summary],
            partition_key="eu",
            instance=kept,
            resources={"io_manager": checkpointed.checkpoints()},
        )


def test_what_is_no_frame_is_refused_at_the_step_that_returns_it(
    work: Path, kept: dg.DagsterInstance
) -> None:
    with dg.execute_job(dg.reconstructable(checkpointed.wrong), kept) as result:
        failure = result.failure_data_for_node("no_frame")
    assert failure is not None
    assert "takes a polars.LazyFrame, not a builtins.int" in failure.error_display_string


def test_checkpoints_that_expired_ask_for_all_steps(work: Path, kept: dg.DagsterInstance) -> None:
    first = fail(checkpointed.chain, kept)
    CheckpointStore(work / "checkpoints").cleanup_correlation(first)
    with reexecute_from_failure(dg.reconstructable(checkpointed.chain), first, kept) as result:
        failure = result.failure_data_for_node("total")
    assert failure is not None
    assert "run all steps again" in failure.error_display_string


@pytest.mark.usefixtures("work")
def test_a_run_that_is_not_known_cannot_be_reexecuted(instance: dg.DagsterInstance) -> None:
    with pytest.raises(NotFound, match="no run nope"):
        reexecute_from_failure(dg.reconstructable(checkpointed.chain), "nope", instance)


# cleaning up


def put(lake: Lake, run: dg.DagsterRun) -> None:
    for scope in (RUN, CORRELATION):
        frame = pl.LazyFrame({"id": [1]})
        lake.checkpoints.put(
            "x", run_id=run.run_id, correlation_id=correlation_id(run), scope=scope, data=frame
        )


def run_of(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, *, root: dg.DagsterRun | None = None
) -> dg.DagsterRun:
    """A run that got so far; one of those that belong to `root`, if given."""
    tags = {"dagster/root_run_id": root.run_id, "dagster/parent_run_id": root.run_id} if root else {}
    return instance.create_run_for_job(checkpointed.chain(), status=status, tags=tags)


def left(lake: Lake, instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[tuple[CheckpointScope, str]]:
    """What is left after the end of a run, which may be seen twice."""
    for _ in range(2):
        clean_after(lake, instance, run)
    return [(tree.scope, tree.id) for tree in lake.checkpoints.trees()]


@pytest.mark.usefixtures("work")
def test_after_a_success_nothing_is_left(lake: Lake, instance: dg.DagsterInstance) -> None:
    run = run_of(instance, dg.DagsterRunStatus.SUCCESS)
    put(lake, run)
    assert left(lake, instance, run) == []


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("status", ["FAILURE", "CANCELED"])
def test_after_a_failure_what_a_retry_reads_is_left(
    lake: Lake, instance: dg.DagsterInstance, status: str
) -> None:
    run = run_of(instance, dg.DagsterRunStatus[status])
    put(lake, run)
    assert left(lake, instance, run) == [(CORRELATION, run.run_id)]


@pytest.mark.usefixtures("work")
def test_a_success_after_failures_deletes_what_they_left(lake: Lake, instance: dg.DagsterInstance) -> None:
    first = run_of(instance, dg.DagsterRunStatus.FAILURE)
    run = run_of(instance, dg.DagsterRunStatus.SUCCESS, root=first)
    put(lake, run)
    assert left(lake, instance, run) == []


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("status", ["NOT_STARTED", "STARTED", "CANCELING"])
def test_what_another_run_still_reads_is_left(lake: Lake, instance: dg.DagsterInstance, status: str) -> None:
    first = run_of(instance, dg.DagsterRunStatus.FAILURE)
    run_of(instance, dg.DagsterRunStatus[status], root=first)
    run = run_of(instance, dg.DagsterRunStatus.SUCCESS, root=first)
    put(lake, run)
    assert left(lake, instance, run) == [(CORRELATION, first.run_id)]


@pytest.mark.usefixtures("work")
def test_what_the_first_run_still_writes_is_left(lake: Lake, instance: dg.DagsterInstance) -> None:
    first = run_of(instance, dg.DagsterRunStatus.STARTED)
    run = run_of(instance, dg.DagsterRunStatus.SUCCESS, root=first)
    put(lake, run)
    assert left(lake, instance, run) == [(CORRELATION, first.run_id)]


def age(lake: Lake, days: float) -> None:
    """Let all checkpoints be so old."""
    at = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    for key in lake.checkpoints.location.keys():  # noqa: SIM118
        os.utime(lake.checkpoints.location.local(key) or "", (at, at))


@pytest.mark.usefixtures("work")
def test_a_sweep_leaves_what_is_new_or_at_work(lake: Lake, instance: dg.DagsterInstance) -> None:
    done, busy = run_of(instance, dg.DagsterRunStatus.FAILURE), run_of(instance, dg.DagsterRunStatus.STARTED)
    put(lake, done)
    put(lake, busy)
    assert sweep(lake, instance).trees == []
    age(lake, 8)
    instance.report_engine_event("still there", busy)
    assert {tree.id for tree in sweep(lake, instance, dry_run=True).trees} == {done.run_id}
    assert {tree.id for tree in sweep(lake, instance).trees} == {done.run_id}
    assert {tree.id for tree in lake.checkpoints.trees()} == {busy.run_id}
    # its host died: it never says anything again
    assert {tree.id for tree in sweep(lake, instance, days=0).trees} == {busy.run_id}


def test_the_job_sweeps_and_tells_what_it_did(lake: Lake, instance: dg.DagsterInstance, work: Path) -> None:
    put(lake, run_of(instance, dg.DagsterRunStatus.FAILURE))
    age(lake, 8)
    job = build_definitions(lake.uri).resolve_job_def("sweep_checkpoints")

    def run(**config: object) -> dict[str, object]:
        ops = {"ops": {"delete_old_checkpoints": {"config": config}}}
        result = job.execute_in_process(instance=instance, run_config=ops)
        output = next(event for event in result.all_events if event.event_type_value == "STEP_OUTPUT")
        return {name: value.value for name, value in output.step_output_data.metadata.items()}

    assert run(retention_days=9)["runs"] == 0
    assert run(dry_run=True)["runs"] == 2
    assert run()["runs"] == 2
    assert lake.checkpoints.trees() == []


def test_a_lake_hands_out_its_checkpoints_to_other_jobs(
    lake: Lake, instance: dg.DagsterInstance, work: Path
) -> None:
    (work / "fail").unlink()

    @dg.job
    def own() -> None:
        checkpointed.total(checkpointed.double(checkpointed.load()))

    resources = {"io_manager": build_definitions(lake.uri, key_prefix=["p"]).resources["p_checkpoints"]}  # type: ignore[index]
    defs = dg.Definitions(jobs=[own], resources=resources, executor=dg.in_process_executor)
    result = defs.resolve_job_def("own").execute_in_process(instance=instance)
    assert (result.success, (work / "total").read_text()) == (True, "12")
    assert [tree.id for tree in lake.checkpoints.trees()] == [result.run_id]


def test_a_run_keeps_the_parts_of_long_exports_for_those_that_try_it_again(
    lake: Lake, acme: Dataset, make: Callable[..., dg.ExecuteInProcessResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "plan", lambda parts, rows=1: ranges.plan(parts, rows))
    monkeypatch.setattr(reader, "RANGE_ROWS", 1)
    monkeypatch.setattr(keeping, "RANGES", 1)
    acme.entities.add_many(people(3, start=6))
    assert make().success
    assert lake.checkpoints.trees() == []
    monkeypatch.setenv("LAKEHOUSE_CHECKPOINT_ROWS", "0")
    acme.entities.add_many(people(3, start=9))
    made = make()
    assert made.success
    (tree,) = lake.checkpoints.trees()
    assert (tree.scope, tree.id) == (CORRELATION, made.run_id)
