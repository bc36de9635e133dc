"""Series that are written by key."""

import pytest

from lakehouse_assets.collections import Repo, Schema, Series
from lakehouse_assets.errors import InvalidData


@pytest.fixture
def series(repo: Repo) -> Series:
    return repo.create_collection(Schema.kv(key="str*", value="int"), "kv") / "s"


def put(series: Series, text: str) -> int:
    """`a:1,b:2`; how many revisions that gave."""
    pairs = [part.split(":") for part in text.split(",")]
    return len(series.write({"key": [key for key, _ in pairs], "value": [int(value) for _, value in pairs]}))


def told(series: Series) -> str:
    return ",".join(f"{key}:{value}" for key, value in series.frame().rows())


def test_rows_take_the_place_of_those_with_their_keys(series: Series) -> None:
    assert (put(series, "b:2,a:1"), told(series)) == (1, "a:1,b:2")
    assert (put(series, "a:10,c:30"), told(series)) == (1, "a:10,b:2,c:30")
    assert (put(series, "a:10,c:30"), put(series, "b:2"), len(series.revisions())) == (0, 0, 2)


def test_of_rows_with_the_same_key_the_last_one_counts(series: Series) -> None:
    put(series, "a:1,b:1,a:2")
    assert told(series) == "a:2,b:1"


def test_a_key_has_several_parts(repo: Repo) -> None:
    series = repo.create_collection(Schema.kv(a="int*", b="str*", v="int"), "kv") / "s"
    series.write({"a": [1, 1, 2], "b": ["x", "y", "x"], "v": [1, 2, 3]})
    series.write({"a": [1, 2], "b": ["y", "z"], "v": [20, 40]})
    assert series.frame()["v"].to_list() == [1, 20, 3, 40]
    series.delete((1, "y"), (9, "q"))
    assert series.frame()["v"].to_list() == [1, 3, 40]
    with pytest.raises(InvalidData, match="2 part"):
        series.delete(1)


def test_rows_are_deleted_by_their_keys(series: Series) -> None:
    put(series, "a:1,b:2,c:3,d:4")
    series.delete("b", "c")
    assert told(series) == "a:1,d:4"
    assert (series.delete("nope"), series.delete(), told(series)) == ([], [], "a:1,d:4")


def test_several_writes_in_a_block_all_count(series: Series) -> None:
    with series.collection.multi():
        put(series, "a:1,b:1,c:1")
        put(series, "a:2,c:2")
    assert told(series) == "a:2,b:1,c:2"
    with series.collection.multi():
        series.delete("a", "b")
        put(series, "b:9")
        put(series, "e:5")
        series.delete("e")
    assert (told(series), len(series.revisions())) == ("b:9,c:2", 2)


def test_a_range_can_be_written_as_a_whole(series: Series) -> None:
    put(series, "a:1,b:2,c:3,d:4")
    series.write({"key": ["c"], "value": [9]}, start="b", stop="c")
    assert told(series) == "a:1,c:9,d:4"


def test_many_keys_in_many_files_stay_one_row_each(series: Series) -> None:
    keys = [f"{number:05}" for number in range(30_000)]
    series.write({"key": keys, "value": [0] * 30_000})
    series.write({"key": keys[::-3], "value": [1] * 10_000})
    found = series.frame()
    assert (found["key"].to_list(), found["value"].sum()) == (keys, 10_000)


def test_some_columns_are_updated_by_key(repo: Repo) -> None:
    series = repo.create_collection(Schema.kv(k="str*", a="int", b="int"), "kv") / "s"
    series.write({"k": ["x", "y", "z"], "a": [1, 2, 3], "b": [1, 2, 3]})
    series.update({"k": ["z", "x"], "b": [30, 10]})
    assert series.frame().rows() == [("x", 1, 10), ("y", 2, 2), ("z", 3, 30)]
