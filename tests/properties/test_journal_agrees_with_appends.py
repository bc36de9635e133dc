"""The journal, against plain Python: whatever was written in whichever segments, reads after a flush say the same."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse_assets.statements import flush
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.canonical import canonical_rows
from lakehouse_assets.statements.journal import new_token
from tests.factories import make_dataset
from tests.properties.test_reads_are_canonical import (
    KEY,
    answer,
    append,
    fragment_of,
    read,
    rows,
    small_pieces,
    what_counts,
)

# cuts everywhere, as there
__all__ = ["small_pieces"]

STEPS = st.one_of(
    st.tuples(st.just("written"), st.lists(rows(), min_size=1, max_size=12)),
    st.tuples(st.just("written"), st.lists(rows(), min_size=1, max_size=12)),
    st.tuples(st.just("appended"), st.lists(rows(), min_size=1, max_size=12)),
    st.tuples(st.just("flushed"), st.just([])),
)


def write(dataset, found):
    """Confirm rows as a writer does."""
    frame = pl.DataFrame(found, schema=s.frame_schema(), orient="row")
    store, token = dataset.statements, new_token()
    with store.staging(token) as staging:
        for part in frame.partition_by(s.BUCKET):
            staging.write(canonical_rows(part, keep_deleted=True))
        files = staging.finish()
        with staging.handing_over():
            store.journal.publish(token, files)


def identity(row):
    return fragment_of(row) if row[s.FRAGMENT] else tuple(row[name] for name in KEY)


def flushed(table, waiting):
    """What lies there after a flush: rows that a tombstone of the table would hide are newer than it."""
    stones = [row for row in what_counts(table) if row[s.DELETED_AT] is not None]
    latest = {}
    for stone in stones:
        latest[identity(stone)] = max(latest.get(identity(stone), stone[s.LAST_SEEN]), stone[s.LAST_SEEN])
    now = datetime.now(UTC)
    return [
        {**row, s.LAST_SEEN: now}
        if row[s.DELETED_AT] is None and identity(row) in latest and row[s.LAST_SEEN] <= latest[identity(row)]
        else row
        for row in what_counts(waiting)
    ]


@pytest.mark.parametrize("large", [flush.LARGE, 0], ids=["put together", "taken as they are"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=2, max_size=6))
def test_reads_after_flushes_equal_the_slow_reference(tmp_path_factory, large, steps):
    dataset = make_dataset(tmp_path_factory.mktemp("lake"))
    table, waiting, segments = [], [], 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "LARGE", large)
        for kind, found in [*steps, ("flushed", [])]:
            if kind == "written":
                write(dataset, found)
                waiting += what_counts(found)
                segments += 1
            elif kind == "appended":
                append(dataset, found, kind="ours")
                table += what_counts(found)
            else:
                assert dataset.flush().segments == segments
                table += flushed(table, waiting)
                waiting, segments = [], 0
            assert keys(read(dataset)) == keys(answer(table))
            assert sum(segment.rows for segment in dataset.statements.journal.waiting()) == len(waiting)
    before = read(dataset)
    if large and all(row[s.DELETED_AT] is None for row in table):
        assert before == answer(table)
    dataset.merge(force=True)
    assert read(dataset) == before


def keys(found):
    """The rows without their times."""
    return [row[: len(KEY)] for row in found]
