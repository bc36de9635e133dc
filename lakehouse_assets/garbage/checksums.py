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
        self._known: pa.Array | None = _array(checksums)
        self._is_named = bytearray(len(self._known) if self._known is not None else 0)

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

    def _numbers(self, checksums: "Iterable[str] | pa.LargeStringArray") -> Iterator[int | None]:
        """Which of the contents each is, None if it is none of them."""
        if self._known is None:
            return (None for _ in checksums)
        import pyarrow as pa
        import pyarrow.compute as pc

        if not isinstance(checksums, pa.Array):
            checksums = pa.array(checksums, pa.large_string())
        found: Iterator[int | None] = iter(pc.index_in(checksums, value_set=self._known).to_pylist())
        return found


def _array(checksums: Iterable[str]) -> "pa.Array | None":
    parts = batches(checksums, _BATCH)
    first = next(parts, None)
    if first is None:
        return None
    import pyarrow as pa

    text = pa.large_string()
    return pa.concat_arrays([pa.array(first, text), *(pa.array(part, text) for part in parts)])
