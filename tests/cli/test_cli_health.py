"""`lakehouse status` and `check`."""

from pathlib import Path

from tests.cli.calling import Lakehouse
from tests.factories import entity, write_lines

COUNTS = ("entities", "statements", "dirty_partitions", "journal_rows")


def test_the_status_tells_counts_and_freshness(acme: Lakehouse) -> None:
    told = acme("status", "-d", "acme", "--json").json
    assert {"dataset", *COUNTS, "content_version", "artifacts", "lease"} <= set(told)
    assert (told["dataset"], told["entities"], told["statements"]) == ("acme", 3, 8)
    assert (told["dirty_partitions"], told["journal_rows"], told["lease"]) == (0, 0, None)
    assert set(told["artifacts"]) == {"statements", "entities", "documents", "statistics", "index"}
    for artifact in told["artifacts"].values():
        assert {"fresh", "why", "written_at", "rows", "bytes"} <= set(artifact)
        assert artifact["fresh"] is False
    acme("make", "-d", "acme")
    told = acme("status", "-d", "acme", "--json").json
    assert all(artifact["fresh"] for artifact in told["artifacts"].values())
    assert told["artifacts"]["entities"]["rows"] == 3


def test_a_change_is_seen_as_a_reason(acme: Lakehouse, entities: Path) -> None:
    acme("make", "-d", "acme")
    acme("delete", "-d", "acme", "c1")
    shown = acme("status", "-d", "acme")
    assert shown.code == 0
    assert "acme: 2 entities, 6 statements" in shown.out
    assert "stale" in shown.out
    assert "statements changed" in shown.out
    assert "\x1b" not in shown.out


def test_the_status_of_all_datasets(acme: Lakehouse) -> None:
    acme("dataset", "create", "beta")
    told = acme("status", "--json").json
    assert [state["dataset"] for state in told["datasets"]] == ["acme", "beta"]
    shown = acme("status").out
    assert "acme: 3 entities" in shown
    assert "beta: 0 entities" in shown


def test_checks_of_a_made_dataset_pass(acme: Lakehouse) -> None:
    acme("make", "-d", "acme")
    result = acme("check", "-d", "acme", "--json")
    assert result.code == 0
    assert result.json["checks"]
    for check in result.json["checks"]:
        assert {"asset", "check", "passed", "severity", "metadata"} <= set(check)
        assert check["passed"], check
    assert acme("check", "-d", "acme", "--strict").code == 0


def test_without_a_dataset_the_catalogue_is_checked_too(acme: Lakehouse, folder: Path) -> None:
    acme("make", "--all")
    assert acme("check", "--strict").code == 0
    (folder / "data" / "index.json").write_text("{}")
    found = acme("check", "--json").json["checks"][-1]
    assert (found["dataset"], found["asset"], found["passed"]) == ("", "catalog_index", False)
    assert acme("check", "--strict").code == 1
    assert acme("check", "-d", "acme", "--strict").code == 0


def test_a_stale_export_is_a_warning_that_strict_makes_a_failure(acme: Lakehouse) -> None:
    acme("make", "-d", "acme")
    acme("delete", "-d", "acme", "c1")
    warned = acme("check", "-d", "acme")
    assert warned.code == 0
    assert "warning" in warned.out
    assert acme("check", "-d", "acme", "--strict").code == 1


def test_a_damaged_export_fails_the_check(acme: Lakehouse, folder: Path) -> None:
    acme("make", "-d", "acme")
    file = folder / "data" / "acme" / "entities.ftm.json"
    file.write_bytes(file.read_bytes().replace(b"Acme", b"Bcme"))
    result = acme("check", "-d", "acme", "--json")
    assert result.code == 1
    failed = {(check["asset"], check["check"]) for check in result.json["checks"] if not check["passed"]}
    assert ("entities_json", "intact") in failed
    assert "failed" in acme("check").out


def test_the_reasons_are_shown_source_by_source(acme: Lakehouse) -> None:
    acme("make", "-d", "acme")
    assert acme("status", "-d", "acme", "--why").out == acme("status", "-d", "acme").out
    acme("delete", "-d", "acme", "c1")
    shown = acme("status", "-d", "acme", "--why").out
    assert "entities is stale: statements changed since it was made" in shown
    assert "index is stale" not in shown
    assert "…:1" in shown
    assert shown.endswith("what helps: `lakehouse make -d acme`\n")
    told = acme("status", "-d", "acme", "--json").json["artifacts"]["entities"]
    assert told["made_from"]["statements"] != told["current"]["statements"]


def test_assertions_that_do_not_hold_fail_the_check_with_both_numbers(acme: Lakehouse, folder: Path) -> None:
    acme("make", "-d", "acme")
    (folder / "data" / "acme" / "pipeline.yml").write_text("assertions: {schema: {Person: {min: 3, max: 9}}}")
    shown = acme("check", "-d", "acme")
    assert shown.code == 1
    assert "2 entities are of schema Person, at least 3 are wanted" in shown.out
    assert "publishes all the same" in shown.out
    found = acme("check", "-d", "acme", "--json").json["checks"]
    (check,) = [each for each in found if each["check"] == "assertions"]
    assert (check["asset"], check["passed"], check["severity"]) == ("statements", False, "ERROR")
    assert [(row["assertion"], row["wanted"], row["found"], row["holds"]) for row in check["table"]] == [
        ("schema.Person.min", 3, 2, "no"),
        ("schema.Person.max", 9, 2, "yes"),
    ]


def test_dangling_references_are_listed_by_property_as_a_warning(acme: Lakehouse, folder: Path) -> None:
    owner = entity("o1", "Ownership", owner=["p1"], asset=["ghost"])
    acme("import", "-d", "acme", write_lines(folder / "o.json", [owner]))
    acme("make", "-d", "acme")
    shown = acme("check", "-d", "acme")
    assert shown.code == 0
    assert "references 2, dangling 1, properties 1" in shown.out
    assert "o1 -> ghost" in shown.out
    assert acme("check", "-d", "acme", "--strict").code == 1
