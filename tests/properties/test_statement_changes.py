"""Statements that came and went between any two versions of a table, against a comparison of the whole."""

import csv
import io
from collections import Counter

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.diffs import statements
from lakehouse_assets.statements import ranges, reader, stage
from tests.factories import entity, make_dataset

TIMES = ("first_seen", "last_seen")
IDS = ["a", "b", "c", "d", "é"]


@pytest.fixture(scope="module", autouse=True)
def small_pieces():
    """Cuts everywhere: a few rows are read and compared at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "ROW_GROUP", 3)
        patch.setattr(reader, "RANGE_ROWS", 6)
        patch.setattr(ranges, "_WIDE", 8)
        patch.setattr(ranges.plan, "__defaults__", (5,))
        yield


@st.composite
def entities(draw):
    """A person or a document of a few ids, sometimes of a fragment."""
    name = draw(st.sampled_from(IDS))
    values = draw(st.lists(st.sampled_from(["x", " x ", 'y "z"', "w\nv"]), min_size=1, max_size=3))
    schema, prop = draw(st.sampled_from([("Person", "name"), ("Company", "name"), ("Document", "title")]))
    found = entity(name, schema, **{prop: values})
    return {**found, "fragment": draw(st.sampled_from(["", "", "f"]))}


STEPS = st.one_of(
    st.tuples(
        st.just("import"),
        st.lists(entities(), min_size=1, max_size=6),
        st.sampled_from(["one", "two"]),
        st.booleans(),
    ),
    st.tuples(st.just("delete"), st.lists(st.sampled_from(IDS), min_size=1, max_size=2)),
    st.tuples(st.just("merge")),
    st.tuples(st.just("compact")),
)


def take(dataset, step):
    what, *content = step
    if what == "import":
        found, origin, replace = content
        dataset.import_entities(found, origin=origin, replace=replace)
    elif what == "delete":
        dataset.delete(content[0])
    elif what == "merge":
        dataset.merge(force=True)
    else:
        dataset.compact(force=True)


def rows(blocks):
    """The rows of a CSV, without their times."""
    found = csv.DictReader(io.StringIO(b"".join(blocks).decode(), newline=""))
    return Counter(tuple((key, value) for key, value in row.items() if key not in TIMES) for row in found)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=1, max_size=6), data=st.data())
def test_changes_on_top_of_the_statements_of_one_version_are_those_of_the_other(
    tmp_path_factory, steps, data
):
    folder = tmp_path_factory.mktemp("lake")
    dataset = make_dataset(folder)
    past = {}
    for step in steps:
        take(dataset, step)
        snapshot = dataset.statements.table.snapshot()
        if snapshot is not None:
            past[snapshot.version] = rows(dataset.statements_csv())
    if not past:
        return
    since, until = sorted(data.draw(st.lists(st.sampled_from(sorted(past)), min_size=2, max_size=2)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "MOST_ROWS", data.draw(st.sampled_from([0, 1_000_000])))
        found = dataset.differences.statements(since, until)
        changed = rows(found.csv())
    came = Counter({row[1:]: count for row, count in changed.items() if row[0] == ("op", "ADD")})
    gone = Counter({row[1:]: count for row, count in changed.items() if row[0] == ("op", "DEL")})
    assert past[since] - gone + came == past[until]
    # exact: nothing is told that did not change
    assert gone == past[since] - past[until]
    assert came == past[until] - past[since]
    assert found.counts == Counter(ADD=came.total(), DEL=gone.total())
    with (folder / "changes.parquet").open("wb") as file:
        assert dataset.differences.statements(since, until).parquet(file) == changed.total()
    table = pl.read_parquet(folder / "changes.parquet")
    assert table.columns[0] == "op"
    assert Counter(table["op"].to_list()) == found.counts
