"""Frames as users give them, as tables hold them, and as users get them."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from lakehouse_assets.collections.schema import Schema
from lakehouse_assets.collections.types import Type
from lakehouse_assets.errors import ColumnMissing, InvalidData, LakehouseError

if TYPE_CHECKING:
    import polars as pl


def as_polars(frame: object) -> "pl.DataFrame":
    """A polars frame of what somebody gives: a mapping of columns, a frame of polars, pandas or Arrow."""
    import polars as pl

    if isinstance(frame, pl.DataFrame):
        return frame
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    try:
        if isinstance(frame, Mapping):
            return pl.DataFrame({str(name): _series(str(name), told) for name, told in frame.items()})
        if hasattr(frame, "__arrow_c_stream__") or hasattr(frame, "__arrow_c_array__"):
            return cast(pl.DataFrame, pl.from_arrow(frame))
    except (pl.exceptions.PolarsError, ValueError, TypeError) as exc:
        msg = f"these columns make no frame: {exc}; give each the same number of values"
        raise InvalidData(msg) from exc
    msg = f"a frame is a mapping of columns, or a frame of polars, pandas or Arrow, not a {type(frame).__name__}"
    raise InvalidData(msg)


def to_stored(schema: Schema, frame: object, *, columns: "list[str] | None" = None) -> "pl.DataFrame":
    """
    A frame as the table holds it: these columns, by default all of the schema, each of its type.

    Nothing is changed by it: a value that the type cannot hold is InvalidData, a column that is missing ColumnMissing.
    """
    import polars as pl

    wanted = list(schema) if columns is None else columns
    given = frame if isinstance(frame, Mapping) else None
    objects = {name for name in wanted if schema[name].type.name == "object"}
    if given is not None:
        # polars would make structs of JSON objects, which have all the same keys
        frame = {
            k: ([_json(k, v) for v in _listed(told)] if k in objects else told) for k, told in given.items()
        }
    found = as_polars(frame)
    missing = [name for name in wanted if name not in found.columns]
    if missing:
        msg = f"the frame lacks {', '.join(missing)}; it has {', '.join(found.columns) or 'no columns'}"
        raise ColumnMissing(msg)
    unknown = [name for name in found.columns if name not in wanted]
    if unknown:
        msg = f"the collection has no column {', '.join(unknown)}; leave it out: it has {', '.join(schema)}"
        raise InvalidData(msg)
    told = pl.DataFrame(
        [_stored(found[name], schema[name].type, is_json=given is not None) for name in wanted]
    )
    for name in schema.index:
        if name in wanted:
            _check_index(told[name])
    return told


def to_given(schema: Schema, frame: "pl.DataFrame") -> "pl.DataFrame":
    """A frame as users get it."""
    import polars as pl

    columns = []
    for series in frame.get_columns():
        kind = schema[series.name].type
        if kind.name == "object":
            values = [None if text is None else json.loads(text) for text in series]
            columns.append(pl.Series(series.name, values, dtype=pl.Object))
        else:
            columns.append(series if series.dtype == kind.given else series.cast(kind.given))
    return pl.DataFrame(columns)


def is_sorted(schema: Schema, frame: "pl.DataFrame") -> bool:
    """Whether the rows stand in the order of their index."""
    import polars as pl

    if len(schema.index) == 1:
        return bool(frame[schema.index[0]].is_sorted())
    after = pl.lit(True)
    for name in reversed(schema.index):
        earlier = pl.col(name).shift(1)
        after = (pl.col(name) > earlier) | ((pl.col(name) == earlier) & after)
    return bool(frame.select(after.slice(1).all()).item())


def in_order(schema: Schema, frame: "pl.DataFrame") -> "pl.DataFrame":
    """The rows in the order of their index, equal ones as they stood."""
    return frame if is_sorted(schema, frame) else frame.sort(schema.index, maintain_order=True)


def _series(name: str, told: object) -> "pl.Series":
    import polars as pl

    if isinstance(told, pl.Series):
        return told.alias(name)
    dtype = str(getattr(told, "dtype", ""))
    if dtype.startswith("datetime64") and dtype not in ("datetime64[D]", "datetime64[ns]"):
        # numpy counts times in units that polars does not know
        told = told.astype("datetime64[us]")  # type: ignore[attr-defined]
    if type(told).__module__.partition(".")[0] in ("numpy", "pandas", "pyarrow"):
        return pl.Series(name, cast(Iterable[object], told))
    values = _listed(told)
    try:
        return pl.Series(name, values, strict=True)
    except TypeError:
        # whole numbers among others
        if not all(value is None or type(value) in (int, float) for value in values):
            raise
        return pl.Series(name, values, dtype=pl.Float64, strict=False)


def _listed(told: object) -> "list[object]":
    return list(told)  # type: ignore[call-overload, no-any-return]


def _json(name: str, value: object) -> str | None:
    if value is None:
        return None
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as exc:
        msg = f"a value of the column {name!r} is no JSON: {exc}; give numbers, texts, lists and objects"
        raise InvalidData(msg) from exc


def _stored(series: "pl.Series", kind: Type, *, is_json: bool) -> "pl.Series":
    import polars as pl

    if kind.name == "object" and not (is_json and series.dtype in (pl.String, pl.Null)):
        texts = [_json(series.name, value) for value in series.to_list()]
        return pl.Series(series.name, texts, dtype=pl.String)
    if series.dtype == kind.stored:
        return series
    try:
        return _cast(series, kind)
    except LakehouseError:
        raise
    except (pl.exceptions.PolarsError, ValueError, TypeError) as exc:
        msg = f"the column {series.name!r} is {series.dtype}, which cannot be kept as {kind.name}: {exc}"
        raise InvalidData(f"{msg}; change the values, or the schema") from exc


def _cast(series: "pl.Series", kind: Type) -> "pl.Series":
    """The same values as another type."""
    import polars as pl

    if series.dtype == pl.Null:
        return series.cast(kind.stored)
    if kind.name == "bytes" and series.dtype == pl.String:
        return series.cast(pl.Binary)
    if kind.name == "str" and series.dtype in (pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    if isinstance(series.dtype, pl.Datetime) and kind.name.startswith("timestamp"):
        series = series.dt.convert_time_zone("UTC") if series.dtype.time_zone else series
        series = series.dt.replace_time_zone("UTC" if kind.name == "timestamp_utc" else None)
    elif series.dtype == pl.String and kind.name.startswith("timestamp"):
        series = series.str.to_datetime(time_unit="us", strict=True)
        series = series.dt.convert_time_zone("UTC") if series.dtype.time_zone else series  # type: ignore[attr-defined]
        series = series.dt.replace_time_zone("UTC" if kind.name == "timestamp_utc" else None)
    elif series.dtype == pl.String and kind.name == "date":
        return series.str.to_date(strict=True)
    elif not _may_become(series.dtype, kind):
        msg = f"the column {series.name!r} is {series.dtype}, where {kind.name} is wanted; cast it first"
        raise InvalidData(msg)
    found = series.cast(kind.given, strict=True).cast(kind.stored)
    _check_exact(series, found, kind)
    return found


def _may_become(dtype: "pl.DataType", kind: Type) -> bool:
    """Whether values of a type can be meant as another at all."""
    import polars as pl

    wanted = kind.stored
    if wanted.is_numeric():
        return dtype.is_numeric() or dtype == pl.String
    if wanted.is_temporal():
        return dtype.is_temporal() and dtype != pl.Time and not isinstance(dtype, pl.Duration)
    return dtype == wanted


def _check_exact(before: "pl.Series", after: "pl.Series", kind: Type) -> None:
    """InvalidData when a cast changed a number or a time."""
    import polars as pl

    if before.dtype == pl.String:
        return
    if kind.name == "float32" and before.dtype == pl.Float64:
        # who wants these numbers short, wants them rounded
        return
    back = after.cast(before.dtype, strict=False)
    if not back.eq_missing(before).all():
        which = before.filter(~back.eq_missing(before))[0]
        msg = f"{which!r} in the column {before.name!r} would change when it is kept as {kind.name}"
        raise InvalidData(f"{msg}; round it, or make the column another type")


def _check_index(series: "pl.Series") -> None:
    import polars as pl

    bad = series.null_count() or (series.dtype in (pl.Float64, pl.Float32) and series.is_nan().any())
    if bad:
        msg = f"the index {series.name!r} has rows without a value; leave these rows out, or give them one"
        raise InvalidData(msg)
