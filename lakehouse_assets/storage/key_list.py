"""Very many keys: in memory as long as they are few, then in a temporary file."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import overload

from lakehouse_assets.storage.spool import Spool

_BLOCK = 4096
# no key has it
_END = "\0"


class KeyList(Sequence[str]):
    """
    Keys that take no memory: as good as a tuple of them, but for its slow random access.

    `temp_directory` is where they lie when they are many, by default the system's place; they are gone with the list.

    Example:
        >>> KeyList(["a", "b"]) == ("a", "b")
        True
    """

    def __init__(self, keys: Iterable[str] = (), *, temp_directory: str | None = None) -> None:
        self._temp_directory = temp_directory
        self._spool: Spool | None = None
        self._blocks: list[tuple[int, int]] = []
        self._rest: list[str] = []
        self.extend(keys)

    def append(self, key: str) -> None:
        """Add a key to the end."""
        self._rest.append(key)
        if len(self._rest) == _BLOCK:
            self._spool = self._spool or Spool(self._temp_directory)
            data = _END.join(self._rest).encode(errors="surrogateescape")
            self._blocks.append((self._spool.size, len(data)))
            self._spool.write(data)
            self._rest = []

    def extend(self, keys: Iterable[str]) -> None:
        """Add keys to the end."""
        for key in keys:
            self.append(key)

    def __len__(self) -> int:
        return len(self._blocks) * _BLOCK + len(self._rest)

    def __iter__(self) -> Iterator[str]:
        for start, size in self._blocks:
            if self._spool is not None:
                yield from self._spool.read(start, size).decode(errors="surrogateescape").split(_END)
        yield from self._rest

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            return tuple(islice(self, start, stop, step)) if step > 0 else tuple(self)[index]
        number = range(len(self))[index]
        return next(islice(self, number, None))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeyList | tuple | list) or len(self) != len(other):
            return False
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    # it grows
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(tuple(self))
