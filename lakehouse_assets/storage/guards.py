"""Keeping a local folder to oneself for the moment of a swap, by a lock that the kernel ends when its holder dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lakehouse_assets.errors import StorageError

PATIENCE = 60.0
"""Seconds to wait for a folder that others hold for milliseconds, or for one write of a slow disk."""

_PAUSES = (0.0005, 0.001, 0.002, 0.005)
_LOCKS = "/proc/locks"


@contextmanager
def guarded(path: str) -> Iterator[None]:
    """
    Hold the lock of a file, which is made if need be; OSError when it cannot be.

    StorageError when another process keeps it: it was stopped in the middle, and what it will do when it goes on
    would meet what we did meanwhile.
    """
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _lock(descriptor, path)
        try:
            yield
        finally:
            # closing is not enough: a process forked meanwhile shares the descriptor, and with it the lock
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: str) -> None:
    until = time.monotonic() + PATIENCE
    tries = 0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise StorageError(_explained(descriptor, path)) from None
            time.sleep(_PAUSES[min(tries, len(_PAUSES) - 1)])
            tries += 1
        else:
            return


def _explained(descriptor: int, path: str) -> str:
    holder = _holder(os.fstat(descriptor).st_ino)
    process = "another process" if holder is None else f"process {holder}"
    return (
        f"{path}: {process} has kept this folder to itself for {PATIENCE:.0f} s, which is a matter of milliseconds: "
        "it was stopped, or waits for its disk. Let it go on or end it, and try again"
    )


def _holder(inode: int) -> int | None:
    """The process that holds the lock, as far as Linux tells."""
    try:
        with open(_LOCKS) as lines:
            for line in lines:
                # 1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234567 0 EOF
                words = line.split()
                if words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
                    return int(words[4])
    except (OSError, IndexError, ValueError):
        return None
    return None
