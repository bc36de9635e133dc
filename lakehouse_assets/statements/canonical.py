"""
Which rows count: what a reader sees is always as if a merge had just run.

Rows are compared inside one partition (shard, bucket, origin). Without a fragment, the newest row of each (id, role)
counts; with one, of each (entity, property, fragment, role) only the rows of its newest `last_seen` do. A tombstone
wins a tie, and what it wins over is gone. `first_seen` is the smallest of the group.
"""

from typing import TYPE_CHECKING

from lakehouse_assets.statements import schema as s

if TYPE_CHECKING:
    import polars as pl

KEY_COLUMNS = [
    s.ENTITY_ID, s.PROP, s.ID, s.ORIGIN, s.ROLE, s.FRAGMENT, s.FIRST_SEEN, s.LAST_SEEN, s.DELETED_AT, s.SCHEMA,
    s.ORIGINAL_VALUE,
]  # fmt: skip
"""What must be read to tell which rows count."""

_SAME_ROW = [s.ID, s.ORIGIN, s.ROLE, s.FRAGMENT]
_SAME_FRAGMENT = [s.ENTITY_ID, s.ORIGIN, s.PROP, s.FRAGMENT, s.ROLE]


def sort_rows(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Rows in the order of files, and of those with one key the one that counts first."""
    order = _order(frame)
    return frame if order is None else frame[order]


def canonical_rows(
    frame: "pl.DataFrame", *, keep_deleted: bool = False, in_order: bool = False
) -> "pl.DataFrame":
    """
    The rows that count among all rows of some entities, in the order of files.

    With `keep_deleted` the winning tombstones stay, as a merge keeps them until their grace period is over; `in_order`
    says that the rows are in the order of `sort_rows` already.
    """
    import polars as pl

    order = None if in_order else _order(frame)
    keys = frame.select(*_SAME_ROW, s.FIRST_SEEN)
    keys = keys if order is None else keys[order]
    first = _first_of_each(keys)
    if not first.all():
        # only the rows that win are gathered: often the others are half of all
        winners = (first.arg_true() if order is None else order.filter(first)).cast(pl.UInt32)
        frame = frame[winners].with_columns(_earliest(keys[s.FIRST_SEEN], first))
    elif order is not None:
        frame = frame[order]
    # only now: what an emission repeats was first seen in an earlier one
    if frame[s.FRAGMENT].ne("").any():
        frame = _newest_of_fragments(frame)
    if keep_deleted or frame[s.DELETED_AT].null_count() == len(frame):
        return frame
    return frame.filter(pl.col(s.DELETED_AT).is_null())


def _order(frame: "pl.DataFrame") -> "pl.Series | None":
    """The order of rows; None where all have one key."""
    import polars as pl

    keys = [*s.ROW_ORDER, s.LAST_SEEN, s.DELETED_AT, s.SCHEMA, s.ORIGINAL_VALUE]
    # each key costs, and most frames have one origin, and neither roles nor fragments nor tombstones
    keys = [name for name in keys if not _is_constant(frame[name])]
    newest_first = [name in (s.LAST_SEEN, s.DELETED_AT) for name in keys]
    # a missing `deleted_at` means live, and a tombstone wins the tie: live rows go last
    last = [name == s.DELETED_AT for name in keys]
    if not keys:
        return None
    # a stable sort takes a quarter of the time: frames are a few sorted runs, one behind the other
    order = pl.arg_sort_by(
        *keys, descending=newest_first, nulls_last=last, maintain_order=True, multithreaded=False
    )
    return frame.select(order).to_series()


def _is_constant(column: "pl.Series") -> bool:
    """Whether a column has one value; asked only of those that often do."""
    if column.name not in (s.ORIGIN, s.ROLE, s.FRAGMENT, s.DELETED_AT, s.ORIGINAL_VALUE) or not len(column):
        return False
    if column.null_count() in (0, len(column)):
        return column.null_count() > 0 or bool((column == column[0]).all())
    return False


def _first_of_each(keys: "pl.DataFrame") -> "pl.Series":
    """Which of sorted rows are the first of their id, origin, role and fragment."""
    import polars as pl

    names = [name for name in _SAME_ROW if not _is_constant(keys[name])]
    first = keys.select(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in names)
    ).to_series()
    if len(first):
        first[0] = True
    return first


def _earliest(first_seen: "pl.Series", first: "pl.Series") -> "pl.Series":
    """The smallest time of each run of rows that `first` begins."""
    import numpy as np
    import polars as pl

    starts = first.arg_true().to_numpy()
    times = np.minimum.reduceat(first_seen.to_physical().to_numpy(), starts)
    return pl.Series(first_seen.name, times).cast(first_seen.dtype)


def _newest_of_fragments(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Without the rows of a fragment that a newer emission of it left out."""
    import polars as pl

    newest = pl.col(s.LAST_SEEN).max().over(_SAME_FRAGMENT)
    return frame.filter((pl.col(s.FRAGMENT) == "") | (pl.col(s.LAST_SEEN) == newest))
