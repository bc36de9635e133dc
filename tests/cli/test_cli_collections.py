"""`lakehouse collections`."""

import json
from pathlib import Path

import pytest

from lakehouse_assets import Lake
from tests.cli.calling import Lakehouse

PARIS = 'day,value,note\n2026-01-01,3.5,\n2026-01-02,4.0,"a ""b"", c"\n2026-01-03,,""\n'
COLUMNS = ("-c", "day=date*", "-c", "value=float", "-c", "note=str")


@pytest.fixture
def paris(lakehouse: Lakehouse, folder: Path) -> Path:
    file = folder / "paris.csv"
    file.write_text(PARIS)
    assert lakehouse("collections", "create", "temperature", *COLUMNS).code == 0
    assert lakehouse("collections", "write", "temperature", "paris", file).code == 0
    return file


def labels(lakehouse: Lakehouse, *more: str) -> list[str]:
    return [each["label"] for each in lakehouse("collections", "ls", "--json", *more).json["collections"]]


def test_collections_are_made_and_listed(lakehouse: Lakehouse) -> None:
    assert lakehouse("collections", "ls", "--json").json == {"collections": [], "datasets": []}
    made = lakehouse("collections", "create", "b", "a/x", "--kv", "-c", "k=str*", "-c", "v=int")
    assert (made.code, made.out) == (0, "a/x: k=str* v=int\nb: k=str* v=int\n")
    lakehouse("dataset", "create", "acme")
    listed = lakehouse("collections", "ls", "--json").json
    assert (labels(lakehouse), listed["datasets"]) == (["a/x", "b"], ["acme"])
    assert listed["collections"][0]["columns"] == {"k": "str*", "v": "int"}
    shown = lakehouse("collections", "ls").out.splitlines()
    assert [line.split()[:3] for line in shown] == [
        ["label", "written", "by"],
        ["a/x", "key", "k=str*"],
        ["b", "key", "k=str*"],
        ["acme", "dataset"],
    ]
    assert labels(lakehouse, "a*") == ["a/x"]


def test_what_cannot_be_made_is_told(lakehouse: Lakehouse, paris: Path) -> None:
    again = lakehouse("collections", "create", "temperature", *COLUMNS)
    assert (again.code, "already" in again.err) == (1, True)
    assert lakehouse("collections", "create", "temperature", "--exist-ok", *COLUMNS).code == 0
    assert lakehouse("collections", "create", "x", "-c", "day:date*").code == 2
    assert lakehouse("collections", "create", "x", "-c", "day=dat*").code == 1
    assert lakehouse("collections", "create", "..", *COLUMNS).code == 1
    assert labels(lakehouse) == ["temperature"]


def test_rows_are_written_and_read(lakehouse: Lakehouse, paris: Path) -> None:
    again = lakehouse("collections", "write", "temperature", "paris", paris)
    assert again.out == "temperature / paris: 3 rows, nothing changed\n"
    assert lakehouse("collections", "read", "temperature", "--json").json["series"] == {"paris": 3}
    printed = lakehouse("collections", "read", "temperature", "paris").out
    assert printed == PARIS.replace("2026-01-01", '"2026-01-01"').replace(
        "2026-01-02", '"2026-01-02"'
    ).replace("2026-01-03", '"2026-01-03"')
    some = lakehouse(
        "collections", "read", "temperature", "paris", "--start", "2026-01-02", "--limit", "1", "--json"
    )
    assert some.lines == [{"day": "2026-01-02", "value": 4.0, "note": 'a "b", c'}]
    tail = lakehouse("collections", "read", "temperature", "paris", "--tail", "1", "--json")
    assert tail.lines == [{"day": "2026-01-03", "value": None, "note": ""}]
    both = ("--start", "2026-01-01", "--stop", "2026-01-02", "--closed", "both")
    assert len(lakehouse("collections", "read", "temperature", "paris", *both, "--json").lines) == 2


def test_what_was_printed_can_be_written(lakehouse: Lakehouse, paris: Path, folder: Path) -> None:
    (folder / "again.csv").write_text(lakehouse("collections", "read", "temperature", "paris").out)
    told = lakehouse("collections", "write", "temperature", "paris", "again.csv", "--json").json
    assert (told["changed"], told["rows"]) == (False, 3)


def test_earlier_versions_are_listed_read_and_restored(
    lakehouse: Lakehouse, paris: Path, folder: Path
) -> None:
    (folder / "new.csv").write_text("day,value,note\n2026-01-02,9.0,new\n")
    lakehouse("collections", "write", "temperature", "paris", "new.csv")
    log = lakehouse("collections", "log", "temperature", "--json").json["revisions"]
    assert [(each["version"], each["operation"], each["series"]) for each in log] == [
        (1, "IMPORT", ["paris"]),
        (2, "IMPORT", ["paris"]),
    ]

    def value(*more: str) -> list[float]:
        return [
            row["value"]
            for row in lakehouse("collections", "read", "temperature", "paris", "--json", *more).lines
        ]

    assert (value(), value("--version", "1")) == ([3.5, 9.0, None], [3.5, 4.0, None])
    assert (value("--before", log[1]["at"]), value("--before", "2020-01-01")) == ([3.5, 4.0, None], [])
    assert (
        lakehouse("collections", "restore", "temperature", "--version", "1").out == "temperature: version 3\n"
    )
    assert value() == [3.5, 4.0, None]
    assert lakehouse("collections", "restore", "temperature").code == 2
    shown = lakehouse("collections", "log", "temperature", "--series", "paris").out.splitlines()
    assert (len(shown), shown[-1].split()[3]) == (4, "restore")
    tidied = lakehouse("collections", "tidy", "temperature", "--trim-before", "2999-01-01").out
    assert tidied == "temperature: 2 versions forgotten, has few files already\n"
    assert lakehouse("collections", "read", "temperature", "paris", "--version", "1").code == 1
    assert value() == [3.5, 4.0, None]


def test_collections_are_renamed_deleted_and_brought_back(lakehouse: Lakehouse, paris: Path) -> None:
    assert lakehouse("collections", "rename", "temperature", "weather").out == "temperature is now weather\n"
    assert lakehouse("collections", "rename", "temperature", "x").code == 1
    gone = lakehouse("collections", "delete", "weather", "nope")
    assert (gone.code, gone.out, "'nope'" in gone.err) == (1, "deleted weather\n", True)
    assert (labels(lakehouse), labels(lakehouse, "--deleted")) == ([], ["weather"])
    back = lakehouse("collections", "undelete", "weather", "--json").json
    assert back == {"undeleted": "weather", "series": ["paris"]}
    assert lakehouse("collections", "rename", "acme", "b", "--namespace", "dataset").code == 1


def test_collections_are_exported_and_imported(lakehouse: Lakehouse, paris: Path, folder: Path) -> None:
    assert lakehouse("collections", "export", "out").out == "temperature: 3 rows written\n"
    assert lakehouse("collections", "import", "out", "--json").json == {
        "rows": 3,
        "collections": {"temperature": 3},
    }
    assert len(lakehouse("collections", "log", "temperature", "--json").json["revisions"]) == 1
    assert lakehouse("--uri", "second", "collections", "import", "out", "temperature").code == 0
    assert (Lake("second").collections.get("temperature") / "paris").frame().height == 3
    parquet = lakehouse("collections", "export", "out", "temperature", "--format", "parquet")
    assert (parquet.code, (folder / "out" / "temperature" / "paris.parquet").is_file()) == (0, True)
    assert lakehouse("collections", "export", "out", "--format", "xlsx").code == 1
    assert lakehouse("collections", "import", "out", "nope").code == 1


def test_errors_are_one_line(lakehouse: Lakehouse, paris: Path, folder: Path) -> None:
    (folder / "bad.csv").write_text("day,value,note\n2026-01-01,x,\n")
    for args in (
        ("write", "temperature", "paris", "bad.csv"),
        ("write", "temperature", "paris", "nowhere.csv"),
        ("write", "nope", "paris", "bad.csv"),
        ("read", "temperature", "paris", "--start", "x"),
        ("read", "temperature", "paris", "--closed", "x"),
    ):
        result = lakehouse("collections", *args)
        assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert lakehouse("collections", "read", "temperature", "paris", "--before", "x").code == 2
    assert lakehouse("collections", "read", "temperature", "paris", "--tail", "1", "--limit", "1").code == 2


def test_each_kind_is_resolved_by_itself(lakehouse: Lakehouse, paris: Path, folder: Path) -> None:
    lakehouse("dataset", "create", "acme")
    lakehouse("collections", "push", "./second")
    for lake in ("data", "second"):
        entity = {"id": lake, "schema": "Person", "properties": {"name": [lake]}}
        (folder / "new.json").write_text(json.dumps(entity))
        (folder / "new.csv").write_text(f"day,value,note\n2026-01-09,1.0,{lake}\n")
        assert lakehouse("--uri", lake, "-d", "acme", "import", "new.json").code == 0
        assert lakehouse("--uri", lake, "collections", "write", "temperature", "paris", "new.csv").code == 0
    for how in ([], ["--resolve", "union"], ["--resolve", "ours"]):
        refused = lakehouse("collections", "pull", "./second", *how)
        assert (refused.code, "temperature" in refused.err) == (1, True)
    assert "--namespace dataset --resolve union" in refused.err
    assert lakehouse("-d", "acme", "get", "second").code == 1
    united = lakehouse("collections", "pull", "./second", "--namespace", "dataset", "--resolve", "union")
    assert united.out.startswith("pulled acme (merged): ")
    merged = lakehouse("collections", "pull", "./second", "--resolve", "ours")
    assert merged.out.startswith("pulled temperature (merged): ")
    assert lakehouse("-d", "acme", "get", "data", "second").code == 0
    assert lakehouse("collections", "push", "./second").code == 0
    assert lakehouse("collections", "pull", "./second").out == "nothing to be pulled: all is the same\n"


def test_what_nobody_needs_is_collected(lakehouse: Lakehouse, paris: Path) -> None:
    lakehouse("collections", "delete", "temperature")
    assert lakehouse("collections", "gc", "--dry-run").out == "would delete 0 files (0 B), would mark 3\n"
    assert lakehouse("collections", "gc").out == "deleted 0 files (0 B), marked 3\n"
    told = lakehouse("collections", "gc", "--grace-days", "0", "--json").json
    assert (len(told["deleted"]), told["marked"], told["bytes"] > 0) == (3, [], True)
    assert lakehouse("collections", "undelete", "temperature").code == 1


def test_collections_are_pushed_and_pulled(lakehouse: Lakehouse, paris: Path, folder: Path) -> None:
    plan = lakehouse("collections", "plan", "./second", "--push", "--json").json
    assert ([each["state"] for each in plan["plan"]], plan["bytes"] > 0) == (["new"], True)
    pushed = lakehouse("collections", "push", "./second")
    assert (pushed.code, pushed.out.startswith("pushed temperature (new): 2 versions, 1 file")) == (0, True)
    assert lakehouse("collections", "push", "./second").out == "nothing to be pushed: all is the same\n"
    for lake, number in (("data", 7), ("second", 8)):
        (folder / "new.csv").write_text(
            f"day,value,note\n2026-01-0{number},{number}.0,\n2026-01-09,{number}.0,\n"
        )
        assert lakehouse("--uri", lake, "collections", "write", "temperature", "paris", "new.csv").code == 0
    refused = lakehouse("collections", "pull", "./second")
    assert (refused.code, "--resolve" in refused.err, refused.err.count("\n")) == (1, True, 1)
    assert lakehouse("collections", "plan", "./second").out.splitlines()[1].split()[:2] == [
        "temperature",
        "collection",
    ]
    assert lakehouse("collections", "pull", "./second", "--resolve", "mine").code == 2
    merged = lakehouse("collections", "pull", "./second", "--resolve", "theirs", "--json").json
    assert merged["collections"] == ["temperature"]
    assert lakehouse("collections", "push", "./second", "temperature").code == 0
    read = [
        lakehouse("--uri", lake, "collections", "read", "temperature", "paris").out
        for lake in ("data", "second")
    ]
    assert (read[0] == read[1], [line.split(",")[1] for line in read[0].splitlines()[-3:]]) == (
        True,
        ["7.0", "8.0", "8.0"],
    )
    assert lakehouse("collections", "pull", "./second", "nope").code == 1
