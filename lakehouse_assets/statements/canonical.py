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
    import polars as pl

    keys = [*s.ROW_ORDER, s.LAST_SEEN, s.DELETED_AT, s.SCHEMA, s.ORIGINAL_VALUE]
    # each key costs, and most frames have one origin, and neither roles nor fragments nor tombstones
    keys = [name for name in keys if not _is_constant(frame[name])]
    newest_first = [name in (s.LAST_SEEN, s.DELETED_AT) for name in keys]
    # a missing `deleted_at` means live, and a tombstone wins the tie: live rows go last
    last = [name == s.DELETED_AT for name in keys]
    if not keys:
        return frame
    order = frame.select(pl.arg_sort_by(*keys, descending=newest_first, nulls_last=last)).to_series()
    return frame[order]


def _is_constant(column: "pl.Series") -> bool:
    """Whether a column has one value; asked only of those that often do."""
    if column.name not in (s.ORIGIN, s.ROLE, s.FRAGMENT, s.DELETED_AT, s.ORIGINAL_VALUE) or not len(column):
        return False
    if column.null_count() in (0, len(column)):
        return column.null_count() > 0 or bool((column == column[0]).all())
    return False


def canonical_rows(frame: "pl.DataFrame", *, keep_deleted: bool = False) -> "pl.DataFrame":
    """
    The rows that count among all rows of some entities, in the order of `sort_rows`, which they must be in.

    With `keep_deleted` the winning tombstones stay, as a merge keeps them until their grace period is over.
    """
    import polars as pl

    first = frame.select(
        pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in _SAME_ROW)
    ).to_series()
    if len(first):
        first[0] = True
    if not first.all():
        groups = frame.select(first.cum_sum().alias("group"), s.FIRST_SEEN)
        earliest = groups.group_by("group", maintain_order=True).agg(pl.col(s.FIRST_SEEN).min())
        frame = frame.filter(first).with_columns(earliest[s.FIRST_SEEN])
    # only now: what an emission repeats was first seen in an earlier one
    if frame[s.FRAGMENT].ne("").any():
        frame = _newest_of_fragments(frame)
    return frame if keep_deleted else frame.filter(pl.col(s.DELETED_AT).is_null())


def _newest_of_fragments(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Without the rows of a fragment that a newer emission of it left out."""
    import polars as pl

    newest = pl.col(s.LAST_SEEN).max().over(_SAME_FRAGMENT)
    return frame.filter((pl.col(s.FRAGMENT) == "") | (pl.col(s.LAST_SEEN) == newest))
