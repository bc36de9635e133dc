"""Files and folders of a local disk, as the system has them."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from lakehouse_assets.errors import StorageError
from lakehouse_assets.storage.files import GUARD

BUFFER = 1 << 20
TRIES = (False, False, False, True)
"""Whether it is the last try: a folder that was just made may be removed by who finds it empty."""


def remove_empty(folder: str) -> bool:
    """Whether a folder was empty, and is gone; what only guarded swaps in it goes, too."""
    guard = f"{folder}/{GUARD}"
    try:
        if os.path.exists(guard) and os.listdir(folder) == [GUARD]:
            unlink(guard)
        os.rmdir(folder)
    except OSError:
        # others are in it, or somebody just put something there
        return False
    return True


@contextmanager
def named(path: str) -> Iterator[None]:
    """Turn what the system refuses into our error, with the path in it."""
    try:
        yield
    except (FileNotFoundError, StorageError):
        raise
    except OSError as exc:
        msg = f"{path}: {exc.strerror or exc}"
        raise StorageError(msg) from exc


def create(path: str) -> int:
    """A new file, open for writing, and its folder, which is most often there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    for is_last in TRIES:
        try:
            return os.open(path, flags, 0o666)
        except FileNotFoundError:
            if is_last:
                raise
            make_folder(path.rpartition("/")[0])
    raise AssertionError


def make_folder(path: str) -> None:
    """A folder and those that it lies in; unlike os.makedirs it asks nothing that it need not know."""
    try:
        _make_one(path)
    except FileNotFoundError:
        make_folder(path.rpartition("/")[0])
        try:
            _make_one(path)
        except FileNotFoundError as exc:
            # as below /proc
            msg = f"{path}: no folder can be made there"
            raise StorageError(msg) from exc


def _make_one(path: str) -> None:
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def write_new(path: str, data: bytes) -> None:
    """Make a file with these bytes, which are on the disk then."""
    descriptor = create(path)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes to an open file."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def begin_sync(descriptor: int) -> None:
    """Have the disk begin to take what was written, so that `fsync` finds little left; not every system can."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def copy_bytes(source: str, path: str) -> None:
    """Make a file with the bytes of another one."""
    with open(source, "rb") as file, open(create(path), "wb") as target:
        shutil.copyfileobj(file, target, BUFFER)
        target.flush()
        os.fsync(target.fileno())


def create_by_open(path: str, data: bytes) -> bool:
    """Make a file in its place unless there is one; False when there is."""
    try:
        write_new(path, data)
    except FileExistsError:
        return False
    return True


def fsync(path: str) -> None:
    """Have the disk keep what was written to a file, or which files a folder has."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unlink(path: str) -> None:
    """Remove a file if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
