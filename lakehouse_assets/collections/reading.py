"""CSV and Parquet files to frames."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lakehouse_assets.collections.schema import Schema
from lakehouse_assets.errors import ColumnMissing, InvalidData
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    import polars as pl

_BATCH = 250_000


def frames_of(schema: Schema, folder: Location, key: str) -> "Iterator[pl.DataFrame]":
    """The rows of a file in frames; ColumnMissing or InvalidData when the file does not fit the schema."""
    with _on_disk(folder, key) as path:
        if key.endswith(".parquet"):
            yield from _parquet(path, schema, folder.url(key))
        elif key.endswith(".csv"):
            yield from _csv(path, schema, folder.url(key))
        else:
            msg = f"{folder.url(key)} is not read: files are .csv or .parquet"
            raise InvalidData(msg)


def _csv(path: Path, schema: Schema, place: str) -> "Iterator[pl.DataFrame]":
    import polars as pl

    try:
        lines = pl.scan_csv(path, infer_schema=False, encoding="utf8")
        _check_columns(schema, lines.collect_schema().names(), place)
        for batch in lines.collect_batches(chunk_size=_BATCH, maintain_order=True):
            yield pl.DataFrame([_parsed(batch[name], schema, place) for name in schema])
    except pl.exceptions.NoDataError as exc:
        msg = f"{place} is empty; its first line names the columns: {', '.join(schema)}"
        raise InvalidData(msg) from exc
    except pl.exceptions.PolarsError as exc:
        msg = f"{place} cannot be read as CSV: {exc}"
        raise InvalidData(msg) from exc


def _parsed(texts: "pl.Series", schema: Schema, place: str) -> "pl.Series":
    """The values that the texts of a column mean."""
    import polars as pl

    kind = schema[texts.name].type
    if kind.name == "str":
        return texts
    if kind.name == "object":
        return _objects(texts, place)
    try:
        if kind.name == "bytes":
            return texts.str.decode("hex", strict=True)
        if kind.name == "bool":
            return texts.str.to_lowercase().replace_strict(
                {"true": True, "false": False}, return_dtype=pl.Boolean
            )
        if kind.name == "date":
            return texts.str.to_date("%Y-%m-%d", strict=True)
        if kind.name.startswith("decimal"):
            return _decimals(texts, kind.stored)
        if kind.name.startswith("timestamp"):
            found = texts.str.to_datetime(time_unit="us", strict=True, time_zone=_zone(texts))
            return found.dt.replace_time_zone("UTC" if kind.name == "timestamp_utc" else None)
        return texts.str.strip_chars().cast(kind.given, strict=True)
    except (pl.exceptions.PolarsError, ValueError) as exc:
        msg = f"a value of the column {texts.name!r} in {place} is no {kind.name}: {exc}; mend it, or the schema"
        raise InvalidData(msg) from exc


def _decimals(texts: "pl.Series", dtype: "pl.DataType") -> "pl.Series":
    from decimal import Decimal

    import polars as pl

    # digits too many would be cut off without a word
    values = [None if text is None else Decimal(text) for text in texts]
    found = pl.Series(texts.name, values, dtype=dtype, strict=True)
    for value, kept in zip(values, found, strict=True):
        if value != kept:
            raise ValueError(f"{value} has more digits")
    return found


def _objects(texts: "pl.Series", place: str) -> "pl.Series":
    """The JSON values that texts are."""
    import polars as pl

    try:
        values = [None if text is None else json.loads(text) for text in texts]
    except ValueError as exc:
        msg = f"a value of the column {texts.name!r} in {place} is no JSON: {exc}; mend it, or the schema"
        raise InvalidData(msg) from exc
    return pl.Series(texts.name, values, dtype=pl.Object)


def _zone(texts: "pl.Series") -> str | None:
    first = texts.drop_nulls().head(1)
    return "UTC" if len(first) and (first[0].endswith("Z") or "+" in first[0][10:]) else None


def _parquet(path: Path, schema: Schema, place: str) -> "Iterator[pl.DataFrame]":
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(path)
        _check_columns(schema, opened.schema_arrow.names, place)
        for batch in opened.iter_batches(batch_size=_BATCH, columns=list(schema)):
            frame = pl.DataFrame(pa.Table.from_batches([batch])).select(list(schema))
            texts = [
                name
                for name in schema
                if schema[name].type.name == "object" and frame[name].dtype == pl.String
            ]
            yield frame.with_columns(_objects(frame[name], place) for name in texts)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as exc:
        msg = f"{place} cannot be read as Parquet: {exc}"
        raise InvalidData(msg) from exc


def _check_columns(schema: Schema, names: list[str], place: str) -> None:
    missing = [name for name in schema if name not in names]
    unknown = [name for name in names if name not in schema.columns]
    if missing:
        msg = f"{place} lacks the column {', '.join(map(repr, missing))}; it has {', '.join(names) or 'none'}"
        raise ColumnMissing(msg)
    if unknown:
        msg = f"{place} has the column {', '.join(map(repr, unknown))}, which the schema has not; take it out"
        raise InvalidData(msg)
    if len(set(names)) < len(names):
        msg = f"{place} has a column twice; give each a name of its own: {', '.join(names)}"
        raise InvalidData(msg)


@contextmanager
def _on_disk(folder: Location, key: str) -> Iterator[Path]:
    """The file on local disk; brought there from elsewhere."""
    path = folder.local(key)
    if path is not None:
        with folder.open(key):
            # says what is wrong if it is not there
            pass
        yield path
        return
    with TemporaryDirectory() as place:
        brought = Path(place, "file")
        with folder.open(key) as source, brought.open("wb") as target:
            copyfileobj(source, target)
        yield brought
