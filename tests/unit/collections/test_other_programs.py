"""Other programs on the tables of collections."""

import json
from pathlib import Path

import deltalake
import duckdb
import polars as pl
import pytest

from lakehouse_assets.collections import Repo, Schema
from lakehouse_assets.errors import InvalidData

SCHEMA = Schema(
    n="int*",
    t="timestamp",
    u="timestamp_utc",
    d="date",
    s="str",
    b="bytes",
    f="float32",
    c="decimal(10,2)",
    y="uint8",
)


def test_others_read_all_types(tmp_path: Path) -> None:
    made = Repo(tmp_path).create_collection(SCHEMA, "a")
    frame = {
        "n": [1, 2], "t": ["2026-01-01T00:00:00.000001", None], "u": ["2026-01-01T01:00:00+01:00", None],
        "d": ["2026-01-01", None], "s": ["x", None], "b": [b"\x00", None], "f": [0.5, None],
        "c": pl.Series([1, None]), "y": [255, None],
    }  # fmt: skip
    (made / "s").write(frame)
    ours = (made / "s").frame()
    found = pl.read_delta(str(made.location.path)).drop("series")
    assert found.with_columns(pl.col("y").cast(pl.UInt8)).equals(ours)
    files = deltalake.DeltaTable(str(made.location.path)).file_uris()
    assert duckdb.sql(f"select n, s, c, t from '{files[0]}' order by n").fetchall()[0][:2] == (1, "x")


def test_rows_that_another_program_appends_count(tmp_path: Path) -> None:
    made = Repo(tmp_path).create_collection(Schema(time="int*", value="float"), "a")
    (made / "s").write({"time": [1, 5], "value": [1.0, 5.0]})
    other = pl.DataFrame({"series": ["s", "s", "t"], "time": [9, 3, 1], "value": [9.0, 3.0, 1.0]})
    deltalake.write_deltalake(str(made.location.path), other.to_arrow(), mode="append")
    assert (made.ls(), (made / "s").frame()["time"].to_list()) == (["s", "t"], [1, 3, 5, 9])
    assert (made / "s").frame(start=3, stop=9)["time"].to_list() == [3, 5]
    assert (made / "s").tail(2)["time"].to_list() == [5, 9]
    (made / "s").write({"time": [3], "value": [30.0]})
    assert (made / "s").frame()["value"].to_list() == [1.0, 30.0, 5.0, 9.0]
    assert [each.version for each in (made / "t").revisions()] == [2]
    deltalake.DeltaTable(str(made.location.path)).delete("series = 't'")
    assert made.ls() == ["s"]
    made.defrag(max_chunk=1)
    assert deltalake.DeltaTable(str(made.location.path)).to_pyarrow_table().num_rows == 4


def test_a_vacuum_of_another_program_takes_no_version_away(tmp_path: Path) -> None:
    made = Repo(tmp_path).create_collection(Schema(time="int*", value="float"), "a")
    for value in (1.0, 2.0):
        (made / "s").write({"time": [1], "value": [value]})
    deltalake.DeltaTable(str(made.location.path)).vacuum(dry_run=False)
    assert (made / "s").frame(version=1).rows() == [(1, 1.0)]


@pytest.mark.parametrize("where", ["disk", "memory"])
def test_long_logs_are_read_from_a_checkpoint(tmp_path: Path, where: str) -> None:
    repo = Repo(tmp_path) if where == "disk" else Repo()
    made = repo.create_collection(Schema(time="int*", value="float"), "a")
    for number in range(102):
        (made / "s").write({"time": [number % 7], "value": [float(number)]})
    names = made.location.names("_delta_log")
    assert f"{100:020}.checkpoint.parquet" in names
    for number in range(100):
        made.location.delete(f"_delta_log/{number:020}.json")
    again = Repo(repo.location).get("a") / "s"
    assert again.frame().rows() == (made / "s").frame().rows()
    assert again.frame().height == 7
    again.write({"time": [99], "value": [1.0]})
    assert (made / "s").frame()["time"].to_list()[-1] == 99
    if where == "disk":
        assert pl.read_delta(str(made.location.path)).height == 8


def test_what_is_not_known_of_a_table_is_refused(tmp_path: Path) -> None:
    made = Repo(tmp_path).create_collection(Schema(time="int*", value="float"), "a")
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"],
        "writerFeatures": ["deletionVectors"],
    }
    made.location.write(f"_delta_log/{1:020}.json", json.dumps({"protocol": protocol}).encode())
    with pytest.raises(InvalidData, match="deletionVectors"):
        (made / "s").frame()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    made = Repo(tmp_path).create_collection(Schema(time="int*", value="float"), "a")
    (made / "s").write({"time": [1], "value": [1.0]})
    (file,) = tmp_path.rglob("collections/*/*.parquet")
    file.write_bytes(b"no parquet")
    with pytest.raises(InvalidData, match=file.name):
        (made / "s").frame()
    made.location.write(f"_delta_log/{2:020}.json", b"{")
    with pytest.raises(InvalidData, match=r"2\.json"):
        (made / "s").frame()
