"""Statements and entities that are asked for in parts, against plain Python over the full export."""

import csv
import io
import json
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.operations import queries
from lakehouse_assets.operations.selections import Selection
from lakehouse_assets.statements import ranges, stage
from tests.factories import make_dataset
from tests.properties.test_reads_are_canonical import START, append, rows

BUCKET_OF = {"Company": "thing", "Document": "document"}

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ours", "theirs", "theirs in small groups"]),
        st.lists(rows(), min_size=1, max_size=30),
    ),
    min_size=1,
    max_size=3,
)
MAYBE_SINCE = st.none() | st.integers(0, 5).map(lambda days: START + timedelta(days=days))
NAMED = {
    "schema": st.sampled_from([None, None, "Company", "Document", "Person"]),
    "origin": st.sampled_from([None, None, "one", "two", "three"]),
    "bucket": st.sampled_from([None, None, "thing", "document", "page"]),
    "changed_since": MAYBE_SINCE,
}
SELECTIONS = st.fixed_dictionaries(
    {
        **NAMED,
        "ids": st.none() | st.lists(st.sampled_from("abcdex"), max_size=4),
        "prop": st.sampled_from([None, "name", "alias", "country"]),
    }
)
QUERIES = st.fixed_dictionaries(
    {
        **NAMED,
        "where": st.dictionaries(st.sampled_from(["name", "alias"]), st.sampled_from("xyz"), max_size=2),
    }
)


@pytest.fixture(scope="module", autouse=True)
def small_pieces():
    """Cuts everywhere: ranges of a few rows, batches of an id or two, and look-ups given up early."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "ROW_GROUP", 4)
        patch.setattr(ranges.plan, "__defaults__", (6,))
        patch.setattr(queries, "_FIRST_BATCH", 1)
        patch.setattr(queries, "_LARGEST_BATCH", 2)
        patch.setattr("lakehouse_assets.operations.selections._LOOK_UPS", 2)
        yield


def a_dataset(folder, steps):
    """Rows of a small world: some entities have rows in two buckets, so in two schemata."""
    dataset = make_dataset(folder)
    for kind, content in steps:
        of_bucket = [
            {**row, "schema": "Document" if row["bucket"] == "document" else "Company"} for row in content
        ]
        append(dataset, of_bucket, kind=kind)
    return dataset


def parsed(blocks):
    return list(csv.DictReader(io.StringIO(b"".join(blocks).decode(), newline="")))


def fits(row, schema=None, origin=None, bucket=None, changed_since=None):
    return (
        (schema is None or row["schema"] == schema)
        and (origin is None or row["origin"] == origin)
        and (bucket is None or BUCKET_OF[row["schema"]] == bucket)
        and (changed_since is None or datetime.fromisoformat(row["first_seen"]) >= changed_since)
    )


ASKED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ASKED
@given(steps=STEPS, asked=st.lists(SELECTIONS, min_size=1, max_size=6))
def test_selected_statements_are_those_lines_of_the_export(tmp_path_factory, steps, asked):
    dataset = a_dataset(tmp_path_factory.mktemp("lake"), steps)
    everything = parsed(dataset.statements_csv())
    for selection in asked:
        names = {name: selection[name] for name in NAMED}
        wanted = [
            row
            for row in everything
            if fits(row, **names)
            and (selection["ids"] is None or row["entity_id"] in selection["ids"])
            and (selection["prop"] is None or row["prop"] == selection["prop"])
        ]
        assert parsed(dataset.statements_csv(Selection(**selection))) == wanted
        file = io.BytesIO()
        assert dataset.statements_parquet(file, Selection(**selection)) == len(wanted)
        assert pl.read_parquet(file.getvalue())["id"].to_list() == [row["id"] for row in wanted]


@ASKED
@given(steps=STEPS, asked=st.lists(QUERIES, min_size=1, max_size=6))
def test_entities_that_are_found_are_those_lines_of_the_export(tmp_path_factory, steps, asked):
    dataset = a_dataset(tmp_path_factory.mktemp("lake"), steps)
    everything = {json.loads(line)["id"]: line for line in dataset.query()}
    statements = parsed(dataset.statements_csv())

    for query in asked:
        conditions = [{name: query[name]} for name in NAMED if query[name] is not None]
        fitting = [
            {row["entity_id"] for row in statements if fits(row, **condition)} for condition in conditions
        ]
        fitting += [
            {row["entity_id"] for row in statements if (row["prop"], row["value"]) == pair}
            for pair in query["where"].items()
        ]
        wanted = {
            entity_id: line
            for entity_id, line in everything.items()
            if all(entity_id in ids for ids in fitting)
        }
        found = list(dataset.query(**{name: query[name] for name in NAMED}, **query["where"]))
        assert len(found) == len(wanted)
        assert {json.loads(line)["id"]: line for line in found} == wanted
