"""What is rendered column by column, against a slow rendering row by row."""

import csv
import io
import json
from datetime import UTC, datetime

import polars as pl
from followthemoney import model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.exports.entities import render_entities
from lakehouse_assets.exports.statements_csv import FIELDS, render_statements
from lakehouse_assets.exports.text import csv_text, json_escaped
from lakehouse_assets.statements import schema as s
from tests.unit.exports.tables import DATASET, frame, row

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | st.sampled_from(
    ['"', '""', "\\", "\\n", "\n", "\r\n", "\x00", "\x1f", "\u2028", "😀", "a,b", " a ", "'"]
)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
SCHEMATA = ["Person", "Company", "LegalEntity", "Organization", "Vessel"]
PROPS = ["id", "name", "alias", "country", "notes", "jurisdiction"]


@st.composite
def statements(draw):
    """A row of an entity of a few, so that they have several."""
    schema = draw(st.sampled_from(SCHEMATA))
    prop = draw(st.sampled_from(PROPS))
    if prop != s.BASE_PROP and prop not in model.get(schema).properties:
        prop = "name"
    first, last = sorted([draw(TIMES), draw(TIMES)])
    return row(
        draw(st.sampled_from(["a", "b", "c", 'é"'])),
        prop,
        draw(TEXT),
        schema,
        original_value=draw(st.none() | TEXT),
        lang=draw(st.sampled_from([None, "eng"])),
        external=draw(st.booleans()),
        origin=draw(st.sampled_from(["default", "crawl"])),
        role=draw(st.none() | TEXT),
        fragment=draw(st.sampled_from(["", "f"])),
        first_seen=first,
        last_seen=last,
    )


def slow_csv(rows):
    """The lines of statements.csv, one row after the other."""

    def field(value):
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, datetime):
            return value.strftime("%Y-%m-%d %H:%M:%S.%fZ")
        return '"' + value.replace('"', '""') + '"'

    names = [s.ENTITY_ID if name == "canonical_id" else name for name in FIELDS]
    return "".join(",".join(field(found[name]) for name in names) + "\n" for found in rows)


def slow_schema(rows):
    """The schema of an entity, by followthemoney where that has one."""
    schemata = {model.get(found[s.SCHEMA]) for found in rows}
    for schema in schemata:
        if all(schema.is_a(other) for other in schemata):
            return schema
    shared = set.intersection(*(set(schema.schemata) for schema in schemata))
    return max(sorted(shared, key=lambda schema: schema.name), key=lambda schema: len(schema.schemata))


def slow_entity(entity_id, rows):
    """The line of an entity, one row after the other."""
    schema = slow_schema(rows)
    of_values = [found for found in rows if found[s.PROP] != "id"]
    of_itself = [found for found in rows if found[s.PROP] == "id"]
    properties = {
        name: sorted({found[s.VALUE] for found in of_values if found[s.PROP] == name})
        for name in sorted({found[s.PROP] for found in of_values})
    }
    captions = [properties[name][0] for name in schema.caption if name in properties]
    entity = {
        "id": entity_id,
        "caption": captions[0] if captions else schema.label,
        "schema": schema.name,
        "properties": properties,
        "referents": [],
        "datasets": [DATASET],
        "origin": sorted({found[s.ORIGIN] for found in rows}),
    }
    roles = sorted({found[s.ROLE] for found in rows} - {None})
    if roles:
        entity["role"] = roles
    seen = of_values or rows
    times = {
        "first_seen": min(found[s.FIRST_SEEN] for found in seen),
        "last_seen": max(found[s.LAST_SEEN] for found in seen),
    }
    if of_itself:
        times["last_change"] = max(found[s.FIRST_SEEN] for found in of_itself)
    entity |= {name: time.isoformat(timespec="microseconds") for name, time in times.items()}
    return json.dumps(entity, ensure_ascii=False, separators=(",", ":")) + "\n"


@given(st.lists(statements(), min_size=1, max_size=12))
def test_statements_are_rendered_as_row_by_row(rows):
    table = frame(rows)
    assert "".join(render_statements(table)) == slow_csv(table.iter_rows(named=True))


@given(st.lists(statements(), min_size=1, max_size=12))
def test_entities_are_rendered_as_one_by_one(rows):
    table = frame(rows)
    by_id = {}
    for found in table.iter_rows(named=True):
        by_id.setdefault(found[s.ENTITY_ID], []).append(found)
    found = render_entities(table, DATASET)
    assert found.lines.to_list() == [slow_entity(entity_id, rows) for entity_id, rows in by_id.items()]
    assert "".join(found.pieces) == "".join(found.lines)


@given(st.lists(statements(), min_size=2, max_size=12), st.data())
def test_where_frames_end_makes_no_difference(rows, data):
    table = frame(rows)
    ids = table[s.ENTITY_ID].unique(maintain_order=True).to_list()
    cut = data.draw(st.integers(0, len(ids)))
    first = pl.col(s.ENTITY_ID).is_in(ids[:cut])
    parts = [table.filter(first), table.filter(~first)]
    lines = [line for part in parts for line in render_entities(part, DATASET).lines]
    assert lines == render_entities(table, DATASET).lines.to_list()
    csv_lines = [line for part in parts for line in render_statements(part)]
    assert csv_lines == render_statements(table).to_list()


@given(st.lists(TEXT, min_size=1, max_size=8))
def test_any_text_is_escaped_as_json_does(texts):
    escaped = json_escaped(pl.Series(texts))
    assert [f'"{text}"' for text in escaped] == [json.dumps(text, ensure_ascii=False) for text in texts]


@given(st.lists(st.none() | TEXT, min_size=1, max_size=8))
def test_any_text_is_quoted_as_csv_does(texts):
    column = pl.Series("text", texts, dtype=pl.String)
    quoted = column.to_frame().select(csv_text(column)).to_series()
    for text, field in zip(texts, quoted, strict=True):
        assert next(csv.reader(io.StringIO(f"{field},end\r\n", newline=""))) == [text or "", "end"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(st.lists(statements(), min_size=1, max_size=12), st.data())
def test_how_rows_came_into_the_table_makes_no_difference(tmp_path_factory, rows, data):
    from lakehouse_assets.exports.registry import EXPORTS
    from tests.unit.exports.tables import make_view

    # what an import commits is canonical: no row twice, no superseded fragments
    rows = [{**found, s.FRAGMENT: ""} for found in rows]
    rows = list({(found[s.ID], found[s.ORIGIN], found[s.ROLE]): found for found in rows}.values())
    again = data.draw(st.lists(st.sampled_from(rows), max_size=6, unique_by=id))
    one = make_view(tmp_path_factory.mktemp("one"), [*rows])
    two = make_view(tmp_path_factory.mktemp("two"), again or rows, rows)
    for name in ("statements", "entities", "statistics"):
        assert EXPORTS[name].write(one)[0].digest == EXPORTS[name].write(two)[0].digest
