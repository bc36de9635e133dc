"""
Columns of the statements table, and where a row belongs.

The table has exactly the 19 columns that ftm-lakehouse writes, partitioned by shard, bucket and origin in that
order: one column more or less, or another order, and its appends fail.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

SHARD = "shard"
ID = "id"
ENTITY_ID = "entity_id"
DATASET = "dataset"
BUCKET = "bucket"
ORIGIN = "origin"
SOURCE = "source"
SCHEMA = "schema"
PROP = "prop"
PROP_TYPE = "prop_type"
VALUE = "value"
ORIGINAL_VALUE = "original_value"
LANG = "lang"
EXTERNAL = "external"
FIRST_SEEN = "first_seen"
LAST_SEEN = "last_seen"
FRAGMENT = "fragment"
ROLE = "role"
DELETED_AT = "deleted_at"

PARTITION_BY = [SHARD, BUCKET, ORIGIN]

BASE_PROP = "id"
"""The property of the row that stands for the entity itself."""

BUCKETS = ("document", "interval", "mention", "page", "thing")
"""All buckets, in the order of exports."""

DEFAULT_ORIGIN = "default"

_TIMES = {FIRST_SEEN, LAST_SEEN, DELETED_AT}
_NULLABLE = {SOURCE, PROP_TYPE, ORIGINAL_VALUE, LANG, ROLE, DELETED_AT}

COLUMNS = [
    SHARD, ID, ENTITY_ID, DATASET, BUCKET, ORIGIN, SOURCE, SCHEMA, PROP, PROP_TYPE, VALUE, ORIGINAL_VALUE,
    LANG, EXTERNAL, FIRST_SEEN, LAST_SEEN, FRAGMENT, ROLE, DELETED_AT,
]  # fmt: skip

FILE_COLUMNS = [name for name in COLUMNS if name not in PARTITION_BY]
"""What a data file holds: the partition's values stand in its path."""

ROW_ORDER = [ENTITY_ID, PROP, ID, ORIGIN, ROLE, FRAGMENT]
"""How rows are sorted inside a (shard, bucket), in files and in exports."""


def table_schema() -> "pa.Schema":
    """The Arrow schema of the whole table: strings, a boolean, and microseconds in UTC."""
    import pyarrow as pa

    return pa.schema([pa.field(name, _arrow_type(name), nullable=name in _NULLABLE) for name in COLUMNS])


def file_schema() -> "pa.Schema":
    """The Arrow schema of one data file."""
    import pyarrow as pa

    return pa.schema([field for field in table_schema() if field.name in FILE_COLUMNS])


def frame_schema() -> "dict[str, pl.DataType]":
    """The polars schema of canonical rows: all columns of the table."""
    import polars as pl

    types: dict[str, pl.DataType] = {}
    for name in COLUMNS:
        if name in _TIMES:
            types[name] = pl.Datetime("us", "UTC")
        else:
            types[name] = pl.Boolean() if name == EXTERNAL else pl.String()
    return types


def _arrow_type(name: str) -> "pa.DataType":
    import pyarrow as pa

    if name in _TIMES:
        return pa.timestamp("us", tz="UTC")
    return pa.bool_() if name == EXTERNAL else pa.string()


def shard_of(entity_id: str, shards: int) -> str:
    """
    The shard of an entity: `0` for up to one shard, else a zero-padded hex number below `shards`.

    Example:
        >>> shard_of("e1", 0), len(shard_of("e1", 256))
        ('0', 2)
    """
    if shards <= 1:
        return "0"
    digest = hashlib.sha1(entity_id.encode()).hexdigest()
    width = len(f"{shards - 1:x}")
    return f"{int(digest[:8], 16) % shards:0{width}x}"


def statement_id(
    dataset: str, entity_id: str, prop: str, value: str, lang: str | None = None, external: bool = False
) -> str:
    """
    The id of one statement, as followthemoney's `Statement.make_key` gives it.

    Example:
        >>> statement_id("d", "e", "name", "v")
        '17d427eb512f5a9a2c0fb1164414907187e8aaee'
    """
    key = f"{dataset}.{entity_id}.{prop}.{value}"
    if lang is not None:
        key = f"{key}@{lang}"
    if external:
        key = f"{key}.ext"
    return hashlib.sha1(key.encode()).hexdigest()
