from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.exports.aligned import aligned

IDS = st.lists(st.sampled_from(["a", "b", "bb", "é", "zz", "😀"]), max_size=12).map(sorted)


def cut(ids, sizes):
    """A stream of frames, some of them empty."""
    start = 0
    for size in [*sizes, len(ids)]:
        yield pl.DataFrame({"id": ids[start : start + size]}, schema={"id": pl.String})
        start += size


@given(st.lists(st.tuples(IDS, st.lists(st.integers(0, 3), max_size=6)), min_size=1, max_size=3))
def test_sorted_streams_are_given_out_whole_and_no_id_in_two_steps(streams):
    steps = list(aligned([cut(ids, sizes) for ids, sizes in streams], "id"))
    for number, (ids, _) in enumerate(streams):
        parts = [step[number]["id"].to_list() for step in steps if step[number] is not None]
        assert [name for part in parts for name in part] == ids
    seen = [{name for part in step if part is not None for name in part["id"]} for step in steps]
    assert all(seen)
    for earlier, later in pairwise(seen):
        assert max(earlier) < min(later)


def test_no_more_is_read_than_is_needed_for_a_step():
    read = []

    def stream(name):
        for number in range(100):
            read.append(name)
            yield pl.DataFrame({"id": [f"{number:03}"]})

    steps = aligned([stream("one"), stream("two")], "id")
    for _ in range(10):
        next(steps)
    assert max(read.count("one"), read.count("two")) <= 12
