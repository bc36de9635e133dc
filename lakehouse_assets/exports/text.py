"""Columns to text: CSV fields, JSON strings and times, for whole columns at once."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

CSV_TIME = "%Y-%m-%d %H:%M:%S%.6fZ"
JSON_TIME = "%Y-%m-%dT%H:%M:%S%.6f+00:00"
Z_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"

_SHORT = {"\b": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r", '"': r"\"", "\\": r"\\"}
_JSON_ESCAPES = {chr(code): f"\\u{code:04x}" for code in range(32)} | _SHORT
_NEEDS_QUOTES = r'[,"\r\n]'
_NEEDS_JSON_ESCAPE = r'["\\\x00-\x1f]'


def buffers(texts: "pl.Series") -> Iterator[memoryview]:
    """The bytes of all texts, one behind the other, as they lie in memory."""
    import polars as pl

    for chunk in texts.get_chunks():
        # one contiguous text and its offsets; a series of null or empty texts has no bytes
        _, offsets, data = chunk.to_arrow(compat_level=pl.CompatLevel.oldest()).buffers()
        if offsets is not None and data is not None:
            yield memoryview(data)


def concat(pieces: "Sequence[str | pl.Expr]") -> "pl.Expr":
    """The pieces one behind the other; texts that follow each other become one."""
    import polars as pl

    joined: list[str | pl.Expr] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return pl.concat_str([pl.lit(piece) if isinstance(piece, str) else piece for piece in joined])


def constant(column: "pl.Series") -> bool:
    """Whether all values of a column that is not empty are the same."""
    return bool(column.null_count() == len(column) or column.eq_missing(column[0]).all())


def times(column: "pl.Series", form: str) -> "pl.Series":
    """Times as text; formatting is slow, and the rows of an entity mostly have the same time."""
    import numpy as np

    begins = column.ne_missing(column.shift(1)).to_numpy().copy()
    begins[:1] = True
    runs = np.flatnonzero(begins)
    if len(runs) > len(column) // 2:
        return _formatted(column, form)
    return _formatted(column.gather(runs), form).gather(np.cumsum(begins) - 1)


def _formatted(column: "pl.Series", form: str) -> "pl.Series":
    """Times as text, each different one formatted once."""
    import polars as pl

    distinct = column.unique()
    if len(distinct) > len(column) // 4:
        return column.dt.strftime(form)
    return column.replace_strict(distinct, distinct.dt.strftime(form), return_dtype=pl.String)


def csv_field(column: "pl.Series") -> "list[str | pl.Expr]":
    """
    The pieces of a column of texts as CSV fields, all in quotes; a null is nothing at all.

    A column of one value is a plain text, which costs nothing per row.
    """
    if len(column) and constant(column):
        return ["" if column[0] is None else '"' + column[0].replace('"', '""') + '"']
    pieces: list[str | pl.Expr] = ['"', _doubled(column), '"']
    return [concat(pieces).fill_null("")] if column.null_count() else pieces


def csv_text(column: "pl.Series") -> "pl.Expr":
    """A column of texts as CSV fields, in quotes where they must be; a null is an empty field."""
    import polars as pl

    quoted = concat(['"', _doubled(column), '"'])
    text = pl.lit(column)
    return pl.when(text.str.contains(_NEEDS_QUOTES)).then(quoted).otherwise(text).fill_null("")


def _doubled(column: "pl.Series") -> "pl.Expr":
    import polars as pl

    if column.str.contains('"', literal=True).any():
        return pl.lit(column).str.replace_all('"', '""', literal=True)
    return pl.lit(column)


def json_text(text: str) -> str:
    """One text as a JSON string, with its quotes."""
    return json.dumps(text, ensure_ascii=False)


def json_escaped(column: "pl.Series") -> "pl.Series":
    """Texts as they stand between the quotes of a JSON string, which stays UTF-8."""
    import numpy as np
    import polars as pl

    odd = column.str.contains(_NEEDS_JSON_ESCAPE)
    if not odd.any():
        return column
    rows = odd.arg_true()
    escaped = column.gather(rows).str.replace_many(list(_JSON_ESCAPES), list(_JSON_ESCAPES.values()))
    index = np.arange(len(column))
    index[rows] = len(column) + np.arange(len(rows))
    return pl.concat([column, escaped], rechunk=True).gather(index)
