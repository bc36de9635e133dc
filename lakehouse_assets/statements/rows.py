"""
Statements as other programs write them: columns of text in, checked and numbered rows out.

What cannot be a statement goes to quarantine; what has no place in the model is left out and counted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.names import check_origin
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.exact import BadEntity, read_time
from lakehouse_assets.statements.explode import Tally
from lakehouse_assets.statements.lines import BadLine, OnBad
from lakehouse_assets.statements.vocabulary import UNKNOWN, Vocabulary

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

REQUIRED = (s.ENTITY_ID, s.SCHEMA, s.PROP, s.VALUE)
"""Columns without which a file holds no statements."""

OPTIONAL = (
    s.ORIGINAL_VALUE, s.LANG, s.ORIGIN, s.EXTERNAL, s.FIRST_SEEN, s.LAST_SEEN, s.FRAGMENT, s.ROLE, s.DELETED_AT,
)  # fmt: skip
"""Columns that are taken where they are there; any other is passed by, ids and datasets among them."""

_TIMES = (s.FIRST_SEEN, s.LAST_SEEN, s.DELETED_AT)
_TEXTS = (s.VALUE, s.ORIGINAL_VALUE, s.LANG, s.ORIGIN, s.FRAGMENT, s.ROLE)

# what followthemoney, ftm-lakehouse and databases write
_TRUE = ("true", "True", "TRUE", "t", "1", "yes", "y")
_FALSE = ("false", "False", "FALSE", "f", "0", "no", "n")

_ISO = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:[0-5]\d(\.\d{1,6})?(Z|\+00:00)?$"


@dataclass(frozen=True)
class RawRows:
    """Rows as they were read: `REQUIRED` and some of `OPTIONAL`, where each stands, and its text for the quarantine."""

    frame: "pl.DataFrame"
    positions: "pl.Series"
    text: Callable[[int], bytes]


def check_columns(name: str, columns: "list[str]") -> list[str]:
    """Those of a file's columns that are read; InvalidData when it holds no statements."""
    missing = [column for column in REQUIRED if column not in columns]
    if missing:
        there = ", ".join(columns[:20]) or "nothing"
        msg = (
            f"{name} is no file of statements: it has no column {', '.join(missing)} (there is {there}). "
            f"Nothing was imported; a table of another kind can be turned into entities with `ftm map-csv`"
        )
        raise InvalidData(msg)
    doubled = [column for column in (*REQUIRED, *OPTIONAL) if columns.count(column) > 1]
    if doubled:
        msg = f"{name} has the column {doubled[0]} twice; nothing was imported, leave one out"
        raise InvalidData(msg)
    return [column for column in (*REQUIRED, *OPTIONAL) if column in columns]


def check_rows(
    raw: RawRows, words: Vocabulary, *, on_bad: OnBad, tally: Tally, allow_nul: bool
) -> "pa.Table":
    """
    Rows that can be statements: position, id (of the entity), field, schema (both by number), and what they say.

    The row of an entity itself has the field `UNKNOWN`. Empty texts are missing ones.
    """
    import polars as pl

    frame = raw.frame.with_columns(position=raw.positions)
    # a line of white space
    blank = pl.all_horizontal(pl.col(name).is_null() | (pl.col(name) == "") for name in REQUIRED)
    frame = frame.with_row_index("row").filter(~blank)
    frame = frame.with_columns(
        pl.when(pl.col(name) != "").then(name).alias(name)
        if name in frame.columns
        else pl.lit(None, dtype=pl.String).alias(name)
        for name in (*_TEXTS, s.ENTITY_ID, s.SCHEMA, s.PROP)
    )
    verdict = _Verdict(frame, raw, on_bad)
    verdict.missing(s.ENTITY_ID, s.SCHEMA, s.PROP)
    schemata = words.schemata.with_row_index("number")
    numbers = frame.select(s.SCHEMA).join(
        schemata, on=s.SCHEMA, how="left", maintain_order="left", nulls_equal=False
    )
    verdict.add(numbers["number"].is_null(), lambda row: f"unknown schema {row[s.SCHEMA]!r}")
    verdict.add(numbers["abstract"].fill_null(False), lambda row: f"abstract schema {row[s.SCHEMA]!r}")
    checked = {s.ORIGIN: frame[s.ORIGIN]}
    verdict.take(s.ORIGIN, *_meanings(frame[s.ORIGIN], _origin))
    for name in _TIMES:
        column = frame[name] if name in frame.columns else pl.Series([None], dtype=pl.String)
        checked[name], reasons = _times(column.alias(name))
        verdict.take(name, checked[name], reasons)
    external = frame[s.EXTERNAL] if s.EXTERNAL in frame.columns else pl.Series([None], dtype=pl.Boolean)
    checked[s.EXTERNAL], reasons = _booleans(external.alias(s.EXTERNAL))
    verdict.take(s.EXTERNAL, checked[s.EXTERNAL], reasons)
    verdict.no_nul(s.ENTITY_ID, *(name for name in _TEXTS if name != s.VALUE or not allow_nul))
    good = verdict.deliver()
    fields = words.field_of(frame[s.SCHEMA], frame[s.PROP])
    frame = frame.select("position", s.ENTITY_ID, s.SCHEMA, s.PROP, *_TEXTS).with_columns(
        *(column if len(column) == len(frame) else pl.lit(column[0], dtype=column.dtype).alias(column.name)
          for column in checked.values()),
        field=fields,
        number=numbers["number"].cast(pl.Int32),
    )  # fmt: skip
    if not good.all():
        frame = frame.filter(good)
    return _counted(frame, tally).to_arrow(compat_level=pl.CompatLevel.oldest())


def _counted(frame: "pl.DataFrame", tally: Tally) -> "pl.DataFrame":
    """The rows that have a place in the model and a value; the others are counted."""
    import polars as pl

    base = pl.col(s.PROP) == s.BASE_PROP
    empty = pl.col(s.VALUE).is_null() & ~base
    unknown = (pl.col("field") == UNKNOWN) & ~base & ~empty
    state = frame.select(empty=empty, unknown=unknown)
    tally.empty += int(state["empty"].sum())
    if state["unknown"].any():
        counts = frame.filter(state["unknown"]).group_by(s.SCHEMA, s.PROP).len()
        tally.unknown.update({f"{schema}.{prop}": count for schema, prop, count in counts.iter_rows()})
    keep = ~(state["empty"] | state["unknown"])
    frame = frame if keep.all() else frame.filter(keep)
    return frame.select(
        "position",
        pl.col(s.ENTITY_ID).alias("id"),
        "field",
        pl.col("number").alias(s.SCHEMA),
        *_TEXTS,
        s.EXTERNAL,
        *_TIMES,
    )


class _Verdict:
    """Collects what is wrong with rows; the first reason counts."""

    def __init__(self, frame: "pl.DataFrame", raw: RawRows, on_bad: OnBad) -> None:
        self._frame = frame
        self._raw = raw
        self._on_bad = on_bad
        self._reasons: dict[int, str] = {}

    def add(self, wrong: "pl.Series", reason: Callable[[dict[str, str]], str]) -> None:
        for row in wrong.arg_true():
            if row not in self._reasons:
                self._reasons[row] = reason(self._frame.row(row, named=True))

    def missing(self, *names: str) -> None:
        for name in names:
            self.add(self._frame[name].is_null(), lambda _, name=name: f"no {name}")  # type: ignore[misc]

    def take(self, name: str, values: "pl.Series", reasons: dict[str, str]) -> None:
        """Texts of a column that mean nothing, each with the reason."""
        if reasons:
            wrong = self._frame[name].is_in(list(reasons)).fill_null(False)
            self.add(wrong, lambda row: reasons[row[name]])

    def no_nul(self, *names: str) -> None:
        for name in names:
            column = self._frame[name]
            if column.null_count() < len(column):
                wrong = column.str.contains("\0", literal=True).fill_null(False)
                self.add(wrong, lambda _, name=name: f"{name!r} holds a NUL character")  # type: ignore[misc]

    def deliver(self) -> "pl.Series":
        """Hand on the bad rows, and tell which are good."""
        import numpy as np
        import polars as pl

        good = np.ones(len(self._frame), dtype=bool)
        for row in sorted(self._reasons):
            good[row] = False
            at, number = int(self._frame["position"][row]), int(self._frame["row"][row])
            self._on_bad(BadLine(at, self._reasons[row], self._raw.text(number)))
        return pl.Series(good)


def _origin(text: str) -> str:
    return check_origin(text)


def _meanings(column: "pl.Series", meaning: Callable[[str], object]) -> "tuple[pl.Series, dict[str, str]]":
    """A column, and why some of its texts mean nothing; each distinct one is read once."""
    reasons = {}
    for text in column.unique().drop_nulls():
        try:
            meaning(text)
        except (BadEntity, InvalidData) as exc:
            reasons[text] = str(exc)
    return column, reasons


def _times(column: "pl.Series") -> "tuple[pl.Series, dict[str, str]]":
    """Texts by the time that they mean, in UTC; most are written in one way, and read all at once."""
    import polars as pl

    kind = pl.Datetime("us", "UTC")
    if column.dtype != pl.String:
        return column.cast(kind), {}
    if column.null_count() == len(column):
        return pl.Series(column.name, [None], dtype=kind), {}
    distinct = column.unique().drop_nulls()
    distinct = distinct.filter(distinct != "")
    usual = pl.when(pl.col("text").str.contains(_ISO)).then(
        pl.col("text").str.replace("T", " ", literal=True).str.replace(r"(Z|\+00:00)$", "")
    )
    table = distinct.alias("text").to_frame().with_columns(
        time=usual.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
        .dt.replace_time_zone("UTC")
        .cast(kind)
    )  # fmt: skip
    rest: dict[str, datetime | None] = {}
    reasons: dict[str, str] = {}
    for text in table.filter(pl.col("time").is_null())["text"]:
        try:
            rest[text] = read_time(text, column.name)
        except BadEntity as exc:
            reasons[text] = str(exc)
    if rest:
        more = pl.DataFrame(
            {"text": list(rest), "time": list(rest.values())}, schema={"text": pl.String, "time": kind}
        )
        table = pl.concat([table.filter(pl.col("time").is_not_null()), more])
    if len(table) == 1 and not reasons and column.null_count() == 0 and not (column == "").any():
        return pl.Series(column.name, [table["time"][0]], dtype=kind), {}
    times = column.to_frame("text").join(table, on="text", how="left", maintain_order="left")["time"]
    return times.alias(column.name), reasons


def _booleans(column: "pl.Series") -> "tuple[pl.Series, dict[str, str]]":
    import polars as pl

    if column.dtype == pl.Boolean:
        return column.fill_null(False), {}
    reasons = {
        text: f"{column.name} is {text!r}, neither true nor false"
        for text in column.unique().drop_nulls()
        if text not in (*_TRUE, *_FALSE, "")
    }
    return column.is_in(_TRUE).fill_null(False), reasons
