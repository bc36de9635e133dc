"""Checked rows of statements, sorted by entity, to rows of the table."""

from typing import TYPE_CHECKING

from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.canonical import canonical_rows
from lakehouse_assets.statements.explode import Cleaner, Stamp, Tally, shards_of
from lakehouse_assets.statements.vocabulary import UNKNOWN, Vocabulary
from lakehouse_assets.storage.sql import Sql

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

# followthemoney takes the language off values of these types
NO_LANGUAGE = (
    "checksum", "email", "mimetype", "language", "entity", "phone", "gender", "topic", "country", "ip", "date", "url",
    "id",
)  # fmt: skip

# what one row of an entity itself stands for: all that one origin says of it in one schema
_SAME = ["rank", s.ORIGIN, s.ROLE, s.FRAGMENT, s.SCHEMA]


def assemble(
    table: "pa.Table",
    sql: Sql,
    *,
    stamp: Stamp,
    words: Vocabulary,
    cleaner: Cleaner | None,
    tally: Tally,
) -> "pl.DataFrame":
    """
    The rows that count (those of `check_rows`, sorted by entity), with all columns of the table.

    Each keeps what it says of itself; its id is made anew, and so are the rows of the entities themselves. Tombstones
    take away what they hide, and are not kept.
    """
    import polars as pl

    rows = pl.DataFrame(table)
    rows = rows.with_columns(
        rank=(pl.col("id") != pl.col("id").shift(1)).fill_null(False).cum_sum().cast(pl.UInt32)
    )
    base = rows["field"] == UNKNOWN
    values = rows.filter(~base)
    if cleaner is not None:
        values = _cleaned(values, cleaner, tally)
    values = _named(_stamped(values, stamp), words)
    values = _identified(values, sql, stamp)
    given = rows.filter(base).with_columns(loose=pl.col(s.ORIGIN).is_null())
    given = _named(_stamped(given, stamp), words).with_columns(id=pl.col(s.VALUE).fill_null(""))
    values, given = _counting(values), _counting(given)
    made = _base_rows(values, given, sql, stamp, words)
    found = pl.concat([values.select(made.columns), made])
    keys = ["rank", "prop_rank", "id", s.ORIGIN, s.ROLE, s.FRAGMENT]
    found = found[found.select(pl.arg_sort_by(*_varying(found, keys))).to_series()]
    tally.entities += found["rank"].n_unique()
    return found.with_columns(
        shards_of(found[s.ENTITY_ID], stamp.shards),
        dataset=pl.lit(stamp.dataset),
        source=pl.lit(None, dtype=pl.String),
        deleted_at=pl.lit(None, dtype=pl.Datetime("us", "UTC")),
    ).select(s.COLUMNS)


def _cleaned(rows: "pl.DataFrame", cleaner: Cleaner, tally: Tally) -> "pl.DataFrame":
    """Rows with clean values; what they were before is kept where a row does not tell already."""
    import polars as pl

    numbered = rows.with_row_index("line")
    clean = cleaner.clean(numbered.select("line", "field", s.VALUE), rows["id"], tally)
    if len(clean) < len(rows):
        rows = rows[clean["line"]]
    original = pl.coalesce(rows[s.ORIGINAL_VALUE], clean[s.ORIGINAL_VALUE])
    return rows.with_columns(clean[s.VALUE], original.alias(s.ORIGINAL_VALUE))


def _stamped(rows: "pl.DataFrame", stamp: Stamp) -> "pl.DataFrame":
    """Rows with what the import says where they do not say it themselves."""
    import polars as pl

    kind = pl.Datetime("us", "UTC")
    now = pl.lit(stamp.now).cast(kind)
    origin = pl.lit(stamp.origin)
    last = pl.lit(stamp.last_seen, dtype=kind)
    # followthemoney takes the first time for the last where there is no other
    last_seen = pl.coalesce(s.LAST_SEEN, last, s.FIRST_SEEN, now)
    same = pl.col(s.ORIGINAL_VALUE) == pl.col(s.VALUE)
    return rows.with_columns(
        origin.alias(s.ORIGIN) if stamp.override_origin else pl.coalesce(s.ORIGIN, origin).alias(s.ORIGIN),
        pl.coalesce(s.ROLE, pl.lit(stamp.role, dtype=pl.String)).alias(s.ROLE),
        pl.col(s.FRAGMENT).fill_null(""),
        pl.when(~same).then(s.ORIGINAL_VALUE).alias(s.ORIGINAL_VALUE),
        pl.min_horizontal(pl.coalesce(s.FIRST_SEEN, now), last_seen).alias(s.FIRST_SEEN),
        last_seen.alias(s.LAST_SEEN),
    )


def _named(rows: "pl.DataFrame", words: Vocabulary) -> "pl.DataFrame":
    """Rows with the names behind the numbers of the vocabulary."""
    import polars as pl

    base = rows["field"] == UNKNOWN
    fields = words.fields.select(s.PROP, s.PROP_TYPE, "prop_rank")[rows["field"].clip(0)]
    schemata = words.schemata.select(s.SCHEMA, s.BUCKET)[rows[s.SCHEMA]]
    rows = rows.rename({"id": s.ENTITY_ID}).drop(s.SCHEMA).with_columns(*fields, *schemata)
    if not base.any():
        return rows
    name = pl.lit(s.BASE_PROP)
    rank = pl.lit(words.base_rank, dtype=pl.UInt32)
    return rows.with_columns(name.alias(s.PROP), name.alias(s.PROP_TYPE), rank.alias("prop_rank"))


def _identified(rows: "pl.DataFrame", sql: Sql, stamp: Stamp) -> "pl.DataFrame":
    """Rows with the ids of statements; a language only where the type of value can have one."""
    import polars as pl

    if rows[s.LANG].null_count() < len(rows):
        spoken = ~pl.col(s.PROP_TYPE).is_in(list(NO_LANGUAGE))
        rows = rows.with_columns(pl.when(spoken).then(s.LANG).alias(s.LANG))
    parts: list[pl.Expr] = [
        pl.lit(f"{stamp.dataset}."), pl.col(s.ENTITY_ID), pl.lit("."), pl.col(s.PROP), pl.lit("."), pl.col(s.VALUE),
    ]  # fmt: skip
    if rows[s.LANG].null_count() < len(rows):
        parts.append((pl.lit("@") + pl.col(s.LANG)).fill_null(""))
    if rows[s.EXTERNAL].any():
        parts.append(pl.when(s.EXTERNAL).then(pl.lit(".ext")).otherwise(pl.lit("")))
    keys = rows.select(pl.concat_str(parts)).to_series()
    return rows.with_columns(sql.sha1(keys).alias("id"))


def _counting(rows: "pl.DataFrame") -> "pl.DataFrame":
    """The rows that count; most inputs hold each statement once, and all of them do."""
    import polars as pl

    fragments = rows[s.FRAGMENT].ne("").any()
    deleted = rows[s.DELETED_AT].null_count() < len(rows)
    if not (fragments or deleted) and rows["id"].n_unique() == len(rows):
        return rows
    parts = [canonical_rows(part) for part in rows.partition_by(s.BUCKET)]
    return parts[0] if len(parts) == 1 else pl.concat(parts)


def _base_rows(
    values: "pl.DataFrame",
    given: "pl.DataFrame",
    sql: Sql,
    stamp: Stamp,
    words: Vocabulary,
) -> "pl.DataFrame":
    """
    A row for each entity itself, by origin, role, fragment and schema.

    Its value is the checksum of the schema and of the ids of its statements; its times are those of the row that was
    `given`, else those of the statements.
    """
    import polars as pl

    groups = _groups(values, given)
    checksums = sql.sha1(groups.select(pl.col(s.SCHEMA) + pl.col("joined").fill_null("")).to_series())
    keys = groups.select(
        pl.concat_str(
            pl.lit(f"{stamp.dataset}."),
            s.ENTITY_ID,
            pl.lit(f".{s.BASE_PROP}."),
            checksums.alias("checksum"),
            pl.when(s.EXTERNAL).then(pl.lit(".ext")).otherwise(pl.lit("")),
        )
    ).to_series()
    missing = pl.lit(None, dtype=pl.String)
    return groups.select(
        "rank",
        pl.lit(words.base_rank, dtype=pl.UInt32).alias("prop_rank"),
        sql.sha1(keys).alias("id"),
        s.ENTITY_ID,
        s.BUCKET,
        s.ORIGIN,
        s.SCHEMA,
        pl.lit(s.BASE_PROP).alias(s.PROP),
        pl.lit(s.BASE_PROP).alias(s.PROP_TYPE),
        checksums.alias(s.VALUE),
        missing.alias(s.ORIGINAL_VALUE),
        missing.alias(s.LANG),
        s.EXTERNAL,
        s.FIRST_SEEN,
        s.LAST_SEEN,
        s.FRAGMENT,
        s.ROLE,
    )


def _groups(values: "pl.DataFrame", given: "pl.DataFrame") -> "pl.DataFrame":
    """What the rows of one entity, origin, role, fragment and schema have in common, and their ids as one text."""
    import polars as pl

    shared = [*_SAME, s.ENTITY_ID, s.BUCKET]
    spans = [pl.col(s.FIRST_SEEN).min(), pl.col(s.LAST_SEEN).max(), pl.col(s.EXTERNAL).all()]
    said = given.group_by(shared).agg(*spans, pl.col("loose").all())
    found = _joined(values)
    # followthemoney's own rows name no origin, and stand for whatever the statements name
    named = found.select("rank", s.SCHEMA).unique()
    needless = said.filter("loose").join(named, on=["rank", s.SCHEMA], how="semi")
    needless = needless.join(found, on=shared, how="anti", nulls_equal=True)
    said = said.join(needless, on=shared, how="anti", nulls_equal=True)
    both = found.join(said, on=shared, how="full", coalesce=True, nulls_equal=True, suffix="_given")
    return both.with_columns(
        pl.coalesce(f"{name}_given", name).alias(name) for name in (s.FIRST_SEEN, s.LAST_SEEN, s.EXTERNAL)
    )


def _joined(values: "pl.DataFrame") -> "pl.DataFrame":
    """The groups of values, each with the sorted ids of its statements in one text."""
    import numpy as np
    import polars as pl
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = _varying(values, _SAME)
    rows = values[values.select(pl.arg_sort_by(*keys, "id")).to_series()]
    first = rows.select(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in keys)
    ).to_series()
    if len(first):
        first[0] = True
    starts = first.arg_true()
    offsets = np.append(starts.to_numpy(), len(rows)).astype(np.int32)
    ids = rows["id"].to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.string())
    joined = pl.Series("joined", pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), ids), ""))
    groups = rows[starts].select(*_SAME, s.ENTITY_ID, s.BUCKET).with_columns(joined)
    group = first.cum_sum() - 1
    spans = rows.select(group.alias("group"), s.FIRST_SEEN, s.LAST_SEEN, s.EXTERNAL)
    spans = spans.group_by("group", maintain_order=True).agg(
        pl.col(s.FIRST_SEEN).min(), pl.col(s.LAST_SEEN).max(), pl.col(s.EXTERNAL).all()
    )
    return groups.with_columns(spans.drop("group"))


def _varying(rows: "pl.DataFrame", names: list[str]) -> list[str]:
    """The first of some columns, and those of the others that do not have one value throughout."""
    return [names[0], *(name for name in names[1:] if rows[name].n_unique() > 1)]
