"""Sorted streams side by side, in pieces that end at the same place: none is ever held as a whole."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def aligned(streams: "Sequence[Iterator[pl.DataFrame]]", key: str) -> "Iterator[list[pl.DataFrame | None]]":
    """
    The frames of several streams, each sorted by a column, cut at the same values of it.

    Each step has for every stream its rows up to a value, None where it has none; the rows of one value are never
    split over two steps.

    Example:
        >>> for before, after in aligned([read_table(old, "old.parquet"), read_table(new, "new.parquet")], "id"): ...
    """
    sides = [_Side(stream, key) for stream in streams]
    while True:
        for side in sides:
            side.fill()
        open_ends = [side.last for side in sides if side.last is not None]
        bound = min(open_ends, default=None)
        parts = [side.take(bound) for side in sides]
        if any(part is not None for part in parts):
            yield parts
        elif bound is None:
            return
        else:
            # one value fills all that is held: more of it may follow
            for side in sides:
                if side.last == bound:
                    side.extend()


class _Side:
    """One stream, and what was read of it and not yet given out."""

    def __init__(self, stream: "Iterator[pl.DataFrame]", key: str) -> None:
        self._stream: Iterator[pl.DataFrame] | None = stream
        self._key = key
        self._held: pl.DataFrame | None = None

    @property
    def last(self) -> str | None:
        """The value after which more may follow; None at the end of the stream."""
        if self._stream is None or self._held is None:
            return None
        return str(self._held[self._key][-1])

    def fill(self) -> None:
        """Read on when nothing is held."""
        if self._held is None:
            self._held = self._next()

    def extend(self) -> None:
        """Read on, and keep what is held."""
        import polars as pl

        more = self._next()
        if more is not None:
            self._held = more if self._held is None else pl.concat([self._held, more])

    def take(self, bound: str | None) -> "pl.DataFrame | None":
        """Give out the rows below a value, all of them without one."""
        held = self._held
        if held is None:
            return None
        rows = len(held) if bound is None else int(held[self._key].search_sorted(bound, "left"))
        self._held = held[rows:] if rows < len(held) else None
        return held[:rows] if rows else None

    def _next(self) -> "pl.DataFrame | None":
        if self._stream is None:
            return None
        for frame in self._stream:
            if len(frame):
                return frame
        self._stream = None
        return None
