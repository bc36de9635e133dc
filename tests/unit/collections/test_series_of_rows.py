"""Writing and reading series."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from lakehouse_assets.collections import Collection, Repo, Schema, Series
from lakehouse_assets.errors import InvalidData, NotFound, WrongType

SCHEMA = Schema(time="int*", value="float")
NUMBERS = {"time": [1, 2, 3, 4, 5], "value": [1.0, 2.0, 3.0, 4.0, 5.0]}


@pytest.fixture
def collection(repo: Repo) -> Collection:
    return repo.create_collection(SCHEMA, "c")


@pytest.fixture
def series(collection: Collection) -> Series:
    return collection / "s"


@pytest.fixture
def numbers(series: Series) -> Series:
    series.write(NUMBERS)
    return series


def write(series: Series, *times: int, value: float = 0.0, **named: Any) -> int:
    """Rows of these times; how many revisions that gave."""
    return len(series.write({"time": list(times), "value": [value or float(t) for t in times]}, **named))


def times(series: Series, **named: Any) -> list[int]:
    return series.frame(**named)["time"].to_list()


def values(series: Series, **named: Any) -> list[float]:
    return series.frame(**named)["value"].to_list()


# writing


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


# reading


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


# several index columns, and types


def test_rows_are_sorted_by_several_columns(repo: Repo) -> None:
    pairs = repo.create_collection(Schema(a="int*", b="int*", v="int"), "pairs") / "s"
    pairs.write({"a": [1, 1, 2, 2], "b": [1, 2, 1, 2], "v": [1, 2, 3, 4]})
    pairs.write({"a": [1, 2], "b": [2, 1], "v": [20, 30]})
    assert pairs.frame()["v"].to_list() == [1, 20, 30, 4]
    assert pairs.frame(start=2)["v"].to_list() == pairs.frame(start=(2,))["v"].to_list() == [30, 4]
    assert pairs.frame(stop=2)["v"].to_list() == [1, 20]
    assert pairs.frame(stop=1, closed="b")["v"].to_list() == [1, 20]
    assert pairs.frame(start=1, closed="r")["v"].to_list() == [30, 4]
    assert pairs.frame(start=(1, 2), stop=(2, 1), closed="b")["v"].to_list() == [20, 30]
    with pytest.raises(InvalidData, match="not sorted"):
        pairs.write({"a": [1, 1], "b": [2, 1], "v": [0, 0]})
    pairs.write({"a": [1, 2], "b": [1, 2], "v": [0, 0]})
    assert pairs.frame().rows() == [(1, 1, 0), (2, 2, 0)]


def told(values: list[Any]) -> list[str]:
    """Values as text, in which one that is no number is like another."""
    return [
        repr(value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value)
        for value in values
    ]


KINDS: list[tuple[str, list[Any]]] = [
    ("int", [-(2**63), 0, 2**62, 2**63 - 1]),
    ("int32", [-(2**31), 2**31 - 1]),
    ("int8", [-128, 127]),
    ("uint8", [0, 255]),
    ("uint32", [0, 2**32 - 1]),
    ("float", [float("-inf"), -2e-300, 0.1 + 0.2, 1e300]),
    ("float32", [0.5, 1.5]),
    ("str", ["", "a", "é", "\U0001f600"]),
    ("date", [date(1, 1, 1), date(2026, 11, 22)]),
    ("timestamp", [datetime(1, 1, 1), datetime(2026, 1, 1, 1, 2, 3, 456789)]),
    ("timestamp_utc", [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 1, 2, 3, 4, tzinfo=UTC)]),
    ("bytes", [b"", b"\x00\xff", b"b"]),
    ("decimal(10,2)", [Decimal("-1.10"), Decimal("12345678.90")]),
]
OTHERS: list[tuple[str, list[Any]]] = [
    ("bool", [True, None, False]),
    ("object", [{"a": [1, None]}, None, "text", 1.5, [], {"b": "é"}]),
    ("float", [float("nan"), None, float("inf")]),
    ("str", [None, "", "None", "nan"]),
]


@pytest.mark.parametrize(
    ("kind", "given"), [*KINDS, *OTHERS], ids=lambda found: found if isinstance(found, str) else ""
)
def test_values_of_every_type_are_kept_as_they_are(repo: Repo, kind: str, given: list[Any]) -> None:
    series = repo.create_collection(Schema(n="int*", v=kind), "kinds") / "s"
    series.write({"n": list(range(len(given) + 1)), "v": [*given, None]})
    found = series.frame()
    assert told(found["v"].to_list()) == told([*given, None])
    assert series.write(found) == []


@pytest.mark.parametrize(("kind", "given"), KINDS, ids=lambda found: found if isinstance(found, str) else "")
def test_rows_are_found_by_an_index_of_every_type(repo: Repo, kind: str, given: list[Any]) -> None:
    series = repo.create_collection(Schema(k=f"{kind}*", n="int"), "kinds") / "s"
    for number, key in reversed(list(enumerate(given))):
        series.write({"k": [key], "n": [number]})
    assert series.frame()["k"].to_list() == given
    assert series.frame(start=given[1])["n"].to_list() == list(range(1, len(given)))
    assert series.frame(stop=given[-1])["n"].to_list() == list(range(len(given) - 1))
    assert series.frame(start=given[0], stop=given[0], closed="b")["n"].to_list() == [0]


def test_times_are_named_in_several_ways(repo: Repo) -> None:
    series = repo.create_collection(Schema(t="timestamp*", v="int"), "times") / "s"
    series.write({"t": ["2026-01-01", "2026-01-02T03:04:05.000006"], "v": [1, 2]})
    late = datetime(2026, 1, 2, 3, 4, 5, 6)
    for stop in ("2026-01-02", date(2026, 1, 2), datetime(2026, 1, 2), datetime(2026, 1, 2, tzinfo=UTC)):
        assert series.frame(stop=stop)["v"].to_list() == [1]
    assert series.frame(start=late, stop=late, closed="b")["v"].to_list() == [2]
    assert series.frame(start=late, closed="n")["v"].to_list() == []


@pytest.mark.parametrize("unit", ["D", "h", "s", "ms", "us", "ns"])
def test_arrays_of_numpy_are_taken(repo: Repo, unit: str) -> None:
    series = repo.create_collection(Schema(t="timestamp*", v="float"), "numpy") / "s"
    series.write({"t": np.array(["2026-01-01", "2026-01-02"], f"M8[{unit}]"), "v": np.array([1.0, 2.0])})
    assert series.frame().rows() == [(datetime(2026, 1, 1), 1.0), (datetime(2026, 1, 2), 2.0)]
    assert series.frame(start=np.datetime64("2026-01-02", unit))["v"].to_list() == [2.0]


def test_lakotas_names_of_types_are_understood() -> None:
    schema = Schema(t="timestamp*", d="M8[D]", i="i8", f="float|zstd", s="U", o="O")
    assert [column.type.name for column in schema.columns.values()] == [
        "timestamp",
        "date",
        "int",
        "float",
        "str",
        "object",
    ]
    theirs = {
        "kind": "kv",
        "columns": {
            "k": {"dt": "<U0", "codecs": ["zstd"], "idx": True},
            "v": {"dt": "float64", "codecs": [], "idx": False},
        },
    }
    assert Schema.loads(theirs) == Schema.kv(k="str*", v="float")


def test_a_schema_is_made_of_a_frame() -> None:
    frame = pl.DataFrame({"t": [datetime(2026, 1, 1)], "v": [1.5], "tags": [["a"]]})
    assert Schema.from_frame(frame, ["t"]) == Schema(t="timestamp*", v="float", tags="object")
    assert Schema.from_frame({"a": [1], "b": ["x"]}) == Schema(a="int*", b="str*")


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"a": "int"},
        {"a": "what*"},
        {"a b": "int*"},
        {"series": "int*"},
        {"a": "object*"},
        {"a": "int*", "A": "int"},
        {"a": 1},
    ],
)
def test_what_can_be_no_schema_is_refused(columns: dict[str, Any]) -> None:
    with pytest.raises(InvalidData):
        Schema(**columns)


# update and delete


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


# versions


def test_earlier_versions_are_read_by_time_and_by_revision(series: Series, collection: Collection) -> None:
    for value in (10.0, 20.0, 30.0):
        write(series, 1, 2, value=value)
    revisions = series.revisions()
    for moments in (revisions, [revision.at for revision in revisions]):
        assert [values(series, before=moment) for moment in moments] == [[], [10.0, 10.0], [20.0, 20.0]]
    assert values(series, before=datetime(2000, 1, 1)) == []
    assert (
        values(series, before=datetime.now(UTC))
        == values(series, before=datetime(2999, 1, 1))
        == [30.0, 30.0]
    )
    assert values(series, version=revisions[0].version) == [10.0, 10.0]
    collection.delete("s")
    assert (collection.ls(), times(series), collection.ls(before=series.revisions()[-1])) == ([], [], ["s"])
    assert values(series, before=series.revisions()[-1]) == [30.0, 30.0]


def test_a_collection_goes_back_to_an_earlier_version(numbers: Series, collection: Collection) -> None:
    first = numbers.revisions()[0]
    write(numbers, 3, value=9.0)
    (collection / "more").write(NUMBERS)
    assert len(collection.restore(version=first.version)) == 1
    assert (values(numbers), collection.ls()) == ([1.0, 2.0, 3.0, 4.0, 5.0], ["s"])
    assert collection.restore(version=first.version) == []
    collection.restore(before=collection.revisions()[-1])
    assert collection.ls() == ["more", "s"]
    for named in ({}, {"version": 99}, {"version": 1, "before": first}):
        with pytest.raises((InvalidData, NotFound)):
            collection.restore(**named)


def test_revisions_tell_what_was_done(collection: Collection) -> None:
    with collection.multi():
        for name in "ab":
            write(collection / name, 1)
    (collection / "a").delete()
    told = [(one.operation, one.series, one.rows) for one in collection.revisions()]
    assert told == [("WRITE", ("a", "b"), 2), ("WRITE", ("a",), 0)]
    assert [one.version for one in (collection / "b").revisions()] == [1]


def test_a_trimmed_collection_forgets_its_early_versions(series: Series, collection: Collection) -> None:
    assert collection.trim() == 0
    for value in (1.0, 2.0, 3.0, 4.0):
        write(series, 1, value=value)
    revisions = series.revisions()
    assert collection.trim() == 0
    assert collection.trim(revisions[1].at) == 2
    assert (series.revisions(), values(series)) == (revisions[2:], [4.0])
    assert (values(series, before=revisions[1]), values(series, before=revisions[3])) == ([], [3.0])
    assert collection.trim(datetime(2999, 1, 1)) == 1
    assert (len(series.revisions()), values(series)) == (1, [4.0])
    assert values(Repo(series.collection.location.uri.rsplit("/.lakehouse")[0]).get("c") / "s") == [4.0]
    write(series, 2)
    assert values(series) == [4.0, 2.0]


def test_a_collection_is_defragmented_without_any_change(series: Series, collection: Collection) -> None:
    for number in range(6):
        write(series, *range(number * 10, number * 10 + 10))
    at = series.revisions()[2]
    assert collection.defrag(max_chunk=6) == collection.defrag(max_chunk=0) == []
    (done,) = collection.defrag(max_chunk=4)
    assert (done.operation, done.removed, done.added < 6) == ("OPTIMIZE", 6, True)
    assert times(series) == list(range(60))
    collection.defrag()
    assert (times(series), times(series, before=at), collection.defrag()) == (
        list(range(60)),
        list(range(20)),
        [],
    )
    assert len(collection.table.log.snapshot().files) == 1


def test_large_series_have_files_of_a_million_rows_at_most(series: Series, collection: Collection) -> None:
    for number in range(3):
        span = pl.int_range(number * 700_000, (number + 1) * 700_000, eager=True)
        series.write({"time": span, "value": span.cast(pl.Float64)})
    collection.defrag(max_chunk=1)
    sizes = [file.rows for file in collection.table.log.snapshot().files.values()]
    assert (sum(sizes), max(sizes) <= 1_000_000) == (2_100_000, True)
    assert series.frame()["time"].is_sorted()


def test_rows_that_come_together_stay_together_until_some_of_them_change(
    series: Series, collection: Collection
) -> None:
    def sizes() -> list[int | None]:
        files = collection.table.log.snapshot().files.values()
        return [file.rows for file in sorted(files, key=lambda file: file.lower or 0)]

    for start in (0, 100_000):
        span = pl.int_range(start, start + 100_000, eager=True)
        series.write({"time": span, "value": span.cast(pl.Float64)})
    assert sizes() == [100_000, 100_000]
    write(series, 100_500, value=1.0)
    assert sizes() == [100_000, *[20_000] * 5]
    write(series, 100_600, value=1.0)
    assert (series.revisions()[-1].added, series.revisions()[-1].rows) == (1, 20_000)
    assert times(series) == list(range(200_000))


def test_a_defragmentation_keeps_rows_of_the_same_index_together(repo: Repo) -> None:
    series = repo.create_collection(SCHEMA, "same") / "s"
    span = [*range(9_996), *[9_996] * 8, *range(9_997, 20_000)]
    write(series, *span)
    assert times(series) == span
    series.collection.defrag(max_chunk=1)
    assert times(series) == span


# collections


def test_series_are_listed_deleted_and_renamed(collection: Collection) -> None:
    write(collection / "b", 1, 2, 3)
    write(collection / "a", 7)
    assert ([each.label for each in collection], collection.ls()) == (["a", "b"], ["a", "b"])
    collection.delete("a", "nope")
    assert (collection.ls(), times(collection / "a"), collection.delete("nope")) == (["b"], [], [])
    collection.rename("b", "n")
    assert (collection.ls(), times(collection / "n")) == (["n"], [1, 2, 3])
    write(collection / "m", 10, 11, 12)
    collection.rename("m", "n")
    assert (collection.ls(), times(collection / "n")) == (["n"], [1, 2, 3, 10, 11, 12])
    assert collection.rename("nope", "x") == []
    with pytest.raises(InvalidData):
        collection.rename("n", "..")


def test_writes_in_a_block_are_one_revision(collection: Collection) -> None:
    with collection.multi():
        for name in ("a", "b", "c"):
            write(collection / name, 1)
        assert (collection.ls(), times(collection / "a")) == ([], [])
    assert (collection.ls(), len(collection.revisions())) == (["a", "b", "c"], 1)
    with collection.multi():
        write(collection / "s", *range(5))
        write(collection / "s", *range(3, 8), value=100.0)
    assert values(collection / "s") == [0.0, 1.0, 2.0, *[100.0] * 5]


def test_a_block_that_fails_writes_nothing_and_the_collection_goes_on(collection: Collection) -> None:
    def fail() -> None:
        with collection.multi():
            write(collection / "a", 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (collection.ls(), collection.revisions()) == ([], [])
    assert write(collection / "a", 2) == 1
    with collection.multi():
        write(collection / "a", 3)
        with pytest.raises(InvalidData), collection.multi():
            pass
    assert times(collection / "a") == [2, 3]


def test_a_deletion_in_a_block_counts_in_its_turn(collection: Collection) -> None:
    write(collection / "s", 1, 2, 3)
    with collection.multi():
        (collection / "s").delete()
        write(collection / "s", 2, value=9.0)
    assert (times(collection / "s"), values(collection / "s")) == ([2], [9.0])


def test_a_clone_renames_and_fills_columns(repo: Repo, numbers: Series, collection: Collection) -> None:
    other = repo.create_collection(Schema(time="int*", val="float", tag="str"), "other")
    collection.clone(other, rename={"value": "val"}, defaults={"tag": "k"})
    assert (other / "s").frame()["val"].to_list() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert set((other / "s").frame()["tag"]) == {"k"}
    with pytest.raises(ValueError, match="not empty"):
        collection.clone(other)
    whole = repo.create_collection(Schema(time="int*", value="int"), "whole")
    collection.clone(whole)
    assert (whole / "s").frame()["value"].to_list() == [1, 2, 3, 4, 5]
    write(numbers, 6, value=0.5)
    with pytest.raises(InvalidData, match="would change"):
        collection.clone(repo.create_collection(Schema(time="int*", value="int"), "not whole"))


def test_there_is_nothing_to_merge(numbers: Series, collection: Collection) -> None:
    assert (collection.merge(), collection.refresh(), times(numbers)) == ([], None, [1, 2, 3, 4, 5])
