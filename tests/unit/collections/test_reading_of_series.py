"""Reading series: ranges, pages, tails."""

from typing import Any

import polars as pl
import pytest

from lakehouse_assets.collections import Collection, Series
from lakehouse_assets.errors import NotFound, WrongType
from tests.unit.collections.rows import NUMBERS, times, write


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"start": 2, "stop": 4}, [2, 3]),
        ({"start": 2, "stop": 4, "closed": "r"}, [3, 4]),
        ({"start": 2, "stop": 4, "closed": "b"}, [2, 3, 4]),
        ({"start": 2, "stop": 4, "closed": "n"}, [3]),
        ({"stop": 4}, [1, 2, 3]),
        ({"start": 4}, [4, 5]),
        ({"start": 3, "stop": 3, "closed": "b"}, [3]),
        ({"start": 3, "stop": 3}, []),
        ({"start": 4, "stop": 2}, []),
        ({"limit": 2, "offset": 1}, [2, 3]),
        ({"limit": 0}, []),
        ({"offset": 10}, []),
        ({"offset": 4}, [5]),
        ({"start": 2, "limit": 2}, [2, 3]),
    ],
)
@pytest.mark.parametrize("files", [1, 5])
def test_a_range_of_rows_is_read(
    series: Series, named: dict[str, Any], expected: list[int], files: int
) -> None:
    if files == 1:
        series.write(NUMBERS)
    else:
        for number in (4, 1, 5, 2, 3):
            write(series, number)
    assert times(series, **named) == expected


def test_zero_is_an_end_like_any_other(series: Series) -> None:
    write(series, -5, 0, 5)
    assert times(series, stop=0) == [-5]
    assert times(series, start=-5, stop=0, closed="b") == [-5, 0]
    assert times(series, start=0) == [0, 5]


def test_what_cannot_be_asked_for_is_refused(numbers: Series) -> None:
    for named, error in (
        ({"closed": "x"}, ValueError),
        ({"closed": None}, ValueError),
        ({"start": "x"}, ValueError),
        ({"start": 1.5}, ValueError),
        ({"start": (1, 2)}, ValueError),
        ({"limit": -1}, ValueError),
        ({"select": ["nope"]}, KeyError),
        ({"before": "2020-01-01"}, WrongType),
        ({"before": 3}, TypeError),
        ({"version": 99}, NotFound),
    ):
        with pytest.raises(error):
            numbers.frame(**named)


def test_columns_are_selected_of_empty_results_too(numbers: Series, collection: Collection) -> None:
    assert numbers.frame(select=["value"], limit=1).to_dict(as_series=False) == {"value": [1.0]}
    assert numbers.frame(select=["value"], start=9).schema == {"value": pl.Float64}
    assert (collection / "nope").frame(select=["value", "time"]).schema == {
        "value": pl.Float64,
        "time": pl.Int64,
    }


def test_the_tail_of_a_series_is_its_last_rows(numbers: Series, collection: Collection) -> None:
    assert numbers.tail(2)["time"].to_list() == [4, 5]
    assert numbers.tail(99)["time"].to_list() == [1, 2, 3, 4, 5]
    assert numbers.tail(2, stop=4)["time"].to_list() == [2, 3]
    assert numbers.tail(2, select=["value"])["value"].to_list() == [4.0, 5.0]
    assert (collection / "nope").tail(2).height == 0
    for length in (0, -1):
        with pytest.raises(ValueError, match="one row"):
            numbers.tail(length)
    write(numbers, 6)
    write(numbers, 7)
    assert numbers.tail(3)["time"].to_list() == [5, 6, 7]


def pages(series: Series, step: int, **named: Any) -> list[list[int]]:
    return [page["time"].to_list() for page in series.paginate(step, **named)]


def test_a_series_is_read_in_pages(numbers: Series, collection: Collection) -> None:
    assert pages(numbers, 2) == [[1, 2], [3, 4], [5]]
    assert pages(numbers, 2, limit=3, offset=1) == [[2, 3], [4]]
    assert pages(collection / "nope", 2) == []
    with pytest.raises(ValueError, match="one row"):
        numbers.paginate(0)
    for number in (6, 7, 8):
        write(numbers, number)
    assert pages(numbers, 3) == [[1, 2, 3], [4, 5, 6], [7, 8]]


def test_pages_lose_no_rows_of_the_same_index(series: Series) -> None:
    write(series, 1, 1, 1, 2)
    assert pages(series, 1) == [[1], [1], [1], [2]]


def test_pages_are_of_the_version_that_was_there_when_they_were_asked_for(numbers: Series) -> None:
    found = numbers.paginate(2)
    first = next(found)
    numbers.delete()
    assert [first["time"].to_list(), *(page["time"].to_list() for page in found)] == [[1, 2], [3, 4], [5]]
    assert pages(numbers, 5, before=numbers.revisions()[-1]) == [[1, 2, 3, 4, 5]]


def test_the_length_of_a_series_is_its_rows(numbers: Series, collection: Collection) -> None:
    nope = collection / "nope"
    assert (len(numbers), bool(numbers), len(nope), bool(nope)) == (5, True, 0, False)
