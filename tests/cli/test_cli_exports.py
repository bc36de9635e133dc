"""`lakehouse export` and `make`."""

import hashlib
from pathlib import Path

import pytest

from tests.cli.calling import Lakehouse
from tests.factories import company, person, write_lines

PATHS = {
    "statements": "exports/statements.csv",
    "entities": "entities.ftm.json",
    "documents": "exports/documents.csv",
    "statistics": "exports/statistics.json",
    "index": "index.json",
}
ARTIFACTS = list(PATHS)


def test_everything_is_exported_by_default(acme: Lakehouse, folder: Path) -> None:
    result = acme("export", "-d", "acme", "--json")
    assert result.code == 0
    assert list(result.json["artifacts"]) == ARTIFACTS
    assert result.json["skipped"] is False
    for path in PATHS.values():
        assert (folder / "data" / "acme" / path).exists()


def test_one_export_is_told_at_the_top(acme: Lakehouse, folder: Path) -> None:
    told = acme("export", "-d", "acme", "entities", "--json").json
    data = (folder / "data" / "acme" / "entities.ftm.json").read_bytes()
    assert (told["dataset"], told["rows"], told["errors"]) == ("acme", 3, 0)
    assert told["bytes"] == len(data)
    assert told["digest"] == hashlib.sha256(data).hexdigest()
    assert told["seconds"] >= 0
    assert told["skipped"] is False


def test_exports_are_named_apart_or_with_commas(acme: Lakehouse) -> None:
    told = acme("export", "-d", "acme", "statistics,entities", "statements", "--json").json
    assert list(told["artifacts"]) == ["statements", "entities", "statistics"]


def test_a_fresh_export_is_skipped_unless_forced(acme: Lakehouse) -> None:
    first = acme("export", "-d", "acme", "entities")
    assert "entities written to entities.ftm.json: 3 rows" in first.out
    assert "entities is fresh" in acme("export", "-d", "acme", "entities").out
    assert acme("export", "-d", "acme", "entities", "--json").json["skipped"] is True
    assert acme("export", "-d", "acme", "entities", "--force", "--json").json["skipped"] is False


def test_entities_that_cannot_be_one_are_named(acme: Lakehouse, folder: Path) -> None:
    file = write_lines(folder / "two.json", [company("x1"), person("x1")])
    acme("import", "-d", "acme", file)
    told = acme("export", "-d", "acme", "entities")
    assert told.code == 0
    assert told.err == "warning: acme: entities: incompatible: 1 (x1)\n"
    assert acme("export", "-d", "acme", "entities", "--force", "--json").json["notes"]["incompatible"] == [
        "x1"
    ]


def test_a_made_dataset_is_fresh(acme: Lakehouse, folder: Path) -> None:
    result = acme("make", "-d", "acme", "--json")
    assert result.code == 0
    assert result.json["dataset"] == "acme"
    assert list(result.json["artifacts"]) == ARTIFACTS
    assert not any(artifact["skipped"] for artifact in result.json["artifacts"].values())
    assert (folder / "data" / "index.json").exists()
    again = acme("make", "-d", "acme", "--json").json
    assert all(artifact["skipped"] for artifact in again["artifacts"].values())
    forced = acme("make", "-d", "acme", "--force", "--json").json
    assert not any(artifact["skipped"] for artifact in forced["artifacts"].values())


def test_making_tells_each_artifact(acme: Lakehouse) -> None:
    lines = acme("make", "-d", "acme").out.splitlines()
    assert [line.split()[1] for line in lines] == ARTIFACTS
    assert all(line.startswith("acme: ") for line in lines)


def test_several_datasets_are_made(acme: Lakehouse, folder: Path) -> None:
    acme("dataset", "create", "beta")
    assert [made["dataset"] for made in acme("make", "--all", "--json").json["datasets"]] == ["acme", "beta"]
    for args in (("-d", "beta", "-d", "acme"), ("-d", "beta", "acme")):
        told = acme("make", *args, "--json").json
        assert [made["dataset"] for made in told["datasets"]] == ["beta", "acme"]
    assert (folder / "data" / "beta" / "index.json").exists()


def test_a_dataset_that_fails_does_not_keep_others_from_being_made(acme: Lakehouse, folder: Path) -> None:
    acme("dataset", "create", "beta")
    (folder / "data" / "acme" / "config.yml").write_text("name: [torn")
    result = acme("make", "--all", "--json")
    assert result.code == 1
    assert "error: acme: " in result.err
    assert result.json["failed"] == ["acme"]
    assert [made["dataset"] for made in result.json["datasets"]] == ["beta"]


def test_an_empty_lake_has_nothing_to_make(lakehouse: Lakehouse) -> None:
    assert lakehouse("make", "--all", "--json").json["datasets"] == []


@pytest.mark.parametrize("call", [("make",), ("export",), ("export", "index")], ids=" ".join)
def test_nothing_is_published_that_pipeline_yml_asserts_against(
    acme: Lakehouse, folder: Path, call: tuple[str, ...]
) -> None:
    (folder / "data" / "acme" / "pipeline.yml").write_text("assertions: {filled: {Person.birthDate: 0.5}}")
    refused = acme(*call, "-d", "acme")
    assert (refused.code, refused.out) == (1, "")
    assert "Person.birthDate is filled in 0 of 2 entities (0.00%), at least 50.00% are wanted" in refused.err
    assert not any((folder / "data" / "acme" / path).exists() for path in PATHS.values())
    done = acme(*call, "-d", "acme", "--no-assertions", "--json")
    assert done.code == 0
    assert "warning: acme: index.json is published although Person.birthDate" in done.err
    assert "0 of 2 entities" in done.json["artifacts"]["index"]["failed_assertions"][0]


def test_an_assertion_that_cannot_be_meant_is_named_with_file_line_and_key(
    acme: Lakehouse, folder: Path
) -> None:
    (folder / "data" / "acme" / "pipeline.yml").write_text("assertions:\n  filled:\n    Person.nmae: 1\n")
    refused = acme("make", "-d", "acme")
    assert refused.code == 1
    assert "acme/pipeline.yml, line 3: assertions.filled.Person.nmae: no property of Person" in refused.err
    assert "did you mean name?" in refused.err
