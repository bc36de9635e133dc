"""What an explanation says counts is what a reader sees, and merging changes no explanation."""

from dataclasses import replace

import polars as pl
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lakehouse_assets.errors import NotFound
from lakehouse_assets.statements import schema as s
from tests.factories import make_dataset
from tests.properties.test_reads_are_canonical import DELETED, START, append, rows

STEPS = st.tuples(
    st.sampled_from(["ours", "theirs", "theirs in small groups"]), st.lists(rows(), min_size=1, max_size=20)
)


def explained(dataset, entity_id):
    """The explanation of an entity's values and of its own row; without what a merge may change."""
    try:
        whole = dataset.explain(entity_id)
    except NotFound:
        return []
    return [
        replace(value, claims=[replace(claim, rows=0, ended_by=None) for claim in value.claims])
        for value in whole.values
    ]


def counted(explanation):
    return sorted(
        (value.prop, value.value, claim.bucket, claim.origin, claim.role or "", claim.fragment or "",
         claim.first_seen, claim.last_seen)
        for value in explanation
        for claim in value.claims
        if claim.state == "counts"
    )  # fmt: skip


def seen(dataset, entity_id):
    frame = dataset.statements.reader.entities([entity_id]).with_columns(pl.col(s.ROLE).fill_null(""))
    columns = (s.PROP, s.VALUE, s.BUCKET, s.ORIGIN, s.ROLE, s.FRAGMENT, s.FIRST_SEEN, s.LAST_SEEN)
    return sorted(frame.select(columns).rows())


def tombstone(deleted_at):
    """A deletion of a value that nobody said."""
    id = s.statement_id("acme", "a", "name", "x")
    return {
        **dict.fromkeys(s.frame_schema()),
        **{s.SHARD: "0", s.ID: id, s.ENTITY_ID: "a", s.DATASET: "acme", s.BUCKET: "thing", s.ORIGIN: "one"},
        **{s.SCHEMA: "Company", s.PROP: "name", s.PROP_TYPE: "name", s.VALUE: "x", s.EXTERNAL: False},
        **{s.FIRST_SEEN: START, s.LAST_SEEN: START, s.FRAGMENT: "", s.DELETED_AT: deleted_at},
    }


EARLIER, LATER = sorted(filter(None, DELETED))[:2]


# one that came later but bears an earlier time, when a merge has taken the other out of the table
@example(steps=[("ours", [tombstone(LATER)]), ("ours", [tombstone(EARLIER)])])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=1, max_size=4))
def test_claims_that_count_are_what_a_reader_sees_and_no_merge_loses_the_others(tmp_path_factory, steps):
    dataset = make_dataset(tmp_path_factory.mktemp("lake"))
    for kind, content in steps:
        append(dataset, content, kind=kind)
        before = {entity_id: explained(dataset, entity_id) for entity_id in "abcde"}
        for entity_id, explanation in before.items():
            assert counted(explanation) == seen(dataset, entity_id)
        dataset.compact(force=True)
        assert {entity_id: explained(dataset, entity_id) for entity_id in "abcde"} == before
        dataset.merge()
        assert {entity_id: explained(dataset, entity_id) for entity_id in "abcde"} == before
