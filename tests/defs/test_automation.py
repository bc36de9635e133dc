from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.defs.build import build_definitions
from lakehouse_assets.defs.report import report_config, report_dataset
from lakehouse_assets.defs.runs import run_make
from lakehouse_assets.lake import Dataset, Lake
from tests.defs.conftest import people
from tests.factories import write_lines

EXPORTS = {
    "statements_csv",
    "entities_json",
    "documents_csv",
    "statistics_json",
    "entities_diff",
    "documents_diff",
}
ALL = {"archive", "mappings", "journal", "statements", *EXPORTS, "index_json"}

Tick = Callable[[], dict[str, set[str | None]]]
Watch = Callable[[], None]


@pytest.fixture
def tick(lake: Lake, instance: dg.DagsterInstance) -> Tick:
    """What automation asks for now: partitions by asset; it goes on where the last tick ended."""
    defs = build_definitions(lake.uri)
    state: dict[str, dg.AssetDaemonCursor] = {}

    def run() -> dict[str, set[str | None]]:
        result = dg.evaluate_automation_conditions(defs, instance, cursor=state.get("cursor"))
        state["cursor"] = result.cursor
        keys = defs.resolve_asset_graph().materializable_asset_keys
        found = {key.to_user_string(): result.get_requested_partitions(key) for key in keys}
        return {name: partitions for name, partitions in found.items() if partitions}

    return run


@pytest.fixture
def watch(lake: Lake, instance: dg.DagsterInstance) -> Watch:
    """Let everything be shown as it lies in the lake."""

    def run() -> None:
        for name in lake.datasets():
            report_dataset(instance, lake.dataset(name))

    return run


def test_a_new_dataset_is_made_in_one_go_and_then_left_alone(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick
) -> None:
    assert tick() == {"catalog_index": {None}}
    report_config(instance, acme)
    assert tick() == {asset: {"acme"} for asset in ALL}
    assert tick() == {}


def test_a_dataset_that_was_there_before_the_first_look_is_made_too(
    acme: Dataset, instance: dg.DagsterInstance, tick: Tick
) -> None:
    report_config(instance, acme)
    assert tick() == {asset: {"acme"} for asset in ALL}


def test_the_catalogue_follows_when_all_indexes_are_there(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick
) -> None:
    lake.create_dataset("bodies")
    for name in ("acme", "bodies"):
        report_config(instance, lake.dataset(name))
    tick()
    runs = run_make(lake, instance)
    assert [made.dataset for made in (next(runs), next(runs))] == ["acme", "bodies"]
    assert tick() == {"catalog_index": {None}}


def test_a_run_that_changed_nothing_disturbs_nobody(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick
) -> None:
    list(run_make(lake, instance))
    tick()
    list(run_make(lake, instance))
    assert tick() == {}


def test_an_import_outside_dagster_makes_the_exports_again(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick, tmp_path: Path
) -> None:
    list(run_make(lake, instance))
    tick()
    acme.import_files([write_lines(tmp_path / "more.json", people(1, start=9))])
    report_dataset(instance, acme)
    assert tick() == {asset: {"acme"} for asset in (*EXPORTS, "index_json")}


def test_another_title_makes_the_index_again_and_nothing_else(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick
) -> None:
    list(run_make(lake, instance))
    tick()
    acme.configure(title="Another title")
    report_config(instance, acme)
    assert tick() == {"index_json": {"acme"}}


def test_an_import_right_after_a_make_is_not_forgotten(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick, tmp_path: Path
) -> None:
    list(run_make(lake, instance))
    tick()
    first = write_lines(tmp_path / "first.json", people(1, start=9))
    list(run_make(lake, instance, files={"acme": [first]}))
    acme.import_files([write_lines(tmp_path / "second.json", people(1, start=10))])
    report_dataset(instance, acme)
    assert tick() == {asset: {"acme"} for asset in (*EXPORTS, "index_json")}


def test_an_import_while_a_request_is_carried_out_is_not_forgotten(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick, tmp_path: Path
) -> None:
    list(run_make(lake, instance))
    tick()
    acme.import_files([write_lines(tmp_path / "first.json", people(1, start=9))])
    report_dataset(instance, acme)
    assert tick() == {asset: {"acme"} for asset in (*EXPORTS, "index_json")}
    list(run_make(lake, instance))
    acme.import_files([write_lines(tmp_path / "second.json", people(1, start=10))])
    report_dataset(instance, acme)
    assert tick() == {asset: {"acme"} for asset in (*EXPORTS, "index_json")}


def test_a_title_that_changed_right_after_a_make_is_not_forgotten(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick
) -> None:
    list(run_make(lake, instance))
    tick()
    list(run_make(lake, instance))
    acme.configure(title="Another title")
    report_config(instance, acme)
    assert tick() == {"index_json": {"acme"}}


def test_importing_and_making_in_one_run_asks_for_nothing(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick, tmp_path: Path
) -> None:
    list(run_make(lake, instance))
    tick()
    list(run_make(lake, instance, files={"acme": [write_lines(tmp_path / "m.json", people(1, start=9))]}))
    assert tick() == {}
    assert tick() == {}


def test_what_is_refused_is_asked_for_once_until_the_content_changes_again(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick
) -> None:
    assert all(made.success for made in run_make(lake, instance))
    tick()
    tick()
    before = acme.location.read("entities.ftm.json")
    acme.location.write("pipeline.yml", b"assertions: {schema: {Person: {min: 5}}}")
    for gone in ("person-1", "person-2"):
        acme.delete([gone])
        report_dataset(instance, acme)
        assert tick() == {asset: {"acme"} for asset in (*EXPORTS, "index_json")}
        made = next(run_make(lake, instance, names=["acme"]))
        assert not made.success
        assert tick() == {}
        assert tick() == {}
    assert acme.location.read("entities.ftm.json") == before


def test_a_lake_that_was_made_without_dagster_is_left_alone(acme: Dataset, tick: Tick, watch: Watch) -> None:
    acme.make()
    watch()
    assert tick() == {}
    assert tick() == {}


def test_what_was_stale_before_the_first_look_is_made_again(
    acme: Dataset, tick: Tick, watch: Watch, tmp_path: Path
) -> None:
    tick()
    acme.make()
    acme.import_files([write_lines(tmp_path / "more.json", people(1, start=9))])
    watch()
    assert set(EXPORTS) <= set(tick())


def test_what_another_program_imported_and_made_in_part_is_made_in_full(
    acme: Dataset, lake: Lake, instance: dg.DagsterInstance, tick: Tick, watch: Watch, tmp_path: Path
) -> None:
    list(run_make(lake, instance))
    tick()
    acme.import_files([write_lines(tmp_path / "more.json", people(1, start=9))])
    acme.export("entities", update_index=False)
    watch()
    asked = tick()
    assert {"statements_csv", "documents_csv", "statistics_json", "index_json"} <= set(asked)


def test_a_crawl_of_another_program_asks_for_no_run_of_mappings_that_it_does_not_concern(
    acme: Dataset, tick: Tick, watch: Watch, tmp_path: Path
) -> None:
    acme.make()
    watch()
    tick()
    (tmp_path / "note.txt").write_text("hello")
    acme.archive.store(str(tmp_path / "note.txt"))
    watch()
    assert tick() == {}
