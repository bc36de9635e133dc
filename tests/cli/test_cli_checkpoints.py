"""`lakehouse checkpoints`."""

import os
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from lakehouse_assets import CheckpointScope, CheckpointStore, Lake
from tests.cli.calling import Lakehouse


def put(store: CheckpointStore[pl.LazyFrame], run_id: str, *, days_ago: float = 0) -> None:
    """A checkpoint of a run, and one of its correlation."""
    for scope in CheckpointScope:
        store.put("x", run_id=run_id, correlation_id="c", scope=scope, data=pl.LazyFrame({"id": [1]}))
    for file in Path(str(store.location.path)).glob(f"*/{run_id}/*"):
        at = file.stat().st_mtime - days_ago * 86400
        os.utime(file, (at, at))


@pytest.fixture
def store(folder: Path) -> CheckpointStore[pl.LazyFrame]:
    made = Lake("data").checkpoints
    put(made, "old", days_ago=8)
    put(made, "new")
    return made


def ids(store: CheckpointStore[pl.LazyFrame]) -> list[str]:
    return [tree.id for tree in store.trees()]


def test_what_is_there_is_listed_the_oldest_first(
    lakehouse: Lakehouse, store: CheckpointStore[pl.LazyFrame]
) -> None:
    shown = lakehouse("checkpoints", "ls").out.splitlines()
    assert shown[0].split() == ["scope", "id", "files", "size", "written"]
    assert shown[1].split()[:3] == ["run", "old", "1"]
    listed = lakehouse("checkpoints", "ls", "--json").json
    assert listed["root"].endswith("/data/.lakehouse/checkpoints")
    assert sorted((one["scope"], one["id"]) for one in listed["checkpoints"]) == [
        ("correlation", "c"),
        ("run", "new"),
        ("run", "old"),
    ]


def test_an_empty_lake_has_none(lakehouse: Lakehouse) -> None:
    assert lakehouse("checkpoints", "ls", "--json").json["checkpoints"] == []
    assert lakehouse("checkpoints", "clean").out == "nothing to delete\n"


def test_what_is_old_is_deleted(lakehouse: Lakehouse, store: CheckpointStore[pl.LazyFrame]) -> None:
    assert lakehouse("checkpoints", "clean", "--dry-run").out.startswith("would delete run old: ")
    assert ids(store) == ["new", "old", "c"]
    assert lakehouse("checkpoints", "clean", "--older-than", "9").out == "nothing to delete\n"
    told = lakehouse("checkpoints", "clean", "--json").json
    assert ([one["id"] for one in told["deleted"]], told["bytes"] > 0) == (["old"], True)
    assert ids(store) == ["new", "c"]


def test_a_run_or_a_correlation_is_deleted_by_its_id(
    lakehouse: Lakehouse, store: CheckpointStore[pl.LazyFrame]
) -> None:
    assert lakehouse("checkpoints", "clean", "--run", "new", "--correlation", "c").code == 0
    assert ids(store) == ["old"]
    assert lakehouse("checkpoints", "clean", "--run", "new").out == "nothing to delete\n"
    assert lakehouse("checkpoints", "clean", "--run", "../runs").code == 1
    assert lakehouse("checkpoints", "clean", "--run", "old", "--older-than", "1").code == 2
    assert ids(store) == ["old"]


def test_what_dagster_knows_to_be_at_work_stays(
    lakehouse: Lakehouse, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))

    @dg.job
    def nothing() -> None:
        pass

    with dg.DagsterInstance.get() as instance:
        run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
    store = Lake("data").checkpoints
    put(store, run.run_id, days_ago=8)
    put(store, "unknown", days_ago=8)
    assert lakehouse("checkpoints", "clean").out.startswith("deleted run unknown")
    assert ids(store) == [run.run_id, "c"]


def test_a_folder_elsewhere_can_be_named(lakehouse: Lakehouse, folder: Path) -> None:
    store: CheckpointStore[pl.LazyFrame] = CheckpointStore(folder / "elsewhere")
    put(store, "old", days_ago=8)
    assert len(lakehouse("checkpoints", "ls", "--root", "elsewhere", "--json").json["checkpoints"]) == 2
    assert lakehouse("checkpoints", "clean", "--root", "elsewhere").out.startswith("deleted run old")
    assert ids(store) == ["c"]
