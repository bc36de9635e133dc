"""Very many contents that may be needless, and which of them somebody names."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from lakehouse_assets.storage.parallel import batches

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 10_000


class Checksums:
    """
    Contents by their checksums, each with whether it is named: 72 bytes for each, asked by whole columns.

    Example:
        >>> contents = Checksums(["ab" * 32, "cd" * 32])
        >>> contents.name(["cd" * 32, "ef" * 32])
        >>> contents.named(["ab" * 32, "cd" * 32]) == {"cd" * 32}
        True
    """

    def __init__(self, checksums: Iterable[str]) -> None:
        self._parts = list(_arrays(checksums))
        self._is_named = bytearray(sum(map(len, self._parts)))

    def __len__(self) -> int:
        return len(self._is_named)

    def name(self, checksums: "Iterable[str] | pa.LargeStringArray") -> None:
        """Take note that these are named; those that are none of the contents do not matter."""
        for number in self._numbers(checksums):
            if number is not None:
                self._is_named[number] = 1

    def named(self, checksums: Sequence[str]) -> set[str]:
        """Those of some that are named, or are none of the contents."""
        numbers = zip(checksums, self._numbers(checksums), strict=True)
        return {checksum for checksum, number in numbers if number is None or self._is_named[number]}

    def _numbers(self, checksums: "Iterable[str] | pa.LargeStringArray") -> list[int | None]:
        """Which of the contents each is, None if it is none of them."""
        if not self._parts:
            return [None for _ in checksums]
        import pyarrow as pa
        import pyarrow.compute as pc

        if not isinstance(checksums, pa.Array):
            checksums = pa.array(checksums, pa.large_string())
        # part by part: what is looked up in is copied into a table for each question
        found, before = pa.nulls(len(checksums), pa.int64()), 0
        for part in self._parts:
            numbers = pc.add(pc.index_in(checksums, value_set=part).cast(pa.int64()), before)
            found = pc.coalesce(found, numbers)
            before += len(part)
        told: list[int | None] = found.to_pylist()
        return told


def _arrays(checksums: Iterable[str]) -> "Iterator[pa.LargeStringArray]":
    for batch in batches(checksums, _BATCH):
        import pyarrow as pa

        yield pa.array(batch, pa.large_string())
