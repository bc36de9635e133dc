"""Rows of series, as the tests here write and read them."""

from typing import Any

from lakehouse_assets.collections import Schema, Series

SCHEMA = Schema(time="int*", value="float")
NUMBERS = {"time": [1, 2, 3, 4, 5], "value": [1.0, 2.0, 3.0, 4.0, 5.0]}


def write(series: Series, *times: int, value: float = 0.0, **named: Any) -> int:
    """Rows of these times; how many revisions that gave."""
    return len(series.write({"time": list(times), "value": [value or float(t) for t in times]}, **named))


def times(series: Series, **named: Any) -> list[int]:
    return series.frame(**named)["time"].to_list()


def values(series: Series, **named: Any) -> list[float]:
    return series.frame(**named)["value"].to_list()
