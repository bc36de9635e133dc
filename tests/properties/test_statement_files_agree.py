"""Statements that go through a file are what they were, for us and for followthemoney."""

import io
from datetime import datetime

import polars as pl
from followthemoney.statement.serialize import CSV, read_csv_statements, write_statements
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import make_dataset, rows_of, write_lines
from tests.properties.test_import_agrees_with_followthemoney import IDS, entities, without_dots_and_nul

ORIGINS = st.sampled_from(["one", "two"])
ROLES = st.sampled_from([None, "desk"])
FRAGMENTS = st.sampled_from([None, "f"])
TIMES = st.sampled_from([None, "2019-05-06T07:08:09.000001", "2020", "2021-01-01T00:00:00+02:00"])


@st.composite
def emissions(draw):
    """An entity with an origin, a role, a fragment and times."""
    data = without_dots_and_nul(draw(entities()))
    told = {"origin": draw(ORIGINS), "role": draw(ROLES), "fragment": draw(FRAGMENTS)}
    return data | told | {"first_seen": draw(TIMES), "last_seen": draw(TIMES)}


def once(lines):
    """Each entity at most once by origin, role, fragment and schema: each such has one row of its own."""
    keys = ("id", "schema", "origin", "role", "fragment")
    return list({tuple(line[key] for key in keys): line for line in lines}.values())


def content(dataset):
    """All rows that count, without what a dataset's name decides."""
    rows = rows_of(dataset)
    if not len(rows):
        return rows
    rows = rows.drop("id", "dataset").with_columns(value=pl.when(pl.col("prop") != "id").then("value"))
    return rows.sort(rows.columns)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(emissions(), min_size=1, max_size=5),
    shards=st.sampled_from([0, 4]),
    in_pieces=st.booleans(),
)
def test_a_dataset_comes_back_through_its_statements(tmp_path_factory, lines, shards, in_pieces):
    folder = tmp_path_factory.mktemp("lake")
    source = make_dataset(folder, "source", shards=shards)
    lines = once(lines)
    for part in [[line] for line in lines] if in_pieces else [lines]:
        source.import_files([write_lines(folder / "in.json", part)], trusted=True)
    file = source.location.path / source.export("statements").path
    copy = make_dataset(folder, "copy", shards=shards)
    job = copy.import_files([file], trusted=True)
    assert (job.errors, job.unknown, job.empty) == (0, {}, 0)
    # where a newer emission of a fragment left out some, what is left has one row of its own all the same
    whole = not any(line["fragment"] for line in lines)
    own = pl.col("prop") == "id"
    assert content(copy).filter(~own).equals(content(source).filter(~own))
    if whole:
        assert content(copy).equals(content(source))
    before = content(copy)
    copy.import_files([file], trusted=True)
    copy.merge()
    assert content(copy).equals(before)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(emissions(), min_size=1, max_size=4))
def test_followthemoney_reads_the_same_statements_from_the_same_file(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("lake")
    source = make_dataset(folder, "source")
    source.import_files([write_lines(folder / "in.json", once(lines))], trusted=True)
    file = source.location.path / source.export("statements").path
    with open(file, "rb") as stream:
        theirs = list(read_csv_statements(stream))
    packed = io.BytesIO()
    write_statements(Kept(packed), CSV, theirs)
    (folder / "theirs.csv").write_bytes(packed.getvalue())
    ours = make_dataset(folder / "again", "source")
    ours.import_files([folder / "theirs.csv"], trusted=True)
    values = rows_of(ours).filter(pl.col("prop") != "id")
    told = values.select(
        "id", "entity_id", "prop", "schema", "value", "original_value", "lang", "external", "origin",
        *(pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%S%.6f") for name in ("first_seen", "last_seen")),
    )  # fmt: skip
    wanted = {
        (
            row.id, row.entity_id, row.prop, row.schema, row.value, row.original_value, row.lang, row.external,
            row.origin, moment(row.first_seen), moment(row.last_seen),
        )
        for row in theirs
        if row.prop != "id"
    }  # fmt: skip
    newest = {}
    for row in wanted:
        # fragments and roles are lost on the way: of doubles the newest counts, first seen when the earliest was
        key = (row[0], row[8])
        first = min(row[9], newest[key][9]) if key in newest else row[9]
        last = max([row, newest.get(key, row)], key=lambda row: row[10])
        newest[key] = (*last[:9], first, last[10])
    assert set(told.iter_rows()) == set(newest.values())


def moment(text):
    """A time of a statement, always with microseconds."""
    return datetime.fromisoformat(text).replace(tzinfo=None).isoformat(timespec="microseconds")


class Kept(io.BufferedWriter):
    """A file that stays open when a text wrapper around it goes."""

    def close(self):
        self.flush()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["import", "replace", "delete", "merge"]),
            st.lists(emissions(), min_size=1, max_size=3),
            IDS,
        ),
        min_size=1,
        max_size=6,
    ),
    last=st.lists(emissions(), min_size=1, max_size=3),
)
def test_after_replacing_an_origin_says_what_the_input_says(tmp_path_factory, steps, last):
    folder = tmp_path_factory.mktemp("lake")
    dataset = make_dataset(folder)
    for verb, lines, entity_id in steps:
        if verb == "merge":
            dataset.merge()
        elif verb == "delete":
            dataset.delete([entity_id, lines[0]["id"]])
        else:
            file = write_lines(folder / "in.json", lines)
            dataset.import_files([file], trusted=True, replace=verb == "replace")
    before = said(dataset)
    dataset.import_files([write_lines(folder / "in.json", last)], trusted=True, replace=True)
    alone = make_dataset(folder / "alone")
    alone.import_files([folder / "in.json"], trusted=True)
    touched = {line["origin"] for line in last}
    wanted = said(alone) | {row for row in before if row[1] not in touched}
    assert said(dataset) == wanted
    dataset.merge(force=True)
    assert said(dataset) == wanted


def said(dataset):
    """Who says what, without the times."""
    rows = rows_of(dataset)
    if not len(rows):
        return set()
    return set(rows.select("id", "origin", "role", "fragment", "prop", "value", "bucket").iter_rows())
