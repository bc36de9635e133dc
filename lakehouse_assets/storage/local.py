"""Files on a local disk: whole by rename, durable by fsync, no fsspec involved."""

import errno
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from lakehouse_assets.storage.digest import DigestWriter
from lakehouse_assets.storage.disk import (
    BUFFER,
    TRIES,
    begin_sync,
    copy_bytes,
    create,
    create_by_open,
    fsync,
    make_folder,
    named,
    remove_empty,
    unlink,
    write_all,
    write_new,
)
from lakehouse_assets.storage.files import GUARD, TEMP_PREFIX, Entry
from lakehouse_assets.storage.guards import guarded

# a folder where a file is meant, or the other way round: the file is not there
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
# file systems without hard links (exFAT, some network shares)
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
# so many files are open at a time
_OPEN = 200


class LocalFiles:
    """Files below a local folder."""

    def __init__(self, root: str) -> None:
        self._root = root

    def path(self, key: str) -> str:
        """The path of a key."""
        return f"{self._root}/{key}" if key else self._root

    def url(self, key: str) -> str:
        """The path of a key, as a file:// address."""
        return f"file://{self.path(key)}"

    def exists(self, key: str) -> bool:
        """Whether there is a file."""
        return os.path.isfile(self.path(key))

    def size(self, key: str) -> int | None:
        """The bytes of a file, None without it."""
        found = self._stat(key)
        return found.st_size if found else None

    def modified(self, key: str) -> datetime | None:
        """When a file was last changed (UTC), None without it."""
        found = self._stat(key)
        return datetime.fromtimestamp(found.st_mtime, UTC) if found else None

    def age(self, key: str) -> float | None:
        """For how many seconds a file is as it is, by the clock of whoever keeps the folder; None without it."""
        found = self._stat(key)
        if found is None:
            return None
        # a file that is made now has the time of that clock, also on a network share
        now = self._temp(key)
        with named(self.path(key)):
            try:
                os.close(create(now))
                return max(0.0, os.stat(now).st_mtime - found.st_mtime)
            finally:
                unlink(now)

    def _is_before(self, path: str, moment: float) -> bool:
        with named(path):
            try:
                state = os.stat(path)
            except _ABSENT:
                return False
            return stat.S_ISREG(state.st_mode) and state.st_mtime < moment

    def _stat(self, key: str) -> os.stat_result | None:
        path = self.path(key)
        with named(path):
            try:
                found = os.stat(path)
            except _ABSENT:
                return None
        return found if stat.S_ISREG(found.st_mode) else None

    def read(self, key: str) -> bytes:
        """All bytes of a file."""
        with self.open(key) as file:
            return file.read()

    def open(self, key: str) -> BinaryIO:
        """A file for reading."""
        path = self.path(key)
        with named(path):
            try:
                return open(path, "rb")
            except _ABSENT as exc:
                raise FileNotFoundError(path) from exc

    def open_ranges(self, key: str) -> BinaryIO:
        """A file for reading here and there."""
        return self.open(key)

    def write(self, key: str, data: bytes) -> None:
        """Put a whole file in place."""
        path, temp = self.path(key), self._temp(key)
        with named(path):
            try:
                write_new(temp, data)
                os.replace(temp, path)
            except BaseException:
                unlink(temp)
                raise

    def write_unseen(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Put files in place that nobody looks for before this returns; one that is there is replaced as a whole."""
        begun: list[tuple[str, int]] = []
        try:
            for key, data in files:
                self._begin(key, data, begun)
                if len(begun) == _OPEN:
                    _finish(begun)
        finally:
            # also when the next one could not be read: these are whole
            _finish(begun)

    def _begin(self, key: str, data: bytes, begun: list[tuple[str, int]]) -> None:
        path = self.path(key)
        with named(path):
            try:
                descriptor = create(path)
            except FileExistsError:
                self.write(key, data)
                return
            try:
                write_all(descriptor, data)
                begin_sync(descriptor)
            except BaseException:
                os.close(descriptor)
                unlink(path)
                raise
        begun.append((path, descriptor))

    def prove_conditions(self, key: str) -> None:
        """A disk keeps them."""

    def create(self, key: str, data: bytes) -> bool:
        """Put a file in place unless there is one."""
        path = self.path(key)
        if os.path.lexists(path):
            return False
        with self._staged(key, data) as temp, named(path):
            try:
                os.link(temp, path)
            except FileExistsError:
                return False
            except OSError as exc:
                if exc.errno not in _NO_LINKS:
                    raise
                return create_by_open(path, data)
            return True

    def swap(self, key: str, old: bytes, new: bytes) -> bool:
        """Replace a file if it still holds the old bytes."""
        with self._guarded(key):
            if not self._holds(key, old):
                return False
            self.write(key, new)
            return True

    def clear(self, key: str, old: bytes) -> bool:
        """Remove a file if it still holds the old bytes."""
        with self._guarded(key):
            return self._holds(key, old) and self.delete(key)

    def remove(self, key: str, old: bytes) -> bool:
        """Remove a file if it still holds the old bytes."""
        return self.clear(key, old)

    def _holds(self, key: str, data: bytes) -> bool:
        try:
            return self.read(key) == data
        except FileNotFoundError:
            return False

    @contextmanager
    def _guarded(self, key: str) -> Iterator[None]:
        """Keep all other swaps of the folder out; the kernel ends it when we die."""
        path = f"{os.path.dirname(self.path(key))}/{GUARD}"
        with named(path), guarded(path):
            yield

    def delete(self, key: str) -> bool:
        """Remove a file."""
        with named(self.path(key)):
            try:
                os.unlink(self.path(key))
            except _ABSENT:
                return False
            return True

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove files; those that are not there do not matter."""
        for key in keys:
            self.delete(key)

    def prune(self, keys: Sequence[str], top: str) -> None:
        """Remove folders that are empty, and those above them that are empty then, but for the top."""
        stop = self.path(top)
        for folder in {self.path(key) for key in keys}:
            while folder.startswith(f"{stop}/") and remove_empty(folder):
                folder = folder.rpartition("/")[0]

    def prune_tree(self, key: str) -> None:
        """Remove the empty folders below a folder, and itself."""
        for folder, _, _ in os.walk(self.path(key), topdown=False):
            remove_empty(folder)

    def delete_tree(self, key: str) -> None:
        """Remove a folder with everything in it, a link only itself."""
        path = self.path(key)
        with named(path):
            if os.path.islink(path) or os.path.isfile(path):
                os.unlink(path)
            elif os.path.isdir(path):
                shutil.rmtree(path)

    def keys(self, prefix: str) -> Iterator[str]:
        """All files below a folder, sorted, our temp files left out."""
        start = self.path(prefix)
        found = []
        for folder, folders, names in os.walk(start):
            folders.sort()
            below = folder[len(self._root) + 1 :]
            lead = f"{below}/" if below else ""
            found += [lead + name for name in names if _is_shown(name)]
        return iter(sorted(found))

    def entries(self, prefix: str) -> Iterator[Entry]:
        """All files below a folder with their sizes and times, sorted; one that goes meanwhile is left out."""
        lead = f"{prefix}/" if prefix else ""
        try:
            with os.scandir(self.path(prefix)) as found:
                # a slash at the end: so a folder stands where the keys of its files do
                names = sorted(
                    f"{each.name}/" if each.is_dir(follow_symlinks=False) else each.name for each in found
                )
        except _ABSENT:
            return
        for name in names:
            if name.endswith("/"):
                yield from self.entries(lead + name[:-1])
            elif _is_shown(name):
                state = self._stat(lead + name)
                if state is not None:
                    yield Entry(lead + name, state.st_size, datetime.fromtimestamp(state.st_mtime, UTC))

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders in a folder."""
        path = self.path(prefix)
        with named(path):
            try:
                with os.scandir(path) as entries:
                    return sorted(entry.name for entry in entries if entry.is_dir())
            except _ABSENT:
                return []

    def names(self, prefix: str) -> list[str]:
        """The names of the files in a folder, our temp files left out."""
        path = self.path(prefix)
        with named(path):
            try:
                with os.scandir(path) as entries:
                    return sorted(
                        entry.name for entry in entries if _is_shown(entry.name) and entry.is_file()
                    )
            except _ABSENT:
                return []

    def stamps(self, prefix: str, *, deep: bool) -> list[str]:
        """The files in a folder with their states, sorted; none when there is no such folder."""
        found: list[str] = []
        waiting = [(self.path(prefix), "")]
        while waiting:
            folder, lead = waiting.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if not _is_shown(entry.name):
                            continue
                        if entry.is_file():
                            found.append(f"{lead}{entry.name} {_state(entry.stat())}")
                        elif deep:
                            waiting.append((entry.path, f"{lead}{entry.name}/"))
            except _ABSENT:
                # it may also go while it is looked at
                continue
        return sorted(found)

    def copy(self, key: str, path: str) -> None:
        """Give a file one more name; its bytes are copied where the file system has no hard links."""
        with named(path):
            make_folder(path.rpartition("/")[0])
            try:
                os.link(self.path(key), path)
            except OSError as exc:
                if exc.errno not in _NO_LINKS:
                    raise
                copy_bytes(self.path(key), path)

    def move(self, key: str, to: str) -> None:
        """Give a file another key; what was there is replaced."""
        with named(self.path(to)):
            for is_last in TRIES:
                try:
                    os.replace(self.path(key), self.path(to))
                    return
                except FileNotFoundError:
                    if is_last or not self.exists(key):
                        raise
                    make_folder(self.path(to).rpartition("/")[0])

    @contextmanager
    def writer(self, key: str) -> Iterator[DigestWriter]:
        """A file for writing that appears when the block ends well."""
        path = self.path(key)
        temp = self._temp(key)
        try:
            with named(path):
                file = open(create(temp), "wb", buffering=BUFFER)  # noqa: SIM115
            try:
                with DigestWriter(file, place=path) as writer:
                    yield writer
            finally:
                with named(path):
                    file.close()
            with named(path):
                fsync(temp)
                os.replace(temp, path)
        finally:
            unlink(temp)

    @contextmanager
    def placing(self, key: str) -> Iterator[Path]:
        """A path beside the file's place; what is written there takes that place when the block ends well."""
        path, temp = self.path(key), self._temp(key)
        folder = path.rpartition("/")[0]
        with named(path):
            make_folder(folder)
        try:
            yield Path(temp)
            with named(path):
                fsync(temp)
                os.replace(temp, path)
                fsync(folder)
        finally:
            unlink(temp)

    @contextmanager
    def _staged(self, key: str, data: bytes) -> Iterator[str]:
        """A temp file with the data beside the key's place, gone when the block ends."""
        temp = self._temp(key)
        try:
            with named(self.path(key)):
                write_new(temp, data)
            yield temp
        finally:
            unlink(temp)

    def _temp(self, key: str) -> str:
        """A name for a temp file beside the key's place."""
        folder = self.path(key).rpartition("/")[0]
        return f"{folder}/{TEMP_PREFIX}{secrets.token_hex(8)}"

    def sweep(self, prefix: str, older: timedelta) -> list[str]:
        """Remove temp files that nobody has written to for some time."""
        before = time.time() - older.total_seconds()
        swept = []
        for folder, _, names in os.walk(self.path(prefix)):
            for name in names:
                path = f"{folder}/{name}"
                if name.startswith(TEMP_PREFIX) and self._is_before(path, before):
                    unlink(path)
                    swept.append(path[len(self._root) + 1 :])
        return sorted(swept)


def _state(found: os.stat_result) -> str:
    return f"{found.st_size:x}.{found.st_mtime_ns:x}.{found.st_ino:x}"


def _is_shown(name: str) -> bool:
    return name != GUARD and not name.startswith(TEMP_PREFIX)


def _finish(begun: list[tuple[str, int]]) -> None:
    """Have the disk keep files that were written: each by itself would wait for a turn of the disk of its own."""
    try:
        for path, descriptor in begun:
            with named(path):
                os.fsync(descriptor)
    except BaseException:
        for path, _ in begun:
            unlink(path)
        raise
    finally:
        for _, descriptor in begun:
            os.close(descriptor)
        begun.clear()
