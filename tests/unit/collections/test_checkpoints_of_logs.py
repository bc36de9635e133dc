"""Checkpoints of the logs of tables, beside those that delta-rs writes of the same logs."""

import json
import logging
import shutil
from pathlib import Path

import deltalake
import polars as pl
import pyarrow.parquet as pq
import pytest

from lakehouse_assets.collections import Collection, Repo, Schema
from lakehouse_assets.collections.log import DeltaLog
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.storage.location import Location

HINT = "_delta_log/_last_checkpoint"


def commit(number: int) -> str:
    return f"_delta_log/{number:020}.json"


def checkpoint(number: int) -> str:
    return f"_delta_log/{number:020}.checkpoint.parquet"


@pytest.fixture
def made(tmp_path: Path) -> Collection:
    """A table to which three programs wrote: rows came, changed and went."""
    schema = Schema(time="int*", at="timestamp", value="float")
    found = Repo(tmp_path / "lake").create_collection(schema, "a")
    for value in (1.0, 2.0):
        for series in ("s", "ü %/=&"):
            (found / series).write({"time": [1, 2], "at": [None, None], "value": [value, -value]})
    other = pl.DataFrame({"series": ["s", None], "time": [9, 3], "at": [None, None], "value": [9.0, 3.0]})
    properties = deltalake.CommitProperties(app_transactions=[deltalake.Transaction("loader", 7)])
    typed = other.with_columns(pl.col("at").cast(pl.Datetime("us"))).to_arrow()
    deltalake.write_deltalake(place(found), typed, mode="append", commit_properties=properties)
    (found / "s").delete(1, 1)
    return found


def place(made: Collection) -> str:
    return str(made.location.path)


def actions(folder: Path, version: int) -> set[str]:
    """What a checkpoint says, but for whether it was a change once, and for what has no value."""
    rows = pq.read_table(folder / checkpoint(version)).to_pylist(maps_as_pydicts="lossy")
    said = [(kind, told) for row in rows for kind, told in row.items() if told]
    return {
        json.dumps(
            [
                kind,
                {
                    name: value
                    for name, value in told.items()
                    if name != "dataChange" and value not in (None, {})
                },
            ],
            sort_keys=True,
        )
        for kind, told in said
    }


def actions_of_delta_rs(made: Collection, tmp_path: Path, version: int) -> set[str]:
    """What the checkpoint says that delta-rs writes of a copy of the table."""
    shutil.copytree(place(made), tmp_path / "theirs")
    deltalake.DeltaTable(str(tmp_path / "theirs"), version=version).create_checkpoint()
    return actions(tmp_path / "theirs", version)


@pytest.mark.parametrize("version", [0, 2, 4, 6])
def test_a_checkpoint_says_what_that_of_delta_rs_says(made: Collection, tmp_path: Path, version: int) -> None:
    expected = actions_of_delta_rs(made, tmp_path, version)
    assert made.table.log.checkpoint(version)
    assert actions(Path(place(made)), version) == expected


def test_a_checkpoint_upon_another_one_says_the_same(made: Collection, tmp_path: Path) -> None:
    expected = actions_of_delta_rs(made, tmp_path, 6)
    deltalake.DeltaTable(place(made), version=3).create_checkpoint()
    for version in (3, 4, 6):
        assert made.table.log.checkpoint(version)
    assert actions(Path(place(made)), 6) == expected


def test_others_go_on_from_a_checkpoint_alone(made: Collection) -> None:
    before = deltalake.DeltaTable(place(made))
    rows = before.to_pyarrow_table().sort_by([("series", "ascending"), ("time", "ascending")])
    assert made.table.log.checkpoint()
    for number in range(6):
        made.location.delete(commit(number))
    after = deltalake.DeltaTable(place(made))
    assert after.to_pyarrow_table().sort_by([("series", "ascending"), ("time", "ascending")]).equals(rows)
    assert (after.metadata().id, after.metadata().partition_columns) == (before.metadata().id, ["series"])
    assert (after.schema(), after.protocol()) == (before.schema(), before.protocol())
    assert (after.transaction_version("loader"), after.version()) == (7, 6)
    after.delete("time = 9")
    assert DeltaLog(made.location).snapshot().version == 7


def test_the_newest_checkpoint_is_the_one_that_is_named(made: Collection) -> None:
    for version, named in ((4, 4), (2, 4), (6, 6)):
        made.table.log.checkpoint(version)
        assert json.loads(made.location.read(HINT))["version"] == named
    made.location.write(HINT, b"nonsense")
    made.table.log.checkpoint(2)
    assert json.loads(made.location.read(HINT)) == {"version": 2, "size": 4}


def test_a_kind_that_an_action_is_not_is_no_action(made: Collection, tmp_path: Path) -> None:
    lines = made.location.read(commit(6)).splitlines()
    made.location.write(
        commit(6), b"\n".join(json.dumps({"txn": None, **json.loads(line)}).encode() for line in lines)
    )
    expected = actions_of_delta_rs(made, tmp_path, 6)
    assert DeltaLog(made.location).checkpoint()
    assert actions(Path(place(made)), 6) == expected


def test_what_a_checkpoint_would_lose_is_named_and_none_is_written(
    made: Collection, caplog: pytest.LogCaptureFixture
) -> None:
    told = {"domain": "delta.clustering", "configuration": "{}", "removed": False}
    made.location.write(commit(7), json.dumps({"domainMetadata": told}).encode())
    with caplog.at_level(logging.WARNING):
        assert not DeltaLog(made.location).checkpoint()
    assert "domainMetadata" in caplog.text
    assert not made.location.exists(checkpoint(7))


@pytest.mark.parametrize("data", [b"", b"PAR1 nonsense"])
def test_a_checkpoint_that_is_none_is_named(made: Collection, data: bytes) -> None:
    made.location.write(checkpoint(6), data)
    with pytest.raises(InvalidData, match=r"0006\.checkpoint\.parquet is no checkpoint.*restore it"):
        DeltaLog(made.location).snapshot()


@pytest.mark.parametrize("data", [b"nonsense", b"[]", b'{"add": 1}', b'{"add": {"path": "x"}}'])
def test_a_commit_that_is_none_is_named(made: Collection, data: bytes) -> None:
    made.location.write(commit(7), data)
    with pytest.raises(InvalidData, match=r"0007\.json is no commit.*restore it"):
        DeltaLog(made.location).snapshot()


def test_a_checkpoint_is_written_into_the_log_of_a_copy_elsewhere(made: Collection, tmp_path: Path) -> None:
    copy = Location("memory://copies/a")
    made.table.log.write_checkpoint(copy, 6)
    (tmp_path / "copy" / "_delta_log").mkdir(parents=True)
    (tmp_path / "copy" / checkpoint(6)).write_bytes(copy.read(checkpoint(6)))
    assert actions(tmp_path / "copy", 6) == actions_of_delta_rs(made, tmp_path, 6)
