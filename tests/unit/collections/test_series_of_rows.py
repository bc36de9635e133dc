"""Writing series, changing some of their columns, and deleting rows."""

from typing import Any

import polars as pl
import pytest

from lakehouse_assets.collections import Repo, Schema, Series
from lakehouse_assets.errors import InvalidData
from tests.unit.collections.rows import NUMBERS, times, values, write


def test_a_write_gives_one_revision_and_the_same_again_none(series: Series) -> None:
    assert (write(series, 1, 2, 3), write(series, 1, 2, 3), len(series.revisions())) == (1, 0, 1)
    write(series, 1, 2, 3, value=9.0)
    write(series, 1, 2, 3)
    assert (values(series), len(series.revisions())) == ([1.0, 2.0, 3.0], 3)


def test_a_part_of_what_is_there_gives_no_revision(numbers: Series) -> None:
    assert (write(numbers, 2, 3), write(numbers, 5), numbers.write({"time": [], "value": []})) == (0, 0, [])


def test_a_write_replaces_what_lies_between_its_first_and_last_row(series: Series) -> None:
    write(series, 1, 2, 3)
    write(series, 2, 3, value=7.0)
    assert values(series) == [1.0, 7.0, 7.0]
    write(series, 0, 2, value=8.0)
    assert (times(series), values(series)) == ([0, 2, 3], [8.0, 8.0, 7.0])
    write(series, 3, 9, value=9.0)
    assert (times(series), values(series)) == ([0, 2, 3, 9], [8.0, 8.0, 9.0, 9.0])


@pytest.mark.parametrize(
    ("closed", "expected"),
    [
        ("b", [1.0, 30.0, 5.0]),
        ("left", [1.0, 30.0, 4.0, 5.0]),
        ("RIGHT", [1.0, 2.0, 30.0, 5.0]),
        ("n", [1.0, 2.0, 30.0, 4.0, 5.0]),
    ],
)
def test_start_and_stop_say_what_is_replaced(numbers: Series, closed: str, expected: list[float]) -> None:
    numbers.write({"time": [3], "value": [30.0]}, start=2, stop=4, closed=closed)
    assert values(numbers) == expected


def test_rows_can_be_appended_behind_the_last_one(series: Series) -> None:
    write(series, 903, 904, 905)
    write(series, 906, 907, start=905, closed="r")
    assert times(series) == [903, 904, 905, 906, 907]
    write(series, 907, start=905, closed="r")
    assert times(series) == [903, 904, 905, 907]


@pytest.mark.parametrize(
    ("frame", "error", "says"),
    [
        ({"time": [2, 1], "value": [1.0, 2.0]}, ValueError, "not sorted"),
        ({"time": [1, 2], "value": [1.0]}, ValueError, "same number"),
        ({"time": [1]}, KeyError, "lacks value"),
        ({"time": [1], "value": [1.0], "more": [1]}, ValueError, "no column more"),
        ({"time": [1], "value": ["x"]}, ValueError, "value"),
        ({"time": [1.5], "value": [1.0]}, ValueError, "would change"),
        ({"time": [2**70], "value": [1.0]}, ValueError, "time"),
        ({"time": [None], "value": [1.0]}, ValueError, "without a value"),
        ({"time": [True], "value": [1.0]}, ValueError, "time"),
        ([1, 2], ValueError, "mapping"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(series: Series, frame: Any, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        series.write(frame)
    assert (series.revisions(), series.frame().height) == ([], 0)


def test_rows_outside_of_start_and_stop_are_refused(numbers: Series) -> None:
    for named in ({"start": 2}, {"stop": 0}, {"start": 1, "stop": 3, "closed": "n"}):
        with pytest.raises(InvalidData):
            write(numbers, 1, 2, **named)
    with pytest.raises(ValueError, match="behind stop"):
        write(numbers, 3, start=4, stop=2)
    assert len(numbers.revisions()) == 1


def test_a_first_write_with_start_behind_stop_is_refused(series: Series) -> None:
    with pytest.raises(ValueError, match="behind stop"):
        series.write({"time": [], "value": []}, start=4, stop=2)
    with pytest.raises(InvalidData, match="both start and stop"):
        series.write({"time": [], "value": []}, start=4)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 0, 5, 1, 4, 2]])
def test_fragments_make_the_same_series_in_whatever_order_they_come(series: Series, order: list[int]) -> None:
    fragments = [[0], [1, 2], [3, 4, 5], [6], [7, 8], [9]]
    for number in order:
        write(series, *fragments[number])
    assert times(series) == list(range(10))


def test_frames_of_polars_and_arrow_are_taken(series: Series) -> None:
    frame = pl.DataFrame(NUMBERS)
    for given in (frame, frame.lazy(), frame.to_arrow(), NUMBERS | {"time": frame["time"]}):
        series.delete()
        series.write(given)
        assert series.frame().equals(frame)


def test_rows_of_the_same_index_stay_in_their_order(series: Series) -> None:
    series.write({"time": [1, 1, 1, 2], "value": [3.0, 1.0, 2.0, 0.0]})
    assert values(series) == [3.0, 1.0, 2.0, 0.0]
    write(series, 2, value=9.0)
    assert values(series) == [3.0, 1.0, 2.0, 9.0]


def test_an_update_changes_some_columns(repo: Repo) -> None:
    series = repo.create_collection(Schema(t="int*", a="int", b="str"), "u") / "s"
    assert len(series.update({"t": [1, 2, 3], "a": [1, 2, 3]})) == 1
    series.write({"t": [1, 2, 3], "a": [1, 2, 3], "b": ["x", "y", "z"]})
    series.update({"t": [1, 2, 3], "a": [10, 20, 30]})
    assert series.frame().rows() == [(1, 10, "x"), (2, 20, "y"), (3, 30, "z")]
    series.update({"t": [3, 4], "a": [31, 41]})
    series.update({"t": [0, 1], "a": [0, 11]})
    assert series.frame().rows() == [(0, 0, None), (1, 11, "x"), (2, 20, "y"), (3, 31, "z"), (4, 41, None)]
    series.update({"t": [9], "b": ["far"]})
    assert series.tail(1).rows() == [(9, None, "far")]
    before = series.frame()
    for frame, error in (
        ({"t": [1, 3], "a": [0, 0]}, ValueError),
        ({"a": [0]}, KeyError),
        ({"t": [1], "c": [0]}, ValueError),
    ):
        with pytest.raises(error):
            series.update(frame)
    assert series.frame().equals(before)


@pytest.mark.parametrize(
    ("ends", "named", "left"),
    [
        ((2, 3), {}, [1, 4, 5]),
        ((1, 5), {"closed": "n"}, [1, 5]),
        ((7, 9), {}, [1, 2, 3, 4, 5]),
        ((), {}, []),
        ((4,), {}, [1, 2, 3]),
    ],
)
def test_rows_are_deleted(
    numbers: Series, ends: tuple[int, ...], named: dict[str, str], left: list[int]
) -> None:
    gone = numbers.delete(*ends, **named)
    assert (times(numbers), len(gone)) == (left, int(len(left) < 5))
    assert numbers.delete(*ends, **named) == []
