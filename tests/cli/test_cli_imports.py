"""`lakehouse import`."""

import bz2
import gzip
import json
from pathlib import Path

import pytest
import zstandard

from tests.cli.calling import Lakehouse
from tests.factories import company, entity, person, write_lines


@pytest.fixture
def empty(lakehouse: Lakehouse) -> Lakehouse:
    """The command beside a dataset without entities."""
    lakehouse("dataset", "create", "acme")
    return lakehouse


def test_an_import_tells_what_it_did(empty: Lakehouse, entities: Path) -> None:
    result = empty("import", "-d", "acme", entities)
    assert result.code == 0
    assert result.out.startswith("imported 3 entities into acme: 8 statements from ")
    assert result.err == ""


def test_an_import_is_told_in_json(empty: Lakehouse, entities: Path) -> None:
    told = empty("import", "-d", "acme", entities, "--json").json
    assert told["dataset"] == "acme"
    assert (told["entities"], told["rows"], told["errors"]) == (3, 8, 0)
    assert told["bytes"] == entities.stat().st_size
    assert told["seconds"] > 0
    assert told["digest"] == empty("status", "-d", "acme", "--json").json["content_version"]
    assert told["skipped"] is False
    assert told["rejected"] == {}


def test_the_origin_is_bulk_unless_named(empty: Lakehouse, entities: Path) -> None:
    empty("import", "-d", "acme", entities)
    empty("import", "-d", "acme", entities, "--origin", "leak")
    origins = {row["origin"] for row in empty("statements", "-d", "acme", "--format", "json").lines}
    assert origins == {"bulk", "leak"}


def test_a_line_keeps_its_own_origin_unless_overridden(empty: Lakehouse, folder: Path) -> None:
    file = write_lines(folder / "own.json", [{**company(), "origin": "registry"}])
    empty("import", "-d", "acme", file, "--origin", "leak")
    assert empty("query", "-d", "acme", "--origin", "registry").lines
    empty("import", "-d", "acme", file, "--origin", "leak", "--override-origin")
    assert empty("query", "-d", "acme", "--origin", "leak").lines


def test_stdin_is_imported(empty: Lakehouse, entities: Path) -> None:
    assert (
        empty(
            "import",
            "-d",
            "acme",
            "-",
            stdin=entities.read_bytes(),
        ).code
        == 0
    )
    assert len(empty("query", "-d", "acme").lines) == 3


def test_several_files_are_one_import_compressed_or_not(empty: Lakehouse, folder: Path) -> None:
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "zst": zstandard.ZstdCompressor().compress}
    files = [write_lines(folder / "0.json", [company("c0")])]
    for suffix, compress in pack.items():
        files.append(folder / f"{suffix}.json.{suffix}")
        files[-1].write_bytes(compress(json.dumps(company(suffix)).encode()))
    assert empty("import", "-d", "acme", *files, "--json").json["entities"] == 4
    assert [entity["id"] for entity in empty("query", "-d", "acme").lines] == ["bz2", "c0", "gz", "zst"]


def test_bad_lines_end_with_3_and_the_good_ones_land(empty: Lakehouse, folder: Path) -> None:
    file = folder / "mixed.json"
    nothing = json.dumps(entity("x", "Nothing"))
    file.write_text(f"{json.dumps(company())}\nno json\n{nothing}\n")
    result = empty("import", "-d", "acme", file, "--json")
    assert result.code == 3
    assert (result.json["entities"], result.json["errors"]) == (1, 2)
    quarantine = folder / "data" / "acme" / result.json["quarantine"]
    assert [json.loads(line)["line"] for line in quarantine.read_text().splitlines()] == [2, 3]
    told = empty("import", "-d", "acme", file)
    assert told.code == 3
    assert "2 lines could not be imported; see quarantine/" in told.err


def test_strict_refuses_the_whole_input(empty: Lakehouse, folder: Path) -> None:
    file = folder / "mixed.json"
    file.write_text(f"{json.dumps(company())}\nno json\n")
    result = empty("import", "-d", "acme", file, "--strict")
    assert result.code == 1
    assert "line 2" in result.err
    assert empty("query", "-d", "acme").out == ""


def test_rejected_values_are_counted_and_no_failure(empty: Lakehouse, folder: Path) -> None:
    jane = person("p1", name=["Jane"], birthDate=["a rainy day"], wings=["2"])
    file = write_lines(folder / "dates.json", [jane])
    result = empty("import", "-d", "acme", file, "--json")
    assert result.code == 0
    assert result.json["rejected"] == {"Person.birthDate": 1}
    assert result.json["unknown"] == {"Person.wings": 1}
    told = empty("import", "-d", "acme", file)
    assert "1 value (Person.birthDate 1) rejected by cleaning" in told.err
    assert "Person.wings 1" in told.err


def test_trusted_values_are_taken_as_they_are(empty: Lakehouse, folder: Path) -> None:
    file = write_lines(folder / "odd.json", [person("p1", name=["Jane"], birthDate=["a rainy day"])])
    empty("import", "-d", "acme", file, "--trusted")
    assert empty("get", "-d", "acme", "p1").lines[0]["properties"]["birthDate"] == ["a rainy day"]


def test_role_and_last_seen_fill_in(empty: Lakehouse, entities: Path) -> None:
    result = empty("import", "-d", "acme", entities, "--role", "desk", "--last-seen", "2026-01-02T03:04:05Z")
    assert result.code == 0
    seen = {row["last_seen"] for row in empty("statements", "-d", "acme", "--format", "json").lines}
    assert {text[:10] for text in seen} == {"2026-01-02"}


@pytest.mark.parametrize("name", ["x.xlsx", "X.ZIP"])
def test_other_formats_are_refused(empty: Lakehouse, folder: Path, name: str) -> None:
    (folder / name).write_text("id,name\n")
    result = empty("import", "-d", "acme", name)
    assert result.code == 1
    assert name in result.err
    assert "JSON lines" in result.err


def test_a_missing_file_is_named(empty: Lakehouse, entities: Path) -> None:
    result = empty("import", "-d", "acme", entities, "nowhere.json")
    assert result.code == 1
    assert "nowhere.json does not exist" in result.err
    assert empty("query", "-d", "acme").out == ""


def test_a_folder_is_refused(empty: Lakehouse, folder: Path) -> None:
    result = empty("import", "-d", "acme", folder)
    assert result.code == 1
    assert "is a folder" in result.err


def test_an_empty_file_changes_nothing(empty: Lakehouse, folder: Path) -> None:
    (folder / "empty.json").touch()
    result = empty("import", "-d", "acme", "empty.json", "--json")
    assert result.code == 0
    assert result.json["entities"] == 0
    assert empty("status", "-d", "acme", "--json").json["content_version"] == "none"


def test_a_broken_archive_is_an_error(empty: Lakehouse, folder: Path, entities: Path) -> None:
    (folder / "torn.json.gz").write_bytes(gzip.compress(entities.read_bytes())[:-20])
    result = empty("import", "-d", "acme", "torn.json.gz")
    assert result.code == 1
    assert "torn.json.gz" in result.err
    assert empty("query", "-d", "acme").out == ""
