"""Replacing what an origin says: tombstones for the rows that a new import of it does not hold."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.canonical import KEY_COLUMNS, canonical_rows, sort_rows
from lakehouse_assets.statements.datafiles import StagedFile
from lakehouse_assets.statements.footers import read_footer
from lakehouse_assets.statements.imports import BadLines, Imported
from lakehouse_assets.statements.ranges import Part, plan, read, select
from lakehouse_assets.statements.reader import Reader
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    import polars as pl

_ROW = [s.ID, s.ORIGIN, s.ROLE, s.FRAGMENT]
_EMISSION = [s.ENTITY_ID, s.ORIGIN, s.PROP, s.FRAGMENT, s.ROLE]


def check_replaceable(imported: Imported, bad: BadLines) -> None:
    """Refuse to replace anything by what is not whole: InvalidData."""
    if bad.count:
        msg = (
            f"{bad.first}. {bad.count} such lines cannot be imported, and to replace would delete what they hold. "
            f"Nothing was changed; mend them, or import without --replace"
        )
        raise InvalidData(msg)
    if not imported.rows:
        msg = (
            "the input holds no entities, and to replace by nothing would delete everything. Nothing was changed; "
            "`lakehouse delete` takes entities back"
        )
        raise InvalidData(msg)


def replaced_rows(
    reader: Reader,
    place: Location,
    staged: Sequence[StagedFile],
    now: datetime,
    *,
    origins: Collection[str] = (),
) -> "Iterator[pl.DataFrame]":
    """
    Tombstones for the rows of the staged files' origins that are not in those files, by partition and in id order.

    The staged files lie in the folder `place`. The same of other `origins`, of which no file need be there. The rest
    of the table stays as it is: it is somebody else's word.
    """
    origins = {*origins, *(file.partition.origin for file in staged)}
    with reader.held() as snapshot:
        files = [file for file in snapshot.files if file.partition.origin in origins] if snapshot else []
        for at in sorted({(file.partition.shard, file.partition.bucket) for file in files}):
            here = [file for file in files if (file.partition.shard, file.partition.bucket) == at]
            new = [
                Part(place, file.key, file.partition, read_footer(place, file.key))
                for file in staged
                if (file.partition.shard, file.partition.bucket) == at
            ]
            with reader.open(here) as old:
                yield from _tombstones(old, new, now)


def _tombstones(old: list[Part], new: list[Part], now: datetime) -> "Iterator[pl.DataFrame]":
    for wanted in plan([*old, *new]):
        before, after = select(old, wanted.low, wanted.high), select(new, wanted.low, wanted.high)
        held = read(after, [*_ROW, s.ENTITY_ID, s.PROP, s.LAST_SEEN])
        gone = canonical_rows(read(before, KEY_COLUMNS)).join(held, on=_ROW, how="anti", nulls_equal=True)
        if not len(gone):
            continue
        rows = canonical_rows(read(before, s.COLUMNS)).join(gone, on=_ROW, how="semi", nulls_equal=True)
        stones = _stones(rows, held, now)
        if len(stones):
            yield sort_rows(stones)


def _stones(rows: "pl.DataFrame", held: "pl.DataFrame", now: datetime) -> "pl.DataFrame":
    """
    The tombstones of rows.

    A newer emission of a fragment takes the place of an older one by itself; a tombstone as new as it would hide it.
    """
    import polars as pl

    moment = pl.lit(now).cast(pl.Datetime("us", "UTC"))
    rows = rows.join(_newest(held), on=_EMISSION, how="left", nulls_equal=True)
    rows = rows.filter(pl.col("newest").is_null() | (pl.col("newest") <= pl.col(s.LAST_SEEN)))
    later = pl.max_horizontal(s.LAST_SEEN, moment)
    return rows.with_columns(
        pl.when(pl.col("newest").is_null()).then(later).otherwise(s.LAST_SEEN).alias(s.LAST_SEEN),
        moment.alias(s.DELETED_AT),
    ).select(s.COLUMNS)


def overtaking(reader: Reader, now: datetime) -> "Callable[[pl.DataFrame], pl.DataFrame]":
    """Gives rows of a fragment a newer time where the table has a later emission of it, which would hide them."""
    import polars as pl

    moment = pl.lit(now).cast(pl.Datetime("us", "UTC"))

    def overtake(rows: "pl.DataFrame") -> "pl.DataFrame":
        if not len(rows) or not rows[s.FRAGMENT].ne("").any():
            return rows
        first, last = rows[s.ENTITY_ID][0], rows[s.ENTITY_ID][-1]
        there = _newest(reader.between(first, last, [*_EMISSION, s.LAST_SEEN]))
        rows = rows.join(there, on=_EMISSION, how="left", nulls_equal=True, maintain_order="left")
        hidden = pl.col("newest") > pl.col(s.LAST_SEEN)
        later = pl.max_horizontal(moment, pl.col("newest") + pl.duration(microseconds=1))
        times = pl.when(hidden).then(later).otherwise(s.LAST_SEEN)
        return rows.with_columns(times.alias(s.LAST_SEEN)).select(s.COLUMNS)

    return overtake


def _newest(rows: "pl.DataFrame") -> "pl.DataFrame":
    """The last time of each emission of a fragment."""
    import polars as pl

    of_fragments = rows.filter(pl.col(s.FRAGMENT) != "")
    return of_fragments.group_by(_EMISSION).agg(pl.col(s.LAST_SEEN).max().alias("newest"))
