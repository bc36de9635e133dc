"""A folder on local disk or an object store."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.storage.digest import DigestWriter
from lakehouse_assets.storage.files import Entry, Files
from lakehouse_assets.storage.local import LocalFiles

_LOCAL = {"file", "local"}


class Location:
    """
    A folder and the files below it, named by keys.

    Files appear whole or not at all: by rename on local disk, by one PUT on an object store.

    Example:
        >>> lake = Location("memory://lake")
        >>> lake.write("acme/config.yml", b"name: acme")
        >>> (lake / "acme").read("config.yml")
        b'name: acme'
    """

    def __init__(self, uri: str | Path, storage_options: Mapping[str, str] | None = None) -> None:
        self._options = dict(storage_options or {})
        protocol, root = _split(str(uri))
        self._root = root
        self._files: Files
        if protocol in _LOCAL:
            self._local: str | None = root
            self._files = LocalFiles(root)
        else:
            from lakehouse_assets.storage.remote import RemoteFiles

            self._local = None
            self._files = RemoteFiles(protocol, root, self._options)

    @property
    def uri(self) -> str:
        """The folder's address, without a slash at the end: `file:///data/lake`, `s3://bucket/lake`."""
        return self._files.url("")

    @property
    def name(self) -> str:
        """The last part of the address: of a dataset's folder its name."""
        return self._root.rpartition("/")[2]

    @property
    def path(self) -> Path | None:
        """The local folder, None on an object store."""
        return Path(self._local) if self._local is not None else None

    @property
    def storage_options(self) -> dict[str, str]:
        """Credentials and endpoint of an object store, as given."""
        return dict(self._options)

    def child(self, key: str) -> "Location":
        """A folder below this one."""
        base = self.uri if self.uri.endswith("://") else f"{self.uri}/"
        return Location(base + checked(key), self._options)

    def __truediv__(self, key: str) -> "Location":
        return self.child(key)

    def url(self, key: str) -> str:
        """The full address of a file."""
        return self._files.url(checked(key))

    def local(self, key: str) -> Path | None:
        """The local path of a file, None on an object store."""
        return Path(self._local, checked(key)) if self._local is not None else None

    def exists(self, key: str) -> bool:
        """Whether there is such a file; folders do not count."""
        return self._files.exists(checked(key))

    def size(self, key: str) -> int | None:
        """The bytes of a file, None without it."""
        return self._files.size(checked(key))

    def modified(self, key: str) -> datetime | None:
        """When a file was last changed (UTC), None without it."""
        return self._files.modified(checked(key))

    def age(self, key: str) -> float | None:
        """
        For how many seconds at least a file is as it is, None without it.

        Both times are the store's: clocks of machines that go wrong do not matter.
        """
        return self._files.age(checked(key))

    def read(self, key: str) -> bytes:
        """All bytes of a file; NotFound without it."""
        with self._found(key):
            return self._files.read(key)

    def read_or_none(self, key: str) -> bytes | None:
        """All bytes of a file, None without it."""
        try:
            return self._files.read(checked(key))
        except FileNotFoundError:
            return None

    def open(self, key: str) -> BinaryIO:
        """A file for reading; NotFound without it."""
        with self._found(key):
            return self._files.open(key)

    def open_ranges(self, key: str) -> BinaryIO:
        """A file for reading here and there: on an object store each read is one request; NotFound without it."""
        with self._found(key):
            return self._files.open_ranges(key)

    def write(self, key: str, data: bytes) -> None:
        """Put a file in place, whole or not at all."""
        with self._found(key):
            self._files.write(key, data)

    def write_unseen(self, files: Iterable[tuple[str, bytes]]) -> None:
        """
        Put many files in place that nobody looks for before this returns, and which the disk keeps then.

        It is quicker than one `write` after the other. A kill may leave one of them half written.
        """
        self._files.write_unseen((checked(key), data) for key, data in files)

    def create(self, key: str, data: bytes) -> bool:
        """Put a file in place unless there is one; False when there was."""
        with self._found(key):
            return self._files.create(key, data)

    def prove_conditions(self, key: str) -> None:
        """
        Do nothing where `create` and `swap` can be relied on; StorageError where the store overwrites all the same.

        An object store is tried, with a file of this name, which is removed again.
        """
        with self._found(key):
            self._files.prove_conditions(key)

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        """Replace a file if it still holds the old bytes; False when it does not."""
        with self._found(key):
            return self._files.swap(key, old, new)

    def clear(self, key: str, old: bytes) -> bool:
        """
        Remove a file if it still holds the old bytes; False when it does not.

        On an object store an empty file stays: not every store can delete on a condition.
        """
        with self._found(key):
            return self._files.clear(key, old)

    def remove(self, key: str, old: bytes) -> bool:
        """
        Remove a file if it still holds the old bytes; False when it does not.

        Some object stores cannot delete on a condition, and take one for none: hold a lease that keeps others off.
        """
        with self._found(key):
            return self._files.remove(key, old)

    def delete(self, key: str) -> bool:
        """Remove a file; False when there was none."""
        return self._files.delete(checked(key))

    def delete_all(self, keys: Iterable[str]) -> None:
        """Remove many files, on an object store a thousand at once; those that are not there do not matter."""
        self._files.delete_all([checked(key) for key in keys])

    def prune(self, keys: Iterable[str], *, top: str) -> None:
        """
        Remove folders that are empty, and those above them that are empty then, but for the top.

        Object stores have none.
        """
        self._files.prune([checked(key) for key in keys], checked(top))

    def prune_tree(self, key: str) -> None:
        """Remove the empty folders below a folder, and itself if it is empty then; object stores have none."""
        self._files.prune_tree(checked(key))

    def delete_tree(self, key: str) -> None:
        """Remove a folder and everything in it."""
        self._files.delete_tree(checked(key))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Every file below a folder, by its key from here, sorted."""
        return self._files.keys(checked(prefix) if prefix else "")

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """Every file below a folder with its size and time, sorted; on an object store one listing tells all."""
        return self._files.entries(checked(prefix) if prefix else "")

    def folders(self, prefix: str = "") -> list[str]:
        """The names of the folders directly below, sorted."""
        return self._files.folders(checked(prefix) if prefix else "")

    def names(self, prefix: str = "") -> list[str]:
        """The names of the files directly in a folder, sorted; none when there is no such folder."""
        return self._files.names(checked(prefix) if prefix else "")

    def stamps(self, prefix: str = "", *, deep: bool = False) -> list[str]:
        """
        The files directly in a folder, or `deep` all below it, each by a text that changes when it is written to.

        Nothing of them is read: it is their names, sizes and times, and the tags that an object store gives them.
        """
        return self._files.stamps(checked(prefix) if prefix else "", deep=deep)

    def move(self, key: str, to: str) -> None:
        """
        Give a file another key, in place of what is there; NotFound without it.

        It appears there whole or not at all. An object store copies it, without its bytes coming here.
        """
        with self._found(key):
            self._files.move(key, checked(to))

    def copy(self, key: str, to: str, *, folder: "Location") -> None:
        """
        Put the same bytes at a key of another folder of this store, where there are none; NotFound without the file.

        On local disk it is one more name of the file where the disk can do that, so both must stay as they are. An
        object store copies it, without its bytes coming here.
        """
        with self._found(key):
            self._files.copy(key, folder._files.path(checked(to)))

    @contextmanager
    def writer(self, key: str) -> Iterator[DigestWriter]:
        """
        A file for writing that appears when the block ends well, and never when it raises.

        After the block the writer still knows `digest` and `size`.
        """
        with self._files.writer(checked(key)) as writer:
            yield writer

    @contextmanager
    def placing(self, key: str) -> Iterator[Path]:
        """
        On local disk, a path for a program that writes files by itself; elsewhere InvalidData.

        What it wrote there takes the file's place when the block ends well, and is gone when it raises.
        """
        if not isinstance(self._files, LocalFiles):
            msg = f"{self.url(key)} is not on local disk; write it by `writer`"
            raise InvalidData(msg)
        with self._files.placing(checked(key)) as path:
            yield path

    def sweep(self, prefix: str = "", *, older: timedelta) -> list[str]:
        """Remove temp files and open uploads that interrupted writers left; returns their keys."""
        return self._files.sweep(checked(prefix) if prefix else "", older)

    @contextmanager
    def _found(self, key: str) -> Iterator[None]:
        checked(key)
        try:
            yield
        except FileNotFoundError as exc:
            msg = f"{self._files.url(key)} does not exist"
            raise NotFound(msg) from exc

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Location) and self.uri == other.uri

    def __hash__(self) -> int:
        return hash(self.uri)

    def __repr__(self) -> str:
        return f"Location({self.uri!r})"


def checked(key: str) -> str:
    """
    The key itself if it stays below its folder, else InvalidData.

    Example:
        >>> checked("exports/statements.csv")
        'exports/statements.csv'
    """
    if "\0" in key or any(part in ("", ".", "..") for part in key.split("/")):
        msg = f"not a key: {key!r}; write names joined by '/', without '..' and without '/' at either end"
        raise InvalidData(msg)
    return key


def _split(uri: str) -> tuple[str, str]:
    """Protocol and normalised root of a path or URL."""
    if not uri.strip() or "\0" in uri:
        msg = f"not a place for a lake: {uri!r}; give a folder or a URL like s3://bucket/lake"
        raise InvalidData(msg)
    protocol, found, rest = uri.partition("://")
    if not found:
        return "file", os.path.abspath(os.path.expanduser(uri))
    if protocol in ("http", "https"):
        msg = f"a lake cannot lie at {uri}; to use one through its server, set LAKEHOUSE_DAGSTER_URL"
        raise InvalidData(msg)
    if protocol in _LOCAL:
        return "file", os.path.abspath(rest)
    return _remote_root("s3" if protocol == "s3a" else protocol, rest, uri)


def _remote_root(protocol: str, rest: str, uri: str) -> tuple[str, str]:
    parts = [part for part in rest.split("/") if part]
    if any(part in (".", "..") for part in parts) or (protocol != "memory" and not parts):
        msg = f"not a place for a lake: {uri!r}; give a bucket and a folder, like s3://bucket/lake"
        raise InvalidData(msg)
    if parts and "@" in parts[0]:
        msg = (
            "credentials do not belong into a lake's address; give them by AWS_* variables or storage options"
        )
        raise InvalidData(msg)
    root = "/".join(parts)
    # fsspec's memory store names its files with a slash in front
    return protocol, f"/{root}" if protocol == "memory" and root else root
