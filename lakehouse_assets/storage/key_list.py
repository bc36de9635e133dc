"""Very many keys in little memory."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import overload

_BLOCK = 4096
# no key has it
_END = "\0"


class KeyList(Sequence[str]):
    """
    Keys that are kept packed, some 40 bytes for each: as good as a tuple of them, but for its slow random access.

    Example:
        >>> KeyList(["a", "b"]) == ("a", "b")
        True
    """

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._packed: list[bytes] = []
        self._rest: list[str] = []
        self.extend(keys)

    def append(self, key: str) -> None:
        """Add a key to the end."""
        self._rest.append(key)
        if len(self._rest) == _BLOCK:
            self._packed.append(zlib.compress(_END.join(self._rest).encode(errors="surrogateescape"), 1))
            self._rest = []

    def extend(self, keys: Iterable[str]) -> None:
        """Add keys to the end."""
        for key in keys:
            self.append(key)

    def __len__(self) -> int:
        return len(self._packed) * _BLOCK + len(self._rest)

    def __iter__(self) -> Iterator[str]:
        for block in self._packed:
            yield from zlib.decompress(block).decode(errors="surrogateescape").split(_END)
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
