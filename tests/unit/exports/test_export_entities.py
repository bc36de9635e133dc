import io
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import polars as pl
import pytest

from lakehouse_assets.exports.entities import render_entities
from lakehouse_assets.exports.entities_json import EntitiesJson
from lakehouse_assets.statements import ranges, stage
from lakehouse_assets.statements import schema as s
from tests.unit.exports.tables import DATASET, FIRST, LAST, base, frame, make_view, people, row


def entities_of(view):
    return [json.loads(line) for line in view.location.read("entities.ftm.json").splitlines()]


def rendered(*rows):
    """The entities of rows of one bucket, parsed."""
    return [json.loads(line) for line in render_entities(frame(rows), DATASET).lines]


def test_without_a_table_the_file_is_empty(tmp_path):
    [result] = EntitiesJson().write(view := make_view(tmp_path))
    assert view.location.read("entities.ftm.json") == b""
    assert (result.rows, result.bytes) == (0, 0)


def test_an_entity_is_one_line_with_sorted_properties_and_values(tmp_path):
    rows = [
        base("p1", origin="a"),
        row("p1", "name", "Zoë", origin="b", role="analyst"),
        row("p1", "name", 'An "A"', origin="a"),
        row("p1", "country", "de", origin="a", last_seen=datetime(2025, 1, 1, tzinfo=UTC)),
    ]
    EntitiesJson().write(view := make_view(tmp_path, rows))
    assert view.location.read("entities.ftm.json").decode() == (
        '{"id":"p1","caption":"An \\"A\\"","schema":"Person","properties":{"country":["de"],'
        '"name":["An \\"A\\"","Zoë"]},"referents":[],"datasets":["acme"],"origin":["a","b"],"role":["analyst"],'
        '"first_seen":"2024-01-02T03:04:05.000000+00:00","last_seen":"2025-01-01T00:00:00.000000+00:00",'
        '"last_change":"2024-01-02T03:04:05.000000+00:00"}\n'
    )


def test_an_entity_without_values_has_no_properties():
    [found] = rendered(base("p1"))
    assert found["properties"] == {}
    assert (found["caption"], found["schema"]) == ("Person", "Person")
    assert found["first_seen"] == "2024-01-02T03:04:05.000000+00:00"


def test_entities_without_values_between_others():
    found = rendered(base("a"), row("b", "name", "B"), base("c"), row("d", "name", "D"), base("d"))
    assert [(entity["id"], entity["properties"]) for entity in found] == [
        ("a", {}),
        ("b", {"name": ["B"]}),
        ("c", {}),
        ("d", {"name": ["D"]}),
    ]


def test_without_a_row_of_its_own_an_entity_has_no_last_change():
    [found] = rendered(row("p1", "name", "Jane"))
    assert "last_change" not in found


def test_times_are_those_of_the_values_and_the_change_that_of_the_entity():
    early, late = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    [found] = rendered(
        base("p1", first_seen=early, last_seen=late),
        base("p1", first_seen=FIRST, last_seen=late, checksum="other"),
        row("p1", "name", "Jane"),
    )
    assert found["first_seen"] == FIRST.isoformat(timespec="microseconds")
    assert found["last_seen"] == LAST.isoformat(timespec="microseconds")
    assert found["last_change"] == FIRST.isoformat(timespec="microseconds")


def test_a_value_that_several_say_stands_there_once():
    [found] = rendered(
        row("p1", "name", "Jane"),
        row("p1", "name", "Jane", lang="eng"),
        row("p1", "name", "Jane", origin="x"),
    )
    assert found["properties"] == {"name": ["Jane"]}


def test_values_are_sorted_by_code_point():
    [found] = rendered(*(row("p1", "name", value) for value in ["é", "a", "Z", "😀", "\uffee", "z"]))
    assert found["properties"]["name"] == ["Z", "a", "z", "é", "\uffee", "😀"]


def test_the_caption_is_the_smallest_value_of_the_first_caption_property_with_values():
    [found] = rendered(
        row("p1", "email", "a@b.example"),
        row("p1", "lastName", "Aa"),
        row("p1", "alias", "Z"),
        row("p1", "alias", "Y"),
    )
    assert found["caption"] == "Y"


def test_the_caption_of_an_entity_without_a_name_is_its_kind():
    [found] = rendered(row("o1", "role", "owner", "Ownership"))
    assert found["caption"] == "Ownership"


def test_the_most_special_schema_counts():
    [found] = rendered(row("c", "name", "C", "LegalEntity"), row("c", "name", "C", "Company", origin="x"))
    assert found["schema"] == "Company"


def test_what_does_not_go_together_is_what_both_have_in_common_and_is_reported(tmp_path):
    rows = [
        row("x", "name", "X", "Company"),
        row("x", "notes", "N", "Vessel"),
        row("y", "name", "Y", "Company"),
    ]
    [result] = EntitiesJson().write(view := make_view(tmp_path, rows))
    assert [found["schema"] for found in entities_of(view)] == ["Asset", "Company"]
    assert result.notes == {"incompatible": ["x"], "incompatible_count": 1}


def test_an_unknown_schema_does_not_stop_the_export():
    strange = {**row("x", "name", "X"), "schema": "Spaceship"}
    assert [(found["schema"], found["caption"]) for found in rendered(strange)] == [
        ("Spaceship", "Spaceship")
    ]


def test_an_entity_in_two_buckets_is_one_line_at_the_first(tmp_path):
    rows = [
        row("d1", "fileName", "a.txt", "Document"),
        row("x", "fileName", "x.txt", "Document"),
        row("x", "name", "X", "Person"),
        row("z", "name", "Z", "Person"),
    ]
    [result] = EntitiesJson().write(view := make_view(tmp_path, rows))
    found = entities_of(view)
    assert [(entity["id"], entity["schema"]) for entity in found] == [
        ("d1", "Document"),
        ("x", "Thing"),
        ("z", "Person"),
    ]
    assert found[1]["properties"] == {"fileName": ["x.txt"], "name": ["X"]}
    assert result.rows == 3
    assert result.notes["incompatible"] == ["x"]


def test_an_entity_whose_first_bucket_was_deleted_stands_in_the_second(tmp_path):
    rows = [
        row("x", "fileName", "x.txt", "Document", deleted_at=LAST),
        row("x", "name", "X", "Person"),
        row("d1", "fileName", "a.txt", "Document"),
    ]
    EntitiesJson().write(view := make_view(tmp_path, rows))
    assert [(found["id"], found["schema"]) for found in entities_of(view)] == [
        ("d1", "Document"),
        ("x", "Person"),
    ]


def test_the_bytes_do_not_tell_in_how_many_commits_the_rows_came(tmp_path):
    rows = people()
    one = make_view(tmp_path / "one", rows)
    three = make_view(tmp_path / "three", rows[5:], rows[:7], rows[2:9])
    assert EntitiesJson().write(one)[0].digest == EntitiesJson().write(three)[0].digest


def test_the_lines_are_the_bytes_of_the_file(tmp_path):
    EntitiesJson().write(view := make_view(tmp_path, people()))
    lines = [line for rows in view.reader.scan() for line in render_entities(rows, DATASET).lines]
    assert "".join(lines).encode() == view.location.read("entities.ftm.json")


def test_rows_in_any_order_inside_an_entity_give_the_same_line():
    rows = frame(people()).filter(pl.col(s.BUCKET) == "thing")
    shuffled = rows.sample(fraction=1, shuffle=True, seed=1).sort(s.ENTITY_ID, maintain_order=True)
    assert (
        render_entities(shuffled, DATASET).lines.to_list() == render_entities(rows, DATASET).lines.to_list()
    )


def test_the_digest_of_an_entity_is_of_its_line_without_times():
    other = {"first_seen": datetime(1999, 1, 1, tzinfo=UTC), "last_seen": datetime(2030, 1, 1, tzinfo=UTC)}
    one = render_entities(frame([base("é"), row("é", "name", "Zoë")]), DATASET)
    two = render_entities(frame([row("é", "name", "Zoë", **other)]), DATASET)
    assert one.digests.to_list() == two.digests.to_list()
    [content] = one.lines.str.extract(r'^(.*),"first_seen":').to_list()
    assert content.endswith('"datasets":["acme"],"origin":["default"]')
    assert one.digests.to_list() == [blake2b(content.encode(), digest_size=16).digest()]
    changed = render_entities(frame([row("é", "name", "Zoé")]), DATASET)
    assert changed.digests.to_list() != one.digests.to_list()


def test_followthemoney_makes_the_same_entities_of_our_statements(tmp_path):
    from followthemoney.dataset import Dataset
    from followthemoney.statement.entity import StatementEntity
    from followthemoney.statement.serialize import read_csv_statements

    from lakehouse_assets.exports.statements_csv import StatementsCsv

    view = make_view(tmp_path, people())
    EntitiesJson().write(view)
    StatementsCsv().write(view)
    statements = {}
    for found in read_csv_statements(io.BytesIO(view.location.read("exports/statements.csv"))):
        statements.setdefault(found.canonical_id, []).append(found)
    dataset = Dataset({"name": DATASET, "title": DATASET})
    for ours in entities_of(view):
        theirs = StatementEntity.from_statements(dataset, statements.pop(ours["id"]))
        assert ours["schema"] == theirs.schema.name
        assert {name: set(values) for name, values in ours["properties"].items()} == {
            name: set(theirs.get(name)) for name in theirs.properties
        }
        if len(theirs.get("name", quiet=True)) < 2:
            assert ours["caption"] == theirs.caption
    assert statements == {}


def test_the_ftm_command_reads_the_file(tmp_path):
    EntitiesJson().write(view := make_view(tmp_path, people()))
    read, written = view.location.local("entities.ftm.json"), tmp_path / "validated.json"
    ftm = shutil.which("ftm", path=Path(sys.executable).parent)
    subprocess.run([ftm, "validate", "-i", read, "-o", written], check=True)
    found = [json.loads(line) for line in written.read_bytes().splitlines()]
    assert {entity["id"] for entity in found} == {entity["id"] for entity in entities_of(view)}


@pytest.mark.parametrize(
    "value", ['"', "\\", "\n", "\r\n", "\t\b\f", "\x00\x1f\x7f", "\u2028", "😀", "</script>", "'"]
)
def test_any_value_is_written_as_json_has_it(value):
    [line] = render_entities(frame([row("p1", "name", value)]), DATASET).lines
    assert json.loads(line)["properties"] == {"name": [value]}
    assert json.dumps(value, ensure_ascii=False) in line


def test_many_entities_in_two_buckets_are_each_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(ranges.plan, "__defaults__", (5,))
    monkeypatch.setattr(stage, "ROW_GROUP", 3)
    rows = [row(f"x{number:02}", "fileName", f"{number}.txt", "Document") for number in range(40)]
    rows += [row(f"x{number:02}", "name", f"X {number}", "Person") for number in range(0, 40, 2)]
    [result] = EntitiesJson().write(view := make_view(tmp_path, rows))
    found = {entity["id"]: entity["properties"] for entity in entities_of(view)}
    assert result.rows == len(found) == 40
    for number in range(40):
        expected = {"fileName": [f"{number}.txt"]}
        if number % 2 == 0:
            expected["name"] = [f"X {number}"]
        assert found[f"x{number:02}"] == expected
