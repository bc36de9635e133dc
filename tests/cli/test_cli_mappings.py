import json
from pathlib import Path

import pytest

from tests.cli.calling import Lakehouse
from tests.unit.mapping.tables import HEADER, MAPPING, ROWS, csv_bytes


@pytest.fixture
def table(folder: Path) -> Path:
    """A table of three companies, and its mapping beside it."""
    (folder / "companies.yml").write_text(MAPPING)
    (folder / "companies.csv").write_bytes(csv_bytes(delimiter=";", encoding="cp1252"))
    return folder / "companies.csv"


@pytest.fixture
def mapped(lakehouse: Lakehouse, table: Path) -> Lakehouse:
    """The command beside a dataset that has the mapping, which did not run yet."""
    assert lakehouse("dataset", "create", "acme").code == 0
    assert lakehouse("map", "add", "-d", "acme", "companies.yml", "--file", table).code == 0
    return lakehouse


def test_adding_a_mapping_says_how_its_table_is_read(lakehouse: Lakehouse, table: Path) -> None:
    lakehouse("dataset", "create", "acme")
    result = lakehouse("map", "add", "-d", "acme", "companies.yml", "--file", table)
    first, second, third = result.out.splitlines()
    assert first.startswith("acme keeps the mapping of companies.csv, ")
    assert second == (
        "it is read as csv: encoding 'cp1252', delimiter ';', quote '\"', names of columns in row 1"
    )
    assert third == "`lakehouse map run -d acme` makes its entities"
    again = lakehouse("--json", "map", "add", "-d", "acme", "companies.yml", "--file", table)
    assert (again.json["changed"], again.json["missing"], again.json["replaces"]) == (False, [], [])


def test_running_mappings_tells_what_came_of_them(mapped: Lakehouse) -> None:
    result = mapped("map", "run", "-d", "acme")
    assert result.code == 0
    assert result.out.startswith("companies.csv: made 3 entities of 3 rows, 12 statements in ")
    assert mapped("map", "run", "-d", "acme").out == "companies.csv: nothing changed since it was mapped\n"
    names = {line["caption"] for line in mapped("query", "-d", "acme").lines}
    assert names == {row[1] for row in ROWS}


def test_the_result_of_a_run_as_json(mapped: Lakehouse) -> None:
    ran = mapped("--json", "map", "run", "-d", "acme").json
    assert {key: ran[key] for key in ("dataset", "entities", "rows", "skipped", "errors", "failed")} == {
        "dataset": "acme", "entities": 3, "rows": 12, "skipped": False, "errors": 0, "failed": {}
    }  # fmt: skip
    [(content_hash, artifact)] = ran["artifacts"].items()
    assert len(content_hash) == 64
    assert artifact["schemata"] == {"Company": 3}
    assert mapped("--json", "map", "run", "-d", "acme").json["skipped"] is True


def test_one_mapping_can_be_named_by_its_first_digits(mapped: Lakehouse) -> None:
    [listed] = mapped("--json", "map", "ls", "-d", "acme").json["mappings"]
    assert mapped("map", "run", "-d", "acme", listed["content_hash"][:8]).code == 0
    missing = mapped("map", "run", "-d", "acme", "0123456789")
    assert missing.code == 1
    assert "has no mapping of 0123456789; `lakehouse map ls -d acme`" in missing.err


def test_the_list_says_what_has_to_be_run(mapped: Lakehouse) -> None:
    assert "companies.csv" in mapped("map", "ls", "-d", "acme").out
    [before] = mapped("--json", "map", "ls", "-d", "acme").json["mappings"]
    mapped("map", "run", "-d", "acme")
    [after] = mapped("--json", "map", "ls", "-d", "acme").json["mappings"]
    assert (before["fresh"], before["why"], before["schemata"]) == (False, "it never ran", ["Company"])
    assert (after["fresh"], after["rows"]) == (True, 12)


def test_bad_rows_give_exit_code_3_and_the_place_where_they_are_kept(
    lakehouse: Lakehouse, table: Path
) -> None:
    table.write_bytes(b"id,name,country\n1,a,de\n2,b\n")
    lakehouse("dataset", "create", "acme")
    lakehouse("map", "add", "-d", "acme", "companies.yml", "--file", table)
    result = lakehouse("map", "run", "-d", "acme")
    assert result.code == 3
    assert "companies.csv, row 3: 2 cells, where the header has 3" in result.err
    place = result.err.partition("see ")[2].partition(" in ")[0]
    assert json.loads(Path("data/acme", place).read_text())["line"] == 3


def test_a_missing_column_is_told_when_the_mapping_is_added(lakehouse: Lakehouse, table: Path) -> None:
    table.write_bytes(csv_bytes([["id", "nam", "country"], ["1", "a", "de"]]))
    lakehouse("dataset", "create", "acme")
    result = lakehouse("map", "add", "-d", "acme", "companies.yml", "--file", table)
    assert "the file has no column name (did you mean nam?)" in result.err


def test_a_newer_file_says_what_it_takes_the_place_of(mapped: Lakehouse, table: Path) -> None:
    mapped("map", "run", "-d", "acme")
    table.write_bytes(csv_bytes([HEADER, ["4", "New", "it"]]))
    result = mapped("map", "add", "-d", "acme", "companies.yml", "--file", table)
    assert "takes the place of the mapping of" in result.err
    ran = mapped("map", "run", "-d", "acme").out.splitlines()
    assert ran[1:] == ["deleted 12 statements that it does not say any more"]
    assert [line["caption"] for line in mapped("query", "-d", "acme").lines] == ["New"]


def test_a_bad_mapping_is_refused_with_the_place_in_it(lakehouse: Lakehouse, table: Path) -> None:
    lakehouse("dataset", "create", "acme")
    Path("companies.yml").write_text(MAPPING.replace("name: {", "nme: {"))
    result = lakehouse("map", "add", "-d", "acme", "companies.yml", "--file", table)
    assert result.code == 1
    assert result.err.startswith("error: companies.yml, line 9: ")
    assert "did you mean name?" in result.err


def test_one_mapping_that_fails_is_told_and_the_others_run(mapped: Lakehouse, table: Path) -> None:
    table.write_bytes(csv_bytes([HEADER, ["4", "New", "it"]]))
    mapped("map", "add", "-d", "acme", "companies.yml", "--file", table, "--key", "other.csv")
    [first, second] = mapped("--json", "map", "ls", "-d", "acme").json["mappings"]
    path = Path("data/acme/mappings", first["content_hash"], "mapping.yml")
    path.write_text(path.read_text().replace("Company", "Compny"))
    result = mapped("map", "run", "-d", "acme")
    assert result.code == 1
    assert "made" in result.out
    assert "did you mean Company?" in result.err
    failed = mapped("--json", "map", "run", "-d", "acme").json["failed"]
    assert list(failed) == [first["content_hash"]]
    assert second["content_hash"] not in failed


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--file", "companies.csv", "--hash", "5a5a5a"], "--file or --hash"),
        (["--key", "x.csv"], "--key says where --file is archived"),
    ],
)
def test_options_that_cannot_be_meant_are_wrong_usage(
    mapped: Lakehouse, options: list[str], hint: str
) -> None:
    result = mapped("map", "add", "-d", "acme", "companies.yml", *options)
    assert result.code == 2
    assert hint in result.err


def test_a_mapping_without_a_table_asks_for_one(mapped: Lakehouse) -> None:
    result = mapped("map", "add", "-d", "acme", "companies.yml")
    assert result.code == 1
    assert "does not say which table it is for" in result.err


def test_a_dataset_without_mappings_says_how_to_add_one(lakehouse: Lakehouse) -> None:
    lakehouse("dataset", "create", "acme")
    result = lakehouse("map", "run", "-d", "acme")
    assert (result.code, result.out) == (
        0, "acme has no mappings; `lakehouse map add -d acme` adds one\n"
    )  # fmt: skip
