"""
Blocks of JSON lines to entities in columns, set at a time.

DuckDB parses a block into typed columns. A line counts as read only when writing the typed values back gives the JSON
that it held; any other goes through the exact reader, which accepts it or says what is wrong with it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lakehouse_assets.statements.exact import BadEntity, read_entity, read_text, read_time
from lakehouse_assets.statements.lines import BadLine, Block, OnBad
from lakehouse_assets.storage.sql import Sql

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

_TYPED = '{"id":"VARCHAR","schema":"VARCHAR","properties":"MAP(VARCHAR,VARCHAR[])"}'
_KEYS = ["id", "schema", "properties", "first_seen", "last_seen", "last_change", "origin", "role", "fragment"]
_PATHS = [f"$.{key}" for key in _KEYS]

# what DuckDB takes for JSON though it is none: a comma before a bracket, NaN, inf; in a text it does no harm
# (two patterns: each alone is found by its first byte, both as one take ten times as long)
_LENIENT = (r"[:,\[][ \t\r\n]*-?(?:[nN][aA][nN]|[iI][nN][fF])", r",[ \t\r\n]*[\]}]")

# a key that is there twice would be answered differently by each reader
_IDENTIFY = "SELECT line->>'$.id' AS id, array_to_string(json_keys(line), chr(31)) AS keys FROM given"

# what the query above raises at the first line that is no JSON, this one says of each
_IDENTIFY_ANY = """
SELECT valid,
       CASE WHEN valid THEN line->>'$.id' END AS id,
       CASE WHEN valid THEN array_to_string(json_keys(line), chr(31)) END AS keys
FROM (SELECT line, json_valid(line) AS valid FROM given)
"""

_PARSE = f"""
SELECT position, id, e.schema AS schema, map_entries(e.properties) AS properties,
       f[4]::VARCHAR AS first_seen, f[5]::VARCHAR AS last_seen, f[6]::VARCHAR AS last_change,
       f[7]::VARCHAR AS origin, f[8]::VARCHAR AS role, f[9]::VARCHAR AS fragment,
       coalesce(to_json(e.id) = f[1] AND to_json(e.schema) = f[2] AND e.id <> '' AND e.schema <> ''
                AND to_json(e.properties) = f[3], false)
       AND NOT CASE WHEN contains(f[3]::VARCHAR, 'null')
                    THEN regexp_matches(f[3]::VARCHAR, '[\\[,:]null[\\],}}]') ELSE false END
       AND f[3] IS NOT NULL
       AND NOT contains(line, '\\u0000') AS whole
FROM (SELECT position, id, line, from_json(line, '{_TYPED}') AS e, json_extract(line, {_PATHS}) AS f FROM given)
"""

TIMES = ("first_seen", "last_seen", "last_change")
TEXTS = ("origin", "role", "fragment")


@dataclass(frozen=True)
class Identified:
    """Lines that are JSON and have an id: a table of `position`, `id` (without namespace) and `line`."""

    table: "pa.Table"
    stripped: int


def identify(block: Block, sql: Sql, on_bad: OnBad) -> Identified:
    """The ids of lines; lines without one, and those that are no JSON, go to `on_bad`."""
    import polars as pl
    import pyarrow as pa

    given = pa.table({"position": block.positions, "line": block.lines})
    found = _identified(given, sql)
    doubled = [keys for keys in found["keys"].unique().drop_nulls() if _has_twice(keys.split("\x1f"))]
    bad = ~found["valid"] | found["id"].fill_null("").eq("") | found["keys"].fill_null("").is_in(doubled)
    if bad.any():
        good = (~bad).to_numpy().copy()
        readable = found["valid"] & found["id"].fill_null("").ne("")
        for row in bad.arg_true():
            position, line = block.positions[row].as_py(), block.lines[row].as_py()
            reason = _verdict(line, readable=readable[row])
            good[row] = reason is None
            if reason is not None and line.encode().strip():
                on_bad(BadLine(position, reason, line.encode()))
        given, found = given.filter(pa.array(good)), found.filter(pl.Series(good))
    ids = strip_namespace(found["id"])
    stripped = int((ids != found["id"]).sum())
    plain = ids.to_arrow(compat_level=pl.CompatLevel.oldest())
    return Identified(given.append_column("id", plain), stripped)


def _identified(given: "pa.Table", sql: Sql) -> "pl.DataFrame":
    """The id and the keys of each line, and whether it is JSON at all."""
    import duckdb
    import polars as pl

    try:
        return pl.DataFrame(sql.ask(_IDENTIFY, given=given)).with_columns(valid=pl.lit(True))
    except (duckdb.Error, UnicodeDecodeError):
        # the latter when the message quotes the line, and cuts a character in two
        return pl.DataFrame(sql.ask(_IDENTIFY_ANY, given=given))


def parse(table: "pa.Table", sql: Sql, on_bad: OnBad, *, allow_nul: bool = True) -> "pl.DataFrame":
    """
    The entities of identified lines, one row each, in their order. Without `allow_nul`, values that hold a NUL are bad.

    Columns: position, id, schema, properties (list of key and value, which is a list of texts), first_seen, last_seen,
    last_change (microseconds, UTC, null when not given), origin, role, fragment (null when not given).
    """
    import polars as pl

    frame = pl.DataFrame(sql.ask(_PARSE, given=table))
    unclear = ~frame["whole"]
    for pattern in _LENIENT:
        unclear |= pl.Series(table["line"]).str.contains(pattern)
    columns = {}
    for name in TEXTS:
        columns[name], broken = _texts(frame[name])
        unclear |= broken
    for name in TIMES:
        columns[name], broken = _times(frame[name])
        unclear |= broken
    frame = frame.drop("whole").with_columns(**columns)
    if not unclear.any():
        return frame
    lines = pl.DataFrame(table).join(frame.filter(unclear).select("position"), on="position", how="semi")
    exact = _exactly(lines, frame.schema, on_bad, allow_nul=allow_nul)
    return pl.concat([frame.filter(~unclear), exact]).sort("id", "position")


def strip_namespace(ids: "pl.Series") -> "pl.Series":
    """
    Ids without the signature of a namespace: what follows the last dot of a valid entity id.

    The same as followthemoney's `Namespace.strip`, except that an id which is no valid one stays as it is.
    """
    import polars as pl

    if not ids.str.contains(".", literal=True).any():
        return ids
    signed = pl.col("id").str.contains(r"^[0-9a-zA-Z][0-9a-zA-Z.\-]*\.[0-9a-zA-Z.\-]*[0-9a-zA-Z]$")
    plain = pl.col("id").str.replace(r"\.[^.]*$", "")
    return ids.to_frame("id").select(pl.when(signed).then(plain).otherwise("id").alias("id")).to_series()


def _has_twice(keys: Sequence[str]) -> bool:
    return len(set(keys)) < len(keys)


def _verdict(line: str, *, readable: bool) -> str | None:
    """Why a line cannot be imported; None for a readable one that has no key twice after all."""
    try:
        read_entity(line)
    except BadEntity as exc:
        return str(exc)
    return None if readable else "it holds half a character (a lone surrogate)"


def _exactly(lines: "pl.DataFrame", schema: "pl.Schema", on_bad: OnBad, *, allow_nul: bool) -> "pl.DataFrame":
    """What the exact reader makes of lines (position, id, line), in the shape of the fast one."""
    import polars as pl

    rows: list[dict[str, object]] = []
    for position, id, line in lines.select("position", "id", "line").iter_rows():
        try:
            entity = read_entity(line, allow_nul=allow_nul)
            times = {name: read_time(getattr(entity, name), name) for name in TIMES}
        except BadEntity as exc:
            on_bad(BadLine(position, str(exc), line.encode()))
            continue
        rows.append(
            {
                "position": position,
                "id": id,
                "schema": entity.schema,
                "properties": [{"key": key, "value": value} for key, value in entity.properties.items()],
                **{name: getattr(entity, name) for name in TEXTS},
                **times,
            }
        )
    return pl.DataFrame(rows, schema=schema)


def _texts(column: "pl.Series") -> "tuple[pl.Series, pl.Series]":
    """JSON texts or lists of one by their text, and which of them are neither; each distinct one is read once."""
    import polars as pl

    meanings: dict[str, str | None] = {}
    broken = []
    for text in column.unique().drop_nulls():
        try:
            meanings[text] = read_text(json.loads(text), column.name)
        except BadEntity:
            broken.append(text)
    values = column.replace_strict(
        list(meanings), list(meanings.values()), default=None, return_dtype=pl.String
    )
    return values, column.is_in(broken).fill_null(False)


def _times(column: "pl.Series") -> "tuple[pl.Series, pl.Series]":
    """JSON texts by the time they mean, in UTC, and which of them mean none; each distinct one is read once."""
    import polars as pl

    meanings: dict[str, datetime | None] = {}
    broken = []
    for text in column.unique().drop_nulls():
        try:
            meanings[text] = read_time(json.loads(text), column.name)
        except BadEntity:
            broken.append(text)
    times = column.replace_strict(
        list(meanings), list(meanings.values()), default=None, return_dtype=pl.Datetime("us", "UTC")
    )
    return times, column.is_in(broken).fill_null(False)
