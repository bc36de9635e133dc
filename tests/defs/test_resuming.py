"""What becomes of crawls that were left half done."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from lakehouse_assets import layout
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations import CrawlJob
from lakehouse_assets.operations.crawling.bookmark import Bookmark
from tests.crawling import FILES, paths_of, write_tree
from tests.defs.conftest import Tick


@pytest.fixture
def watched(acme: Dataset, tmp_path: Path, instance: dg.DagsterInstance) -> Dataset:
    """A dataset that is crawled from a folder."""
    instance.add_dynamic_partitions("dataset", ["acme"])
    folder = write_tree(tmp_path / "files", FILES)
    acme.location.write("pipeline.yml", f"crawl: [{{uri: {folder}}}]".encode())
    return acme


def leave(dataset: Dataset, folder: Path, *, run_id: str = "gone") -> None:
    """The bookmark of a crawl that got somewhere and did not end."""
    bookmark = Bookmark(dataset.location, dataset.states, f"file://{folder}", run_id=run_id)
    bookmark.save(bookmark.open(), {"seen": 1}, complete=False)


def asked(found: SensorExecutionData) -> list[tuple[str | None, Any]]:
    return [
        (request.partition_key, request.run_config["ops"]["archive"]["config"]["only"])
        for request in found.run_requests or []
    ]


def test_a_crawl_that_was_left_half_done_is_gone_on_with_once_for_each_state(
    watched: Dataset, tmp_path: Path, tick: Tick
) -> None:
    assert tick("resume_crawls").skip_message == "no crawl was left half done"
    leave(watched, tmp_path / "files")
    first, again = tick("resume_crawls"), tick("resume_crawls")
    assert asked(first) == [("acme", [str(tmp_path / "files")])]
    assert [request.run_key for request in first.run_requests or []] == [
        request.run_key for request in again.run_requests or []
    ]
    leave(watched, tmp_path / "files")
    later = tick("resume_crawls")
    assert (later.run_requests or [])[0].run_key != (first.run_requests or [])[0].run_key


def test_the_run_that_goes_on_completes_the_state(
    watched: Dataset, tmp_path: Path, defs: dg.Definitions, instance: dg.DagsterInstance, tick: Tick
) -> None:
    leave(watched, tmp_path / "files")
    (request,) = tick("resume_crawls").run_requests or []
    run = defs.resolve_job_def("make").execute_in_process(
        partition_key="acme", run_config=request.run_config, instance=instance
    )
    assert run.success
    assert paths_of(watched) == sorted(FILES)
    assert tick("resume_crawls").skip_message == "no crawl was left half done"


def test_a_crawl_that_is_at_work_is_left_alone_until_it_is_silent(
    watched: Dataset, tmp_path: Path, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = CrawlJob.make(dataset="acme", uri="elsewhere")
    with watched.jobs.run(job):
        leave(watched, tmp_path / "files", run_id=job.run_id)
        assert asked(tick("resume_crawls")) == []
        later = now_utc() + timedelta(minutes=3)
        monkeypatch.setattr("lakehouse_assets.operations.crawling.states.now_utc", lambda: later)
        assert asked(tick("resume_crawls")) == [("acme", [str(tmp_path / "files")])]


def test_while_a_run_is_at_work_on_the_dataset_none_is_asked_for(
    watched: Dataset, tmp_path: Path, defs: dg.Definitions, instance: dg.DagsterInstance, tick: Tick
) -> None:
    leave(watched, tmp_path / "files")
    run = instance.create_run_for_job(
        defs.resolve_job_def("make"), tags={"dagster/partition": "acme"}, status=dg.DagsterRunStatus.STARTED
    )
    assert tick("resume_crawls").skip_message == "runs are at work on acme"
    instance.report_run_canceled(run)
    assert len(asked(tick("resume_crawls"))) == 1


@pytest.mark.parametrize("sensor", ["watch_sources", "resume_crawls"])
def test_a_run_that_failed_while_it_crawled_is_tried_again_an_hour_later(
    watched: Dataset,
    tmp_path: Path,
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    tick: Tick,
    monkeypatch: pytest.MonkeyPatch,
    sensor: str,
) -> None:
    config = {"ops": {"archive": {"config": {"pipeline": True, "only": [str(tmp_path / "files")]}}}}
    run = instance.create_run_for_job(
        defs.resolve_job_def("make"),
        run_config=config,
        tags={"dagster/partition": "acme", "dagster/sensor_name": sensor},
        status=dg.DagsterRunStatus.FAILURE,
    )
    assert asked(tick("resume_crawls")) == []
    later = now_utc() + timedelta(hours=1, seconds=1)
    monkeypatch.setattr("lakehouse_assets.defs.resuming.now_utc", lambda: later)
    found = tick("resume_crawls")
    assert asked(found) == [("acme", [str(tmp_path / "files")])]
    assert [request.run_key for request in found.run_requests or []] == [f"after:{run.run_id}"]


def test_a_run_that_failed_after_it_had_crawled_is_not_tried_again(
    watched: Dataset,
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    tick: Tick,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline = watched.location.read("pipeline.yml")
    watched.location.write("pipeline.yml", pipeline + b"\nassertions: {schema: {Vessel: {min: 1}}}\n")
    run = defs.resolve_job_def("make").execute_in_process(
        partition_key="acme",
        run_config={"ops": {"archive": {"config": {"pipeline": True}}}},
        tags={"dagster/sensor_name": "watch_sources"},
        instance=instance,
        raise_on_error=False,
    )
    assert not run.success
    later = now_utc() + timedelta(hours=2)
    monkeypatch.setattr("lakehouse_assets.defs.resuming.now_utc", lambda: later)
    assert asked(tick("resume_crawls")) == []


def test_a_crawl_by_hand_is_only_shown(
    watched: Dataset, tmp_path: Path, tick: Tick, defs: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    leave(watched, tmp_path / "others")
    assert asked(tick("resume_crawls")) == []
    found = watched.check("archive", "unfinished_state")
    assert (found.passed, found.severity) == (False, "WARN")
    assert found.metadata == {"sources": 1, "unfinished": 1}


def test_a_pipeline_or_a_state_that_cannot_be_read_holds_up_no_other(
    watched: Dataset, lake: Lake, tmp_path: Path, instance: dg.DagsterInstance, tick: Tick
) -> None:
    leave(watched, tmp_path / "files")
    for name, pipeline in {"broken": "crawl: 7", "torn": f"crawl: [{{uri: {tmp_path / 'files'}}}]"}.items():
        other = lake.create_dataset(name)
        other.location.write("pipeline.yml", pipeline.encode())
        leave(other, tmp_path / "files")
        instance.add_dynamic_partitions("dataset", [name])
    torn = lake.dataset("torn").location
    for name in torn.names(layout.STATE):
        torn.write(f"{layout.STATE}/{name}", b"{")
    assert [name for name, _ in asked(tick("resume_crawls"))] == ["acme"]
    assert not lake.dataset("torn").check("archive", "unfinished_state").passed


def test_the_archive_shows_from_which_state_of_its_sources_it_came(
    watched: Dataset,
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    latest: Callable[..., Any],
) -> None:
    config = {"ops": {"archive": {"config": {"pipeline": True}}}}
    defs.resolve_job_def("make").execute_in_process(
        partition_key="acme", run_config=config, instance=instance
    )
    (row,) = [record.data for record in latest("archive").metadata["states"].value.records]
    (state,) = watched.sources.states()
    assert (row["state"], row["generation"], row["hash"]) == ("completed", state.generation, state.hash)
