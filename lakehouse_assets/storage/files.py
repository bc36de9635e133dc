"""What a kind of storage must be able to do; keys were checked before they come here."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

from lakehouse_assets.storage.digest import DigestWriter

TEMP_PREFIX = ".tmp-"
GUARD = ".guard"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as a listing shows it: its key, its bytes, and when it was last changed (UTC)."""

    key: str
    size: int
    modified: datetime


class Files(Protocol):
    """Files below one root, by key. Missing files raise FileNotFoundError, all other trouble StorageError."""

    def url(self, key: str) -> str:
        """The full address of a key."""

    def exists(self, key: str) -> bool:
        """Whether there is a file."""

    def size(self, key: str) -> int | None:
        """The bytes of a file, None without it."""

    def modified(self, key: str) -> datetime | None:
        """When a file was last changed (UTC), None without it."""

    def age(self, key: str) -> float | None:
        """For how many seconds at least a file is as it is, by the store's own clock; None without it."""

    def read(self, key: str) -> bytes:
        """All bytes of a file."""

    def open(self, key: str) -> BinaryIO:
        """A file for reading."""

    def open_ranges(self, key: str) -> BinaryIO:
        """A file for reading here and there."""

    def write(self, key: str, data: bytes) -> None:
        """Put a whole file in place."""

    def write_unseen(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Put many files in place that nobody looks for before this returns."""

    def create(self, key: str, data: bytes) -> bool:
        """Put a file in place unless there is one."""

    def prove_conditions(self, key: str) -> None:
        """StorageError when creating and swapping cannot be relied on; tried with this key."""

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        """Replace a file if it still holds the old bytes."""

    def clear(self, key: str, old: bytes) -> bool:
        """Remove or empty a file if it still holds the old bytes."""

    def remove(self, key: str, old: bytes) -> bool:
        """Remove a file if it still holds the old bytes, as well as the store can tell."""

    def delete(self, key: str) -> bool:
        """Remove a file."""

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove files; those that are not there do not matter."""

    def prune(self, keys: Sequence[str], top: str) -> None:
        """Remove folders that are empty, and those above them that are empty then, but for the top."""

    def prune_tree(self, key: str) -> None:
        """Remove the empty folders below a folder, and itself."""

    def delete_tree(self, key: str) -> None:
        """Remove everything below a folder."""

    def keys(self, prefix: str) -> Iterator[str]:
        """All files below a folder."""

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders in a folder."""

    def names(self, prefix: str) -> list[str]:
        """The names of the files in a folder."""

    def stamps(self, prefix: str, *, deep: bool) -> list[str]:
        """The files in a folder, each with a text that is another one as soon as it was written to."""

    def entries(self, prefix: str) -> Iterator[Entry]:
        """All files below a folder, with their sizes and times."""

    def path(self, key: str) -> str:
        """The path of a key in the store."""

    def copy(self, key: str, path: str) -> None:
        """Put the same bytes at another path of the store, where there are none."""

    def move(self, key: str, to: str) -> None:
        """Give a file another key; what was there is replaced."""

    def writer(self, key: str) -> AbstractContextManager[DigestWriter]:
        """A file for writing that appears when the block ends well."""

    def sweep(self, prefix: str, older: timedelta) -> list[str]:
        """Remove what interrupted writers left."""
