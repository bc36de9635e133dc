"""`lakehouse delete`."""

from pathlib import Path

from tests.cli.calling import Lakehouse


def test_a_deleted_entity_is_gone_at_once(acme: Lakehouse) -> None:
    result = acme("delete", "-d", "acme", "c1")
    assert result.code == 0
    assert result.out == "deleted 1 entity from acme: 2 statements\n"
    assert acme("get", "-d", "acme", "c1").code == 1
    assert [entity["id"] for entity in acme("query", "-d", "acme").lines] == ["p1", "p2"]


def test_ids_that_are_not_there_are_named_and_no_failure(acme: Lakehouse) -> None:
    result = acme("delete", "-d", "acme", "nobody", "p1", "--json")
    assert result.code == 0
    assert result.json["dataset"] == "acme"
    assert (result.json["entities"], result.json["missing"]) == (1, ["nobody"])
    assert "no entity nobody in acme" in acme("delete", "-d", "acme", "nobody").err


def test_only_what_an_origin_says_is_deleted(acme: Lakehouse, entities: Path) -> None:
    acme("import", "-d", "acme", entities, "--origin", "leak")
    acme("delete", "-d", "acme", "c1", "--origin", "leak")
    rows = acme("statements", "-d", "acme", "--entity", "c1", "--format", "json").lines
    assert {row["origin"] for row in rows} == {"bulk"}
