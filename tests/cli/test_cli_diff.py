"""`lakehouse diff`, and what exports say of changes."""

import csv
import io
import json
from pathlib import Path

import polars as pl
import pytest

from tests.cli.calling import Lakehouse
from tests.factories import company, entity, person, write_lines


@pytest.fixture
def changed(acme: Lakehouse, folder: Path) -> Lakehouse:
    """Exported, then a company renamed, one new, a person gone, and a file; and exported again."""
    assert acme("make", "-d", "acme").code == 0
    file = entity("d1", "Document", fileName=["a.txt"], contentHash=["ab" * 32])
    more = write_lines(folder / "more.json", [company("c1", name=["Other"]), company("c2"), file])
    acme("import", "-d", "acme", more)
    acme("delete", "-d", "acme", "p2")
    assert acme("make", "-d", "acme").code == 0
    return acme


def test_an_export_tells_what_changed_and_where_that_is_kept(acme: Lakehouse, folder: Path) -> None:
    first = acme("export", "-d", "acme", "entities")
    assert "changed" not in first.out
    acme("import", "-d", "acme", write_lines(folder / "more.json", [company("c2")]))
    told = acme("export", "-d", "acme", "entities")
    [path] = [file.name for file in (folder / "data/acme/diffs/entities.ftm.json").iterdir()]
    assert (
        f"acme: entities changed, 1 added, 0 modified, 0 deleted: diffs/entities.ftm.json/{path}" in told.out
    )


def test_no_diff_leaves_it_to_the_next_export(acme: Lakehouse, folder: Path) -> None:
    acme("export", "-d", "acme", "entities")
    acme("import", "-d", "acme", write_lines(folder / "more.json", [company("c2")]))
    told = acme("export", "-d", "acme", "entities", "--no-diff", "--json").json
    assert told["artifacts"]["entities"]["diffs"] == {}
    later = acme("export", "-d", "acme", "entities", "--json").json
    assert later["digest"] == told["digest"]
    assert later["artifacts"]["entities"]["diffs"]["entities"]["added"] == 1


def test_an_initial_difference_can_be_asked_for(acme: Lakehouse) -> None:
    told = acme("export", "-d", "acme", "entities", "--initial-diff", "--json").json
    assert told["artifacts"]["entities"]["diffs"]["entities"]["added"] == 3
    assert acme("export", "-d", "acme", "--initial-diff", "--no-diff").code == 2


def test_the_newest_changes_are_printed_by_default(changed: Lakehouse) -> None:
    told = changed("diff", "-d", "acme")
    assert told.code == 0
    assert {line["entity"]["id"]: line["op"] for line in told.lines} == {
        "c1": "MOD",
        "c2": "ADD",
        "d1": "ADD",
        "p2": "DEL",
    }
    assert "acme: 2 added, 1 modified, 1 deleted from 20" in told.err
    assert changed("diff", "-d", "acme", "-q").err == ""


def test_times_choose_the_versions(changed: Lakehouse, folder: Path) -> None:
    changed("import", "-d", "acme", write_lines(folder / "back.json", [person("p2", name=["John Doe"])]))
    changed("delete", "-d", "acme", "c2")
    changed("make", "-d", "acme")
    newest, before = changed("diff", "-d", "acme", "--list", "--json").json["versions"][0:3:2]
    assert (newest["kind"], before["kind"]) == ("entities", "entities")
    whole = changed("diff", "-d", "acme", "--from", before["previous"], "--json").json
    assert (whole["from"], whole["to"]) == (before["previous"], newest["version"])
    # c2 came and went
    assert {change["entity"]["id"]: change["op"] for change in whole["changes"]} == {
        "c1": "MOD",
        "d1": "ADD",
        "p2": "MOD",
    }
    assert (whole["added"], whole["modified"], whole["deleted"]) == (1, 2, 0)
    first = changed("diff", "-d", "acme", "--to", before["version"])
    assert len(first.lines) == 4
    none = changed("diff", "-d", "acme", "--from", newest["version"])
    assert (none.code, none.out) == (0, "")
    assert "nothing changed" in none.err


def test_what_is_kept_is_listed(changed: Lakehouse) -> None:
    lines = changed("diff", "-d", "acme", "--list").out.splitlines()
    assert lines[0].split() == ["time", "of", "added", "modified", "deleted", "size", "file"]
    assert [line.split()[1:5] for line in lines[1:]] == [
        ["documents", "1", "0", "0"],
        ["entities", "2", "1", "1"],
    ]


def test_documents_are_rows(changed: Lakehouse) -> None:
    told = changed("diff", "-d", "acme", "--documents")
    [row] = csv.DictReader(io.StringIO(told.out, newline=""))
    assert (row["op"], row["id"], row["name"]) == ("ADD", "d1", "a.txt")
    [same] = changed("diff", "-d", "acme", "--documents", "--json").json["changes"]
    assert same == row


def test_statements_are_compared_between_versions_of_the_table(changed: Lakehouse, folder: Path) -> None:
    told = changed("diff", "-d", "acme", "--statements")
    rows = list(csv.DictReader(io.StringIO(told.out, newline="")))
    assert {(row["op"], row["entity_id"]) for row in rows} == {("DEL", "p2")}
    assert "3 deleted from version 2 to version 3" in told.err
    whole = changed("diff", "-d", "acme", "--statements", "--from", "1", "--to", "2", "--json").json
    assert (whole["added"], whole["deleted"]) == (7, 0)
    assert whole["changes"][0]["op"] == "ADD"
    file = folder / "changes.parquet"
    made = changed("diff", "-d", "acme", "--statements", "--from", "1", "--format", "parquet", "-o", file)
    assert made.out == ""
    assert pl.read_parquet(file)["op"].value_counts().sort("op").rows() == [("ADD", 7), ("DEL", 3)]


def test_a_file_appears_when_all_of_it_is_there(changed: Lakehouse, folder: Path) -> None:
    out = folder / "changes.json"
    told = changed("diff", "-d", "acme", "-o", out, "--json").json
    assert told["path"] == str(out)
    assert (told["added"], told["modified"], told["deleted"]) == (2, 1, 1)
    assert [json.loads(line)["op"] for line in out.read_text().splitlines()] == ["MOD", "ADD", "ADD", "DEL"]


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--documents", "--statements"], "ask for different things"),
        (["--format", "parquet"], "--format goes with --statements"),
        (["--from", "soon"], "not a time: 'soon'"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(changed: Lakehouse, args: list[str], reason: str) -> None:
    told = changed("diff", "-d", "acme", *args)
    assert told.code == 2
    assert reason in told.err


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--from", "2001-01-01"], "differences are kept since"),
        (["--statements", "--from", "2001-01-01"], "the statements are known since"),
        (["--statements", "--from", "99"], "version 99 is later than version 3"),
        (["--statements", "--to", "99"], "version 99 of"),
    ],
)
def test_what_is_not_known_is_said(changed: Lakehouse, args: list[str], reason: str) -> None:
    told = changed("diff", "-d", "acme", *args)
    assert (told.code, told.out) == (1, "")
    assert reason in told.err


def test_versions_that_were_vacuumed_cannot_be_compared(changed: Lakehouse) -> None:
    assert changed("merge", "-d", "acme", "--force").code == 0
    assert changed("vacuum", "-d", "acme").code == 0
    told = changed("diff", "-d", "acme", "--statements", "--from", "1")
    assert (told.code, told.out) == (1, "")
    assert "version 1 of the statements cannot be read any more, a vacuum took some of its files" in told.err
