"""Entities in columns to rows of the statements table: one per value, and one for the entity itself."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.canonical import canonical_rows
from lakehouse_assets.statements.lines import BadLine, OnBad
from lakehouse_assets.statements.parse import strip_namespace
from lakehouse_assets.statements.vocabulary import UNKNOWN, Vocabulary
from lakehouse_assets.storage.sql import Sql

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Stamp:
    """What an import says about the rows it makes, where a line does not say it itself."""

    dataset: str
    origin: str
    now: datetime
    override_origin: bool = False
    role: str | None = None
    last_seen: datetime | None = None
    shards: int = 0


@dataclass
class Tally:
    """What became of values: counts by `Schema.property` where they were left out."""

    entities: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    empty: int = 0


class Cleaner(Protocol):
    """Turns values into their clean form."""

    def clean(self, values: "pl.DataFrame", ids: "pl.Series", tally: Tally) -> "pl.DataFrame":
        """Rows of `line`, `field`, `value` with a new column `original_value`; rejected ones are left out."""


def explode(
    entities: "pl.DataFrame",
    sql: Sql,
    *,
    stamp: Stamp,
    words: Vocabulary,
    cleaner: Cleaner | None,
    tally: Tally,
    on_bad: OnBad,
) -> "pl.DataFrame":
    """
    The rows of entities (the columns of `parse`, sorted by id), with all columns of the table, sorted and canonical.

    A doubled value counts once. Values of unknown properties, empty ones and those that cleaning rejects are left
    out and counted in `tally`; entities of an unknown or abstract schema go to `on_bad`.
    """
    import polars as pl

    entities = _known(entities, words, on_bad)
    tally.entities += len(entities)
    if not len(entities):
        return pl.DataFrame(schema=s.frame_schema())
    entities = _stamped(entities, stamp, words)
    values = _values(entities, words, tally)
    if cleaner is not None:
        values = cleaner.clean(values, entities["id"], tally)
    return _stated(entities, values, sql, stamp, words)


def state(
    entities: "pl.DataFrame",
    values: "pl.DataFrame",
    sql: Sql,
    *,
    stamp: Stamp,
    words: Vocabulary,
    tally: Tally,
) -> "pl.DataFrame":
    """The rows of entities whose values stand beside them, clean: `line`, `field`, `value`, `original_value`."""
    tally.entities += len(entities)
    return _stated(_stamped(entities, stamp, words), values, sql, stamp, words)


def _stated(
    entities: "pl.DataFrame",
    values: "pl.DataFrame",
    sql: Sql,
    stamp: Stamp,
    words: Vocabulary,
) -> "pl.DataFrame":
    """The rows of entities and their values, sorted and canonical."""
    import polars as pl

    rows = _identified(values, entities, sql, stamp, words)
    rows = pl.concat([rows, _base_rows(rows, entities, sql, stamp, words)])
    rows = rows[rows.select(pl.arg_sort_by("rank", "prop_rank", "id")).to_series()]
    frame = _filled(rows, entities, stamp, words)
    repeated = entities["rank"][-1] + 1 < len(entities)
    return _canonical(frame) if repeated else frame


def _canonical(frame: "pl.DataFrame") -> "pl.DataFrame":
    """The rows that count, sorted by entity; those of one id in two buckets do not meet."""
    import polars as pl

    parts = [canonical_rows(part) for part in frame.partition_by(s.BUCKET)]
    return parts[0] if len(parts) == 1 else pl.concat(parts).sort(s.ENTITY_ID, maintain_order=True)


def _known(entities: "pl.DataFrame", words: Vocabulary, on_bad: OnBad) -> "pl.DataFrame":
    import polars as pl

    usable = words.schemata.filter(~pl.col("abstract"))["schema"].implode()
    known = entities["schema"].is_in(usable)
    if known.all():
        return entities
    abstract = set(words.schemata.filter("abstract")["schema"])
    for position, name in entities.filter(~known).select("position", "schema").iter_rows():
        kind = "abstract" if name in abstract else "unknown"
        on_bad(BadLine(position, f"{kind} schema {name!r}", b""))
    return entities.filter(known)


def _stamped(entities: "pl.DataFrame", stamp: Stamp, words: Vocabulary) -> "pl.DataFrame":
    """Entities with their number (`line`), that of their id (`rank`), and what their rows will share."""
    import polars as pl

    origin = pl.lit(stamp.origin)
    now = pl.lit(stamp.now).cast(pl.Datetime("us", "UTC"))
    last = pl.lit(stamp.last_seen, dtype=pl.Datetime("us", "UTC"))
    first_seen = pl.coalesce("first_seen", "last_change", now)
    last_seen = pl.coalesce("last_seen", "last_change", last, now)
    return entities.with_row_index("line").with_columns(
        rank=(pl.col("id") != pl.col("id").shift(1)).fill_null(False).cum_sum().cast(pl.UInt32),
        origin=origin if stamp.override_origin else pl.coalesce("origin", origin),
        role=pl.coalesce("role", pl.lit(stamp.role, dtype=pl.String)),
        fragment=pl.col("fragment").fill_null(""),
        first_seen=pl.min_horizontal(first_seen, last_seen),
        last_seen=last_seen,
        base_first_seen=pl.min_horizontal(pl.coalesce("last_change", first_seen), last_seen),
    )


def _values(entities: "pl.DataFrame", words: Vocabulary, tally: Tally) -> "pl.DataFrame":
    """One row per value: `line`, `field` (its row in the vocabulary), `value`."""
    import polars as pl

    props = entities.select("line", "schema", "properties").explode("properties").unnest("properties")
    props = props.filter(pl.col("key").is_not_null())
    props = props.with_columns(words.field_of(props["schema"], props["key"]))
    unknown = props.filter(pl.col("field") == UNKNOWN)
    if len(unknown):
        counts = unknown.group_by("schema", "key").agg(pl.col("value").list.len().sum())
        tally.unknown.update({f"{schema}.{prop}": count for schema, prop, count in counts.iter_rows()})
        props = props.filter(pl.col("field") != UNKNOWN)
    values = props.select("line", "field", "value").explode("value")
    filled = values.filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
    tally.empty += int(values["value"].eq("").sum())
    return filled


def _identified(
    values: "pl.DataFrame",
    entities: "pl.DataFrame",
    sql: Sql,
    stamp: Stamp,
    words: Vocabulary,
) -> "pl.DataFrame":
    """Values with their statement ids, each once per line: rank, prop_rank, line, field, id, value, original_value."""
    import polars as pl

    fields = words.fields
    if "original_value" not in values.columns:
        values = values.with_columns(original_value=pl.lit(None, dtype=pl.String))
    is_entity = fields["prop_type"].eq("entity").gather(values["field"])
    signed = is_entity & values["value"].str.contains(".", literal=True)
    if signed.any():
        plain = strip_namespace(values["value"])
        values = values.with_columns(value=pl.when(signed).then(plain).otherwise("value"))
    keys = pl.concat_str(
        pl.lit(f"{stamp.dataset}."),
        entities["id"].gather(values["line"]),
        pl.lit("."),
        fields["prop"].gather(values["field"]),
        pl.lit("."),
        values["value"],
    )
    rows = values.select(
        entities["rank"].gather(values["line"]).alias("rank"),
        fields["prop_rank"].gather(values["field"]).alias("prop_rank"),
        "line",
        "field",
        sql.sha1(pl.select(keys).to_series()).alias("id"),
        "value",
        "original_value",
    )
    order = rows.select(pl.arg_sort_by("line", "id", maintain_order=True)).to_series()
    rows = rows[order]
    return rows.filter(
        (pl.col("id").ne_missing(pl.col("id").shift(1)))
        | (pl.col("line").ne_missing(pl.col("line").shift(1)))
    )


def _base_rows(
    rows: "pl.DataFrame",
    entities: "pl.DataFrame",
    sql: Sql,
    stamp: Stamp,
    words: Vocabulary,
) -> "pl.DataFrame":
    """The row of each entity itself; its value is the checksum of its schema and its statements' ids."""
    import numpy as np
    import polars as pl
    import pyarrow as pa
    import pyarrow.compute as pc

    offsets = rows["line"].search_sorted(np.arange(len(entities) + 1, dtype=np.uint32)).cast(pl.Int32)
    ids = rows["id"].to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.string())
    # a text of Python's would have pyarrow load pandas, where there is one, to see that it is no NaN of its
    nothing = pl.Series([""]).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.string())[0]
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets.to_arrow(), ids), nothing)
    checksums = sql.sha1(pl.select(pl.concat_str(entities["schema"], pl.Series(joined))).to_series())
    keys = pl.concat_str(pl.lit(f"{stamp.dataset}."), entities["id"], pl.lit(f".{s.BASE_PROP}."), checksums)
    return pl.DataFrame(
        {
            "rank": entities["rank"],
            "prop_rank": pl.repeat(words.base_rank, len(entities), dtype=pl.UInt32, eager=True),
            "line": entities["line"],
            "field": pl.repeat(UNKNOWN, len(entities), dtype=pl.Int32, eager=True),
            "id": sql.sha1(pl.select(keys).to_series()),
            "value": checksums,
            "original_value": pl.repeat(None, len(entities), dtype=pl.String, eager=True),
        }
    )


def _filled(
    rows: "pl.DataFrame", entities: "pl.DataFrame", stamp: Stamp, words: Vocabulary
) -> "pl.DataFrame":
    """Rows with all columns of the table."""
    import polars as pl

    base = rows["field"] == UNKNOWN
    at = rows["line"]
    # the base row has no field: any will do, its cells are replaced
    fields = words.fields.select("prop", "prop_type")[rows["field"].clip(0)]
    buckets = entities.select("schema").join(words.schemata, on="schema", how="left", maintain_order="left")[
        "bucket"
    ]
    shared = entities.select("schema", "origin", "role", "fragment", "last_seen")[at]
    first_seen = (
        pl.when(base)
        .then(entities["base_first_seen"].gather(at))
        .otherwise(entities["first_seen"].gather(at))
    )
    entity_ids = entities["id"].gather(at)
    frame = shared.with_columns(
        rows["id"],
        entity_ids.alias("entity_id"),
        fields["prop"],
        fields["prop_type"],
        rows["value"],
        rows["original_value"],
        buckets.gather(at).alias("bucket"),
        first_seen.alias("first_seen"),
        shards_of(entity_ids, stamp.shards),
        dataset=pl.lit(stamp.dataset),
        source=pl.lit(None, dtype=pl.String),
        lang=pl.lit(None, dtype=pl.String),
        external=pl.lit(False),
        deleted_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")),
    )
    frame = frame.with_columns(
        prop=pl.when(base).then(pl.lit(s.BASE_PROP)).otherwise("prop"),
        prop_type=pl.when(base).then(pl.lit(s.BASE_PROP)).otherwise("prop_type"),
    )
    return frame.select(s.COLUMNS)


def shards_of(entity_ids: "pl.Series", shards: int) -> "pl.Series":
    """The shard of each entity."""
    import polars as pl

    if shards <= 1:
        return pl.repeat("0", len(entity_ids), dtype=pl.String, eager=True).alias("shard")
    distinct = entity_ids.unique()
    numbers = [s.shard_of(entity_id, shards) for entity_id in distinct]
    return entity_ids.replace_strict(distinct, numbers, return_dtype=pl.String).alias("shard")
