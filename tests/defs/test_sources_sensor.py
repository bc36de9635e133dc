"""What is crawled by itself."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData

from lakehouse_assets.defs import sources
from lakehouse_assets.lake import Dataset, Lake
from tests.crawling import FILES, write_tree
from tests.defs.conftest import Tick
from tests.web import WebServer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four files that were written some time ago."""
    return settled(write_tree(tmp_path / "files", FILES))


def settled(folder: Path) -> Path:
    """As if it, or nothing in it, had been written to in the last hour."""
    hour_ago = time.time() - 3600
    for path in [folder, *folder.rglob("*")]:
        if path.is_file():
            os.utime(path, (hour_ago, hour_ago))
    return folder


@pytest.fixture
def watched(acme: Dataset, folder: Path, instance: dg.DagsterInstance) -> Dataset:
    """A dataset that is crawled from the folder."""
    instance.add_dynamic_partitions("dataset", ["acme"])
    pipeline(acme, f"crawl: [{{uri: {folder}}}]")
    return acme


def pipeline(dataset: Dataset, text: str) -> None:
    dataset.location.write("pipeline.yml", text.encode())


def asked(found: SensorExecutionData) -> list[tuple[str | None, dict[str, Any]]]:
    """The datasets that are to be crawled, and how."""
    return [
        (request.partition_key, request.run_config["ops"]["archive"]["config"])
        for request in found.run_requests or []
    ]


def test_a_new_source_is_crawled_at_once_and_then_only_when_it_changed(
    watched: Dataset, folder: Path, tick: Tick
) -> None:
    first = tick("watch_sources")
    assert asked(first) == [("acme", {"pipeline": True, "only": [str(folder)]})]
    second = tick("watch_sources", first.cursor)
    assert asked(second) == []
    assert "nothing changed in 1 sources" in (second.skip_message or "")
    settled(write_tree(folder, {"contracts/2024/new.txt": "new"}))
    third = tick("watch_sources", second.cursor)
    assert [name for name, _ in asked(third)] == ["acme"]
    assert asked(tick("watch_sources", third.cursor)) == []


def test_what_a_run_is_asked_for_it_does(
    watched: Dataset, defs: dg.Definitions, instance: dg.DagsterInstance, tick: Tick
) -> None:
    (request,) = tick("watch_sources").run_requests or []
    result = defs.resolve_job_def("make").execute_in_process(
        partition_key="acme", run_config=request.run_config, instance=instance
    )
    assert result.success
    assert len(list(watched.archive.files())) == 4
    assert b"b.pdf" in watched.location.read("exports/documents.csv")


@pytest.mark.parametrize("change", ["changed", "renamed", "removed"])
def test_a_file_that_changed_in_any_way_is_seen(
    watched: Dataset, folder: Path, tick: Tick, change: str
) -> None:
    first = tick("watch_sources")
    file = folder / "contracts" / "b.pdf"
    if change == "changed":
        file.write_bytes(b"%PDF-1.7 TWO")
    elif change == "renamed":
        file.rename(folder / "c.pdf")
    else:
        file.unlink()
    settled(folder)
    assert len(asked(tick("watch_sources", first.cursor))) == 1


def test_what_a_filter_keeps_out_asks_for_nothing(watched: Dataset, folder: Path, tick: Tick) -> None:
    pipeline(watched, f"crawl: [{{uri: {folder}, glob: '*.pdf'}}]")
    first = tick("watch_sources")
    settled(write_tree(folder, {"new.txt": "new"}) / "new.txt")
    second = tick("watch_sources", first.cursor)
    assert asked(second) == []
    settled(write_tree(folder, {"new.pdf": "new"}) / "new.pdf")
    assert len(asked(tick("watch_sources", second.cursor))) == 1


def test_only_the_sources_that_changed_are_crawled(
    watched: Dataset, folder: Path, tick: Tick, tmp_path: Path
) -> None:
    other = settled(write_tree(tmp_path / "others", {"x.txt": "x"}))
    pipeline(watched, f"crawl: [{{uri: {folder}}}, {{uri: {other}}}]")
    first = tick("watch_sources")
    assert asked(first) == [("acme", {"pipeline": True, "only": [str(folder), str(other)]})]
    settled(write_tree(other, {"y.txt": "y"}))
    assert asked(tick("watch_sources", first.cursor)) == [("acme", {"pipeline": True, "only": [str(other)]})]


def test_a_file_that_is_being_written_is_left_to_end_but_not_for_ever(
    watched: Dataset, folder: Path, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tick("watch_sources")
    write_tree(folder, {"growing.txt": "o"})
    second = tick("watch_sources", first.cursor)
    assert asked(second) == []
    with monkeypatch.context() as patch:
        patch.setattr(sources, "_PATIENCE", -1.0)
        assert len(asked(tick("watch_sources", second.cursor))) == 1
    settled(folder)
    assert len(asked(tick("watch_sources", second.cursor))) == 1


def test_a_source_is_looked_at_only_as_often_as_pipeline_yml_says(
    watched: Dataset, folder: Path, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline(watched, f"crawl: [{{uri: {folder}, every: 6h}}]")
    first = tick("watch_sources")
    assert len(asked(first)) == 1
    settled(write_tree(folder, {"new.txt": "new"}))
    assert asked(tick("watch_sources", first.cursor)) == []
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 6 * 3600 + 1)
    assert len(asked(tick("watch_sources", first.cursor))) == 1


def test_while_a_crawl_waits_or_runs_no_other_is_asked_for(
    watched: Dataset, folder: Path, defs: dg.Definitions, instance: dg.DagsterInstance, tick: Tick
) -> None:
    first = tick("watch_sources")
    run = instance.create_run_for_job(
        defs.resolve_job_def("make"),
        tags={"dagster/partition": "acme", "dagster/sensor_name": "watch_sources"},
        status=dg.DagsterRunStatus.STARTED,
    )
    settled(write_tree(folder, {"new.txt": "new"}))
    second = tick("watch_sources", first.cursor)
    assert asked(second) == []
    instance.report_run_canceled(run)
    assert len(asked(tick("watch_sources", second.cursor))) == 1


def test_after_a_restart_the_same_state_gets_the_same_run_key(watched: Dataset, tick: Tick) -> None:
    keys = [[request.run_key for request in tick("watch_sources").run_requests or []] for _ in range(2)]
    assert keys[0] == keys[1] != []


def test_a_dataset_that_was_made_anew_is_crawled_anew(
    watched: Dataset, folder: Path, lake: Lake, tick: Tick
) -> None:
    (first,) = tick("watch_sources").run_requests or []
    lake.location.delete_tree("acme")
    assert asked(tick("watch_sources")) == []
    pipeline(lake.create_dataset("acme"), f"crawl: [{{uri: {folder}}}]")
    (second,) = tick("watch_sources").run_requests or []
    assert second.run_key != first.run_key


def test_a_source_that_looks_as_it_once_did_is_crawled_again_when_it_was_crawled_in_between(
    watched: Dataset, tick: Tick
) -> None:
    (first,) = tick("watch_sources").run_requests or []
    watched.crawl()
    (second,) = tick("watch_sources").run_requests or []
    assert second.run_key != first.run_key


def test_a_source_that_cannot_be_looked_at_stops_nobody_and_asks_for_nothing_when_it_is_back(
    watched: Dataset, folder: Path, lake: Lake, tick: Tick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = settled(write_tree(tmp_path / "others", {"x.txt": "x"}))
    pipeline(watched, f"crawl: [{{uri: {folder}}}, {{uri: {other}}}]")
    first = tick("watch_sources")
    folder.rename(tmp_path / "away")
    settled(write_tree(other, {"y.txt": "y"}))
    second = tick("watch_sources", first.cursor)
    assert asked(second) == [("acme", {"pipeline": True, "only": [str(other)]})]
    (tmp_path / "away").rename(folder)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    assert asked(tick("watch_sources", second.cursor)) == []


def test_a_pipeline_that_cannot_be_read_holds_up_no_other(
    watched: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick
) -> None:
    pipeline(lake.create_dataset("broken"), "crawl: 7")
    instance.add_dynamic_partitions("dataset", ["broken"])
    assert [name for name, _ in asked(tick("watch_sources"))] == ["acme"]


def test_a_dataset_that_is_no_partition_yet_waits(acme: Dataset, folder: Path, tick: Tick) -> None:
    pipeline(acme, f"crawl: [{{uri: {folder}}}]")
    assert asked(tick("watch_sources")) == []


def test_the_lake_itself_is_no_part_of_a_source_above_it(
    watched: Dataset, lake: Lake, tick: Tick, tmp_path: Path
) -> None:
    settled(tmp_path)
    pipeline(watched, f"crawl: [{{uri: {tmp_path}}}]")
    settled(tmp_path)
    first = tick("watch_sources")
    watched.configure(title="Another title")
    assert asked(tick("watch_sources", first.cursor)) == []


def test_a_source_that_is_the_lake_has_only_what_lies_beside_the_datasets(
    watched: Dataset, lake: Lake, tick: Tick
) -> None:
    assert lake.location.path is not None
    pipeline(watched, f"crawl: [{{uri: {lake.location.path}}}]")
    first = tick("watch_sources")
    watched.configure(title="Another title")
    second = tick("watch_sources", first.cursor)
    assert asked(second) == []
    settled(write_tree(lake.location.path, {"inbox/new.txt": "new"}))
    assert len(asked(tick("watch_sources", second.cursor))) == 1


def test_of_a_packed_file_the_file_itself_is_looked_at(watched: Dataset, tick: Tick, tmp_path: Path) -> None:
    packed = tmp_path / "leak.tar"
    packed.write_bytes(b"not read at all")
    settled(tmp_path)
    pipeline(watched, f"crawl: [{{uri: 'tar://::{packed}'}}]")
    first = tick("watch_sources")
    assert len(asked(first)) == 1
    packed.write_bytes(b"another one")
    settled(tmp_path)
    assert len(asked(tick("watch_sources", first.cursor))) == 1


@pytest.fixture
def web(folder: Path) -> Iterator[WebServer]:
    with WebServer(folder) as server:
        yield server


def test_of_a_web_server_only_the_pages_are_asked_for(
    watched: Dataset, web: WebServer, folder: Path, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline(watched, f"crawl: [{{uri: {web.url}}}]")
    first = tick("watch_sources")
    assert len(asked(first)) == 1
    assert {path for _, path in web.requests} == {"/", "/contracts/", "/contracts/2024/"}
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3601)
    second = tick("watch_sources", first.cursor)
    assert asked(second) == []
    write_tree(folder, {"contracts/new.txt": "new"})
    monkeypatch.setattr(time, "time", lambda: now + 2 * 3601)
    assert len(asked(tick("watch_sources", second.cursor))) == 1


def test_a_web_server_is_crawled_as_often_as_pipeline_yml_says(
    watched: Dataset, web: WebServer, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline(watched, f"crawl: [{{uri: {web.url}, every: 1d}}]")
    first = tick("watch_sources")
    assert asked(tick("watch_sources", first.cursor)) == []
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86401)
    assert len(asked(tick("watch_sources", first.cursor))) == 1


def test_a_server_that_does_not_answer_is_not_waited_for(
    watched: Dataset, folder: Path, web: WebServer, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    web.rules["/slow/"] = lambda handler: over.wait(30)
    monkeypatch.setattr(sources, "_SECONDS", 0.5)
    pipeline(watched, f"crawl: [{{uri: {web.url}slow/}}, {{uri: {folder}}}]")
    began = time.monotonic()
    found = tick("watch_sources")
    assert time.monotonic() - began < 20
    over.set()
    assert asked(found) == [("acme", {"pipeline": True, "only": [str(folder)]})]


def test_a_password_of_an_address_stands_in_no_run(watched: Dataset, web: WebServer, tick: Tick) -> None:
    secret = web.url.replace("http://", "http://me:secret@")
    pipeline(watched, f"crawl: [{{uri: '{secret}'}}]")
    found = tick("watch_sources")
    assert asked(found) == [("acme", {"pipeline": True, "only": [web.url]})]
    assert "secret" not in str(found.run_requests) + (found.cursor or "")
