"""Entities that fit a question, without reading what cannot."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from lakehouse_assets.exports.grouping import entity_frames
from lakehouse_assets.model.times import to_utc
from lakehouse_assets.operations.names import check_bucket, check_prop, check_schema
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.reader import Reader

if TYPE_CHECKING:
    import polars as pl

_FIRST_BATCH = 100
_LARGEST_BATCH = 100_000
"""Ids gathered before their entities are read: few at first, so that the first answer comes soon."""


@dataclass(frozen=True)
class Query:
    """
    What is asked of entities, all of it: to be of a schema, to have values of properties, rows of an origin or
    bucket, or a statement first seen at or after a time.

    InvalidData when a name can only be a typo.
    """

    schema: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    origin: str | None = None
    bucket: str | None = None
    changed_since: datetime | None = None

    def __post_init__(self) -> None:
        if self.schema is not None:
            check_schema(self.schema)
        for prop in self.where:
            check_prop(prop)
        if self.bucket is not None:
            check_bucket(self.bucket)

    def conditions(self) -> "list[pl.Expr]":
        """Each has to hold for some row of an entity."""
        import polars as pl

        found = [(pl.col(s.PROP) == prop) & (pl.col(s.VALUE) == value) for prop, value in self.where.items()]
        for name in (s.SCHEMA, s.ORIGIN, s.BUCKET):
            wanted = getattr(self, name)
            if wanted is not None:
                found.append(pl.col(name) == wanted)
        if self.changed_since is not None:
            found.append(first_seen_since(self.changed_since))
        return found


def first_seen_since(at: datetime) -> "pl.Expr":
    """Whether a row was first seen at or after a time."""
    import polars as pl

    return pl.col(s.FIRST_SEEN) >= pl.lit(to_utc(at)).cast(pl.Datetime("us", "UTC"))


def matching_rows(reader: Reader, query: Query, columns: Sequence[str]) -> "Iterator[pl.DataFrame]":
    """
    The rows of the entities that fit, whole, by frames in which no entity is split; with these columns.

    Ids come first, from the partitions and columns that the question names; only their entities are read.
    """
    conditions = query.conditions()
    if not conditions:
        yield from entity_frames(reader, columns)
        return
    needed = list(dict.fromkeys([*columns, s.ENTITY_ID, *_columns(conditions)]))
    shared, given = frozenset(reader.shared_ids()), set[str]()
    for shard, bucket, ids in _batches(_candidates(reader, query, conditions, shared)):
        for rows in reader.scan(needed, shards=[shard], buckets=[bucket], among=ids):
            rows = _whole(reader, rows, shared, given)
            for condition in conditions:
                rows = _fitting(rows, condition)
            if len(rows):
                yield rows.select(columns)


def _candidates(
    reader: Reader, query: Query, conditions: "list[pl.Expr]", shared: Collection[str]
) -> "Iterator[tuple[str, str, pl.Series]]":
    """
    Shard, bucket and ids of entities that may fit, sorted; each entity that fits is among them.

    What an origin does not say another may: under an origin, the other conditions are left for later.
    """
    import polars as pl

    # an entity of several buckets may have the rows of the origin in another one than that which is asked for
    by_origin = query.origin is not None and not (query.bucket is not None and shared)
    judged = [] if by_origin else conditions
    columns = list(dict.fromkeys([s.SHARD, s.BUCKET, s.ENTITY_ID, *_columns(judged)]))
    buckets = None if query.bucket is None else [query.bucket]
    origins = [query.origin] if by_origin and query.origin is not None else None
    elsewhere = pl.Series(sorted(shared), dtype=pl.String)
    for rows in reader.scan(columns, buckets=buckets, origins=origins):
        fitting = rows
        for condition in judged:
            fitting = _fitting(fitting, condition)
        ids = fitting[s.ENTITY_ID]
        if len(elsewhere):
            # what this bucket does not say another may
            ids = ids.append(rows[s.ENTITY_ID].filter(rows[s.ENTITY_ID].is_in(elsewhere.implode())))
        if len(ids):
            yield rows[s.SHARD][0], rows[s.BUCKET][0], ids.unique().sort()


def _batches(
    found: "Iterator[tuple[str, str, pl.Series]]",
) -> "Iterator[tuple[str, str, pl.Series]]":
    """The same in larger pieces, each of one shard and bucket."""
    import polars as pl

    held: list[pl.Series] = []
    place, limit = ("", ""), _FIRST_BATCH
    for shard, bucket, ids in found:
        if held and (place != (shard, bucket) or sum(map(len, held)) >= limit):
            yield *place, pl.concat(held)
            held, limit = [], min(limit * 10, _LARGEST_BATCH)
        place = (shard, bucket)
        held.append(ids)
    if held:
        yield *place, pl.concat(held)


def _whole(reader: Reader, rows: "pl.DataFrame", shared: Collection[str], given: set[str]) -> "pl.DataFrame":
    """The rows with those that their entities have in other buckets; without entities that were given before."""
    import polars as pl

    if not shared:
        return rows
    ids = rows[s.ENTITY_ID].unique()
    several = ids.filter(ids.is_in(pl.Series(sorted(shared), dtype=pl.String).implode())).sort()
    if not len(several):
        return rows
    new = several.filter(~several.is_in(pl.Series(sorted(given), dtype=pl.String).implode()))
    given.update(new)
    rows = rows.filter(~pl.col(s.ENTITY_ID).is_in(several.implode()))
    if not len(new):
        return rows
    gathered = reader.between(new[0], new[-1], rows.columns)
    gathered = gathered.filter(pl.col(s.ENTITY_ID).is_in(new.implode()))
    return pl.concat([rows, gathered]).sort(s.ENTITY_ID, maintain_order=True)


def _fitting(rows: "pl.DataFrame", condition: "pl.Expr") -> "pl.DataFrame":
    """The rows of entities one of whose rows fits."""
    import polars as pl

    ids = rows.filter(condition)[s.ENTITY_ID].unique()
    return rows.filter(pl.col(s.ENTITY_ID).is_in(ids.implode()))


def _columns(conditions: "Sequence[pl.Expr]") -> list[str]:
    return list(dict.fromkeys(name for condition in conditions for name in condition.meta.root_names()))
