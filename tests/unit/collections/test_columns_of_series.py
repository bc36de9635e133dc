"""Series of several index columns, and of all types."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from lakehouse_assets.collections import Repo, Schema
from lakehouse_assets.errors import InvalidData


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
