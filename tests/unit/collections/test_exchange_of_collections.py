"""Collections to files, and back."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse_assets.collections import Collection, Repo, Schema
from lakehouse_assets.errors import ColumnMissing, InvalidData, NotFound

SCHEMA = Schema(time="int*", value="float")
EVERYTHING = Schema(
    n="int*", s="str*", f="float", t="timestamp", u="timestamp_utc", d="date", b="bytes", o="object", y="bool",
    c="decimal(20,3)", small="uint8", short="float32",
)  # fmt: skip
ROWS: dict[str, list[Any]] = {
    "n": [-(2**63), 2**62, 2**63 - 1],
    "s": ['a "quote", a\nline', "", "\\N"],
    "f": [-2e-300, None, float("inf")],
    "t": [datetime(1, 1, 1), None, datetime(2026, 1, 1, 1, 2, 3, 456789)],
    "u": [datetime(2026, 1, 1, tzinfo=UTC), None, datetime(2026, 1, 1, 1, 2, 3, 4, tzinfo=UTC)],
    "d": [date(1, 1, 1), None, date(2026, 11, 22)],
    "b": [b"", None, b"\x00\xff,"],
    "o": [{"a": [1, None, "é"]}, None, "text"],
    "y": [True, None, False],
    "c": [Decimal("-1.100"), None, Decimal("12345678901234567.891")],
    "small": [0, None, 255],
    "short": [0.5, None, 1.5],
}


def numbers(repo: Repo, label: str = "c", count: int = 2, series: str = "s") -> Collection:
    found = repo.create_collection(SCHEMA, label, raise_if_exists=False)
    (found / series).write({"time": list(range(count)), "value": [1.5] * count})
    return found


def told(collection: Collection, series: str = "s") -> list[tuple[str, ...]]:
    return [tuple(map(repr, row)) for row in (collection / series).frame().rows()]


@pytest.mark.parametrize("file_type", ["csv", "parquet"])
def test_values_of_all_types_come_back_as_they_were(repo: Repo, tmp_path: Path, file_type: str) -> None:
    collection = repo.create_collection(EVERYTHING, "all")
    (collection / "s").write(ROWS)
    assert repo.export_collections(tmp_path / "out", file_type=file_type) == {"all": 3}
    # the same rows change nothing
    assert repo.import_collections(tmp_path / "out") == {"all": 3}
    assert len(collection.revisions()) == 1
    other = Repo()
    other.import_collections(tmp_path / "out")
    assert other.get("all").schema == EVERYTHING
    assert told(other.get("all")) == told(collection)
    assert (other.get("all") / "s").frame()["o"].to_list() == ROWS["o"]


@pytest.mark.parametrize("file_type", ["csv", "parquet"])
def test_rows_by_key_come_back_too(repo: Repo, tmp_path: Path, file_type: str) -> None:
    collection = repo.create_collection(Schema.kv(k="str*", v="int"), "kv")
    (collection / "s").write({"k": ["b", "a"], "v": [1, None]})
    repo.export_collections(tmp_path, file_type=file_type)
    repo.import_collections(tmp_path)
    assert len(collection.revisions()) == 1
    other = Repo()
    other.import_collections(tmp_path)
    assert told(other.get("kv")) == told(collection)


def test_an_export_replaces_the_one_before(repo: Repo, tmp_path: Path) -> None:
    collection = numbers(repo, count=1)
    numbers(repo, series="gone")
    repo.export_collections(tmp_path)
    numbers(repo, count=3)
    collection.delete("gone")
    (tmp_path / "c" / "mine.txt").write_text("not of an export")
    repo.export_collections(tmp_path)
    assert (tmp_path / "c" / "s.csv").read_text() == "time,value\n0,1.5\n1,1.5\n2,1.5\n"
    assert sorted(file.name for file in (tmp_path / "c").iterdir()) == ["_schema.json", "mine.txt", "s.csv"]
    repo.export_collections(tmp_path, file_type="parquet")
    assert sorted(file.name for file in (tmp_path / "c").iterdir()) == [
        "_schema.json",
        "mine.txt",
        "s.parquet",
    ]
    assert pl.read_parquet(tmp_path / "c" / "s.parquet").height == 3


def test_odd_labels_stay_in_the_folder_and_come_back(repo: Repo, tmp_path: Path) -> None:
    labels = ["p/q", "_hidden", "a/b", "%41", "é x", ".dot", "A", "..a"]
    for label in labels:
        numbers(repo, label, series=label)
    out = tmp_path / "deep" / "out"
    repo.export_collections(out)
    assert {path.name for path in tmp_path.iterdir()} <= {"deep", "lake"}
    assert len([path for path in out.iterdir() if path.is_dir()]) == len(labels)
    other = Repo()
    other.import_collections(out)
    assert other.ls() == sorted(labels)
    assert all(other.get(label).ls() == [label] for label in labels)


@pytest.mark.parametrize("label", ["../../../evil", "a/../../evil", ".."])
def test_no_label_leads_out_of_the_folder(repo: Repo, tmp_path: Path, label: str) -> None:
    with pytest.raises(InvalidData):
        numbers(repo, series=label)
    src = tmp_path / "in"
    (src / "c").mkdir(parents=True)
    evil = {**json.loads(SCHEMA.dumps()), "files": {"s": "../../evil.csv"}}
    (src / "c" / "_schema.json").write_text(json.dumps(evil))
    (tmp_path / "evil.csv").write_text("time,value\n1,1\n")
    with pytest.raises(InvalidData, match="which no export writes"):
        repo.import_collections(src)


def test_some_collections_can_be_named(repo: Repo, tmp_path: Path) -> None:
    for label in ("a", "b", "c"):
        numbers(repo, label)
    assert repo.export_collections(tmp_path, ["a", "c"]) == {"a": 2, "c": 2}
    other = Repo()
    assert other.import_collections(tmp_path, ["c"]) == {"c": 2}
    assert other.ls() == ["c"]
    with pytest.raises(NotFound, match="'b'"):
        other.import_collections(tmp_path, ["b"])
    with pytest.raises(NotFound, match="nope"):
        repo.export_collections(tmp_path, ["nope"])
    with pytest.raises(InvalidData, match="xlsx"):
        repo.export_collections(tmp_path, file_type="xlsx")


def test_an_import_replaces_the_rows_between_only(repo: Repo, tmp_path: Path) -> None:
    collection = numbers(repo, count=10)
    (tmp_path / "part.csv").write_text("time,value\n3,30\n5,50\n")
    assert repo.import_series(collection / "s", tmp_path / "part.csv") == 2
    assert (collection / "s").frame()["time"].to_list() == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    # columns in another order, and whole numbers where fractions are wanted
    (tmp_path / "part.csv").write_text("value,time\n7,20\n")
    repo.import_series(collection / "s", tmp_path / "part.csv")
    assert (collection / "s").tail(1).rows() == [(20, 7.0)]
    assert repo.export_series(collection / "s", tmp_path / "one.parquet", "parquet") == 10
    assert pl.read_parquet(tmp_path / "one.parquet")["time"].to_list()[-1] == 20


def test_a_large_import_comes_in_batches_and_is_one_revision(repo: Repo, tmp_path: Path) -> None:
    collection = numbers(repo, count=0, label="c")
    count = 600_000
    frame = pl.DataFrame({"time": pl.int_range(count, eager=True) // 2, "value": [0.5] * count})
    frame.write_csv(tmp_path / "large.csv")
    assert repo.import_series(collection / "s", tmp_path / "large.csv") == count
    assert (collection / "s").frame().equals(frame)
    assert repo.import_series(collection / "s", tmp_path / "large.csv") == count
    assert len(collection.revisions()) == 1
    # no two files have rows of the same index: what is changed later finds all of them in one
    (collection / "s").delete(124_999, 125_000)
    assert len(collection / "s") == count - 4


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("time,val\n1,1\n", ColumnMissing, "lacks the column 'value'"),
        ("time,value,more\n1,1,1\n", InvalidData, "'more'"),
        ("", InvalidData, "is empty"),
        ("time,value\n1,x\n", InvalidData, "'value'"),
        ("time,value\n1.5,1\n", InvalidData, "'time'"),
        ("time,value\n2,1\n1,1\n", InvalidData, "not sorted"),
        ("time,value\n,1\n", InvalidData, "without a value"),
        ("time,value\n1,1,1\n", InvalidData, "CSV"),
    ],
)
def test_a_file_that_does_not_fit_is_named_and_changes_nothing(
    repo: Repo, tmp_path: Path, text: str, error: type[Exception], says: str
) -> None:
    collection = numbers(repo)
    repo.export_collections(tmp_path)
    (tmp_path / "c" / "s.csv").write_text(text)
    for act in (
        lambda: repo.import_collections(tmp_path),
        lambda: repo.import_series(collection / "s", tmp_path / "c" / "s.csv"),
        lambda: Repo().import_collections(tmp_path),
    ):
        with pytest.raises(error, match=says) as caught:
            act()
        assert "s.csv" in str(caught.value)
    assert len(collection.revisions()) == 1


def test_an_import_that_fails_makes_no_collection(tmp_path: Path) -> None:
    numbers(repo := Repo())
    numbers(repo, series="t")
    repo.export_collections(tmp_path)
    (tmp_path / "c" / "t.csv").write_text("time,value\nx,1\n")
    other = Repo()
    with pytest.raises(InvalidData):
        other.import_collections(tmp_path)
    assert other.ls() == []


def test_a_file_of_another_schema_is_refused(repo: Repo, tmp_path: Path) -> None:
    numbers(repo)
    Repo()
    other = Repo()
    other.create_collection(Schema(time="int*", value="int"), "c")
    repo.export_collections(tmp_path)
    with pytest.raises(InvalidData, match="another schema"):
        other.import_collections(tmp_path)


def test_what_lakota_exported_is_read(repo: Repo, tmp_path: Path) -> None:
    folder = tmp_path / "temperature"
    folder.mkdir()
    columns = {
        "timestamp": {"dt": "datetime64[s]", "codecs": ["blosc"], "idx": True},
        "value": {"dt": "float64", "codecs": ["blosc"], "idx": False},
    }
    (folder / "_schema.json").write_text(json.dumps({"kind": None, "columns": columns}))
    (folder / "Brussels.csv").write_text(
        "timestamp,value\r\n2020-06-22T00:00:00,25.0\r\n2020-06-23T00:00:00,24.0\r\n"
    )
    assert repo.import_collections(tmp_path) == {"temperature": 2}
    found = (repo.get("temperature") / "Brussels").frame()
    assert found.rows() == [(datetime(2020, 6, 22), 25.0), (datetime(2020, 6, 23), 24.0)]


def test_a_listed_file_that_is_not_there_is_named(repo: Repo, tmp_path: Path) -> None:
    numbers(repo)
    repo.export_collections(tmp_path)
    (tmp_path / "c" / "s.csv").unlink()
    with pytest.raises(NotFound, match=r"s\.csv"):
        Repo().import_collections(tmp_path)
