"""`lakehouse get`, `query` and `statements`."""

import csv
import io
import json
from pathlib import Path

from tests.cli.calling import Lakehouse
from tests.factories import company, write_lines


def test_entities_come_in_the_order_of_the_ids(acme: Lakehouse) -> None:
    result = acme("get", "-d", "acme", "p2", "c1", "p2")
    assert result.code == 0
    assert [entity["id"] for entity in result.lines] == ["p2", "c1"]
    assert result.lines[1]["properties"] == {"name": ["Acme Inc."]}


def test_a_missing_id_is_named_and_the_others_are_printed(acme: Lakehouse) -> None:
    result = acme("get", "-d", "acme", "c1", "nobody", "no\x1b[31mbody")
    assert result.code == 1
    assert [entity["id"] for entity in result.lines] == ["c1"]
    assert result.err == "error: no entity nobody in acme\nerror: no entity no\\x1b[31mbody in acme\n"


def test_an_empty_dataset_has_nothing_to_say(lakehouse: Lakehouse) -> None:
    lakehouse("dataset", "create", "acme")
    assert lakehouse("get", "-d", "acme", "c1").code == 1
    assert lakehouse("query", "-d", "acme").out == ""
    assert lakehouse("statements", "-d", "acme").out.count("\n") == 1
    assert lakehouse("statements", "-d", "acme", "--format", "json").out == ""


def test_a_query_combines_conditions(acme: Lakehouse) -> None:
    def found(*args: str) -> list[str]:
        return [entity["id"] for entity in acme("query", "-d", "acme", *args).lines]

    assert found() == ["c1", "p1", "p2"]
    assert found("--schema", "Person") == ["p1", "p2"]
    assert found("--where", "country=fr") == ["p1"]
    assert found("--where", "country=fr", "--where", "name=John Doe") == []
    assert found("--schema", "Person", "--limit", "1") == ["p1"]
    assert found("--limit", "0") == []
    assert found("--origin", "bulk", "--bucket", "thing") == ["c1", "p1", "p2"]
    assert found("--origin", "leak") == []
    assert found("--changed-since", "2026-01-01") == ["c1", "p1", "p2"]
    assert found("--changed-since", "2999-01-01T00:00:00Z") == []


def test_a_property_is_asked_for_once(acme: Lakehouse) -> None:
    result = acme("query", "-d", "acme", "--where", "country=fr", "--where", "country=de")
    assert result.code == 2
    assert "country is given twice" in result.err


def test_a_value_may_hold_an_equals_sign(acme: Lakehouse, folder: Path) -> None:
    file = write_lines(folder / "more.json", [company("c2", name=["a=b"])])
    acme("import", "-d", "acme", file)
    assert [entity["id"] for entity in acme("query", "-d", "acme", "--where", "name=a=b").lines] == ["c2"]


def test_statements_are_csv_like_the_export(acme: Lakehouse, folder: Path) -> None:
    acme("export", "-d", "acme", "statements")
    shown = acme("statements", "-d", "acme")
    assert shown.code == 0
    assert shown.out == (folder / "data" / "acme" / "exports" / "statements.csv").read_bytes().decode()


def test_statements_of_some_entities(acme: Lakehouse) -> None:
    shown = acme("statements", "-d", "acme", "--entity", "c1", "--entity", "p1").out
    assert {row["entity_id"] for row in csv.DictReader(io.StringIO(shown))} == {"c1", "p1"}


def test_statements_in_json_say_the_same_as_in_csv(acme: Lakehouse, folder: Path) -> None:
    text = 'two\nlines, "quoted"\r\nand\x0bmore\x85'
    acme("import", "-d", "acme", write_lines(folder / "odd.json", [company("c2", name=[text])]), "--trusted")
    rows = list(csv.DictReader(io.StringIO(acme("statements", "-d", "acme").out, newline="")))
    statements = acme("statements", "-d", "acme", "--format", "json").lines
    assert text in {statement["value"] for statement in statements}
    assert [statement["value"] for statement in statements] == [row["value"] for row in rows]
    assert {statement["external"] for statement in statements} == {False}
    assert {statement["lang"] for statement in statements} == {None}
    assert acme("statements", "-d", "acme", "--json").lines == statements


def test_statements_in_json_are_what_followthemoney_reads(acme: Lakehouse) -> None:
    from followthemoney.statement.serialize import read_json_statements

    out = acme("statements", "-d", "acme", "--format", "json").out
    read = list(read_json_statements(io.BytesIO(out.encode())))
    assert [statement.id for statement in read] == [json.loads(line)["id"] for line in out.splitlines()]
    assert all(statement.generate_key() == statement.id for statement in read if statement.prop != "id")
