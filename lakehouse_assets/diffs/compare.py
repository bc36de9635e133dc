"""Two tables of digests, and what has changed from one to the other; by ranges of ids, neither held as a whole."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from lakehouse_assets.diffs.kinds import ADD, DEL, MOD, OP, Entry
from lakehouse_assets.exports.aligned import aligned
from lakehouse_assets.exports.digests import DIGEST, ID, OFFSET, PATH, SIZE, WAS

if TYPE_CHECKING:
    import polars as pl

    Frames = Iterator[pl.DataFrame]

UNKNOWN = b""
"""The digest of a line that another program wrote: it differs from every other."""


def compare(
    before: "Frames", after: "Frames", keys: Sequence[str], *, theirs: "pl.DataFrame | None" = None
) -> "Frames":
    """
    What changed, by id: `op`, the keys, the digests `was` and `digest`, and where the line stands in the new export.

    `theirs` are changes that another program told of meanwhile, as `their_changes` gives them: what they name counts as
    different from whatever it is now.
    """
    import polars as pl

    streams = [before, after] if theirs is None else [before, after, iter([theirs])]
    for old, new, *more in aligned(streams, ID):
        old = _empty(keys, WAS) if old is None else old.select(*keys, pl.col(DIGEST).alias(WAS))
        new = _empty(keys, DIGEST, OFFSET, SIZE) if new is None else new
        if more and more[0] is not None:
            old = _overwritten(old, more[0], keys)
        both = old.join(new, on=list(keys), how="full", coalesce=True)
        changed = both.filter(pl.col(WAS).ne_missing(pl.col(DIGEST)))
        if len(changed):
            yield with_op(changed).select(OP, *keys, WAS, DIGEST, OFFSET, SIZE).sort(keys)


def their_changes(entries: Iterable[Entry]) -> "pl.DataFrame | None":
    """What another program's differences say, in their order: which lines are gone, and which are there."""
    import polars as pl

    told: dict[tuple[str, str], bool] = {}
    gone: dict[str, None] = {}
    for entry in entries:
        if entry.op == DEL:
            # it names no folder: all lines of the id are gone
            told = {key: there for key, there in told.items() if key[0] != entry.id}
            gone[entry.id] = None
        else:
            told[entry.id, entry.path] = True
    rows = [(name, path, True) for name, path in told] + [(name, "", False) for name in gone]
    if not rows:
        return None
    return pl.DataFrame(rows, schema={ID: pl.String, PATH: pl.String, _THERE: pl.Boolean}, orient="row").sort(
        ID
    )


_THERE = "there"


def _overwritten(old: "pl.DataFrame", theirs: "pl.DataFrame", keys: Sequence[str]) -> "pl.DataFrame":
    """The digests from before with what another program changed since."""
    import polars as pl

    gone = theirs.filter(~pl.col(_THERE))
    there = theirs.filter(_THERE).select(*keys, pl.lit(UNKNOWN).alias(WAS))
    old = old.join(gone, on=ID, how="anti").join(there, on=list(keys), how="anti")
    return pl.concat([old, there])


def with_op(changed: "pl.DataFrame") -> "pl.DataFrame":
    """What is done to each line, by its digests before and after."""
    import polars as pl

    op = (
        pl.when(pl.col(WAS).is_null())
        .then(pl.lit(ADD))
        .when(pl.col(DIGEST).is_null())
        .then(pl.lit(DEL))
        .otherwise(pl.lit(MOD))
    )
    return changed.with_columns(op.alias(OP))


def _empty(keys: Sequence[str], *names: str) -> "pl.DataFrame":
    import polars as pl

    types = {DIGEST: pl.Binary(), WAS: pl.Binary(), OFFSET: pl.Int64(), SIZE: pl.Int64()}
    return pl.DataFrame(schema={name: types.get(name, pl.String()) for name in (*keys, *names)})
