"""
Who may change a dataset: shared leases for appends, one exclusive lease, one for each export.

Two things are kept side by side. The lock files at the top of the dataset are those of ftm-lakehouse; they
hold nothing but a time. The side files below `locks/lakehouse` are ours; they say who holds a lock and until
when, and among ourselves they decide, since they are created and replaced atomically.

    append     side file, lock file; then look for the exclusive lock, and step back if there is one
    exclusive  side file, lock file; then wait until no append is left

Each writes first and looks afterwards, so of two that come at once at least one sees the other.
"""

import getpass
import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TypeVar

from lakehouse_assets import layout
from lakehouse_assets.errors import Locked, StorageError
from lakehouse_assets.storage.holders import Holder
from lakehouse_assets.storage.lease import Lease
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 1.0


class Leases:
    """
    The leases of a dataset.

    Example:
        >>> leases = Leases(Location("memory://lake/acme"), timeout=5, lease_seconds=60)
        >>> with leases.exclusive("merge") as lease:
        ...     lease.check()
    """

    def __init__(
        self, location: Location, *, timeout: float, lease_seconds: float, owner: str | None = None
    ) -> None:
        self._location = location
        self._timeout = timeout
        self._seconds = lease_seconds
        self._owner = owner or _user()

    @contextmanager
    def shared(self, name: str = "append") -> Iterator[Lease]:
        """Hold off exclusive work, beside any number of other appends; Locked when it takes too long."""
        with ExitStack() as held:
            lease = self._wait(lambda: self._try_shared(name), self._until())
            held.enter_context(_afterwards(lambda: self._leave_shared(lease)))
            with lease:
                yield lease

    @contextmanager
    def exclusive(self, reason: str) -> Iterator[Lease]:
        """Be the only one to change the dataset; Locked when it takes too long."""
        with ExitStack() as held:
            until = self._until()
            lease = self._wait(lambda: self._try_exclusive(reason, held), until)
            self._wait(self._appends_are_gone, until)
            lease.check()
            yield lease

    @contextmanager
    def target(self, name: str) -> Iterator[Lease]:
        """Be the only one to write this export; Locked when it takes too long."""
        key = layout.target_lock(name)
        lease = self._wait(lambda: self._try_record(key, f"target {name}", f"writes {name}"), self._until())
        with _afterwards(lease.release), lease:
            yield lease

    @contextmanager
    def mark(self, folder: str, details: Mapping[str, str]) -> Iterator[Lease]:
        """Leave a renewed note in a folder that excludes nobody: `layout.READERS`, `layout.STAGING`."""
        holder = replace(self._holder(folder, "mark"), details=dict(details))
        key = f"{folder}/{holder.token}.json"
        self._location.write(key, holder.to_bytes())
        lease = Lease(self._location, key, holder, seconds=self._seconds)
        with _afterwards(lambda: self._location.delete(key)), lease:
            yield lease

    def marks(self, folder: str) -> list[Holder]:
        """The living notes of a folder; those of the dead are removed."""
        living = []
        for key in list(self._location.keys(folder)):
            holder = self._read(key)
            if holder is not None and holder.is_over:
                self._location.delete(key)
            elif holder is not None:
                living.append(holder)
        return living

    def holders(self) -> list[Holder]:
        """Everybody who holds a lease now, other programs included."""
        found = [holder for holder in (self._writer(), *self._appenders()) if holder is not None]
        targets = [self._read(key) for key in self._target_keys()]
        return found + [holder for holder in targets if holder is not None]

    def break_all(self) -> list[Holder]:
        """Remove every lock, whoever holds it; returns who held one."""
        broken = self.holders()
        for key in (layout.LOCK, layout.WRITE_LOCK, *self._target_keys()):
            self._location.delete(key)
        for token in self._append_tokens():
            self._drop_append(token)
        for holder in broken:
            log.warning("broke the lease %s of %s", holder.name, holder)
        return broken

    # shared: side file, lock file, look

    def _try_shared(self, name: str) -> Lease | Holder:
        holder = self._holder(name, name)
        self._location.write(layout.append_holder(holder.token), holder.to_bytes())
        try:
            self._location.write(layout.append_lock(holder.token), _lock_content(holder.stamp))
            writer = self._writer_after_clearing()
        except BaseException:
            self._drop_append(holder.token)
            raise
        if writer is not None:
            self._drop_append(holder.token)
            return writer
        return Lease(self._location, layout.append_holder(holder.token), holder, seconds=self._seconds)

    def _leave_shared(self, lease: Lease) -> None:
        self._drop_append(lease.holder.token)

    def _drop_append(self, token: str) -> None:
        # the lock file first: without a side file it would look like another program's
        self._location.delete(layout.append_lock(token))
        self._location.delete(layout.append_holder(token))

    # exclusive: side file, lock file, wait for the appends

    def _try_exclusive(self, reason: str, held: ExitStack) -> Lease | Holder:
        lease = self._try_record(layout.WRITE_LOCK, "write", reason)
        if isinstance(lease, Holder):
            return lease
        with ExitStack() as attempt:
            attempt.enter_context(_afterwards(lease.release))
            attempt.enter_context(lease)
            if not self._take_lock_file(lease.holder.stamp):
                return self._foreign_writer() or lease.holder
            attempt.enter_context(_afterwards(lambda: self._drop_lock_file(lease)))
            held.push(attempt.pop_all())
        return lease

    def _take_lock_file(self, stamp: str) -> bool:
        """Whether the lock file is ours, made now or left by a dead holder whose stamp we go on with."""
        content = _lock_content(stamp)
        self._location.create(layout.LOCK, content)
        # other programs look and then write: read again what is there
        return self._location.read_or_none(layout.LOCK) == content

    def _drop_lock_file(self, lease: Lease) -> None:
        # who took a lease over goes on with the lock file
        if lease.held and self._location.read_or_none(layout.LOCK) == _lock_content(lease.holder.stamp):
            self._location.delete(layout.LOCK)

    def _appends_are_gone(self) -> Holder | bool:
        for holder in self._appenders():
            if not holder.is_over:
                return holder
            log.warning("taking over the lease of %s, which is over", holder)
            self._drop_append(holder.token)
        return True

    def _writer_after_clearing(self) -> Holder | None:
        """Who holds the exclusive lock; what a dead one left is removed."""
        holder = self._read(layout.WRITE_LOCK)
        if holder is not None and holder.is_over:
            with ExitStack() as held:
                self._try_exclusive("clears what a dead process left", held)
        return self._writer()

    def _writer(self) -> Holder | None:
        """Who holds the exclusive lock."""
        return self._foreign_writer() or self._read(layout.WRITE_LOCK)

    def _foreign_writer(self) -> Holder | None:
        data = self._location.read_or_none(layout.LOCK)
        if data is None:
            return None
        ours = self._read(layout.WRITE_LOCK)
        taken = _lock_stamp(data)
        if ours is not None and ours.stamp == taken:
            return None
        return Holder.of_another_program("write", taken=taken)

    # side files

    def _try_record(self, key: str, name: str, reason: str) -> Lease | Holder:
        """Our lease when the side file is free, else who holds it."""
        mine = self._holder(name, reason)
        data = self._location.read_or_none(key)
        if data is None:
            taken = self._location.create(key, mine.to_bytes())
        else:
            other = Holder.from_bytes(data)
            if data and (other is None or not other.is_over):
                return other or Holder.of_another_program(name, taken="")
            if other is not None:
                log.warning("taking over the lease of %s, which is over", other)
                mine = replace(mine, stamp=other.stamp)
            taken = self._location.swap(key, data, mine.to_bytes())
        # an answer may get lost on the way: what is there decides
        if taken or self._location.read_or_none(key) == mine.to_bytes():
            return Lease(self._location, key, mine, seconds=self._seconds)
        return self._read(key) or mine

    def _read(self, key: str) -> Holder | None:
        data = self._location.read_or_none(key)
        return Holder.from_bytes(data) if data else None

    def _holder(self, name: str, reason: str) -> Holder:
        return Holder.of_this_process(name, owner=self._owner, reason=reason, seconds=self._seconds)

    def _append_tokens(self) -> set[str]:
        locks = {key.rpartition("/")[2] for key in self._location.keys(layout.APPEND_LOCKS)}
        return locks | {token for key in self._side_files() if (token := layout.append_token(key))}

    def _appenders(self) -> Iterator[Holder]:
        for token in sorted(self._append_tokens()):
            holder = self._read(layout.append_holder(token))
            if holder is not None:
                yield holder
            elif (data := self._location.read_or_none(layout.append_lock(token))) is not None:
                yield Holder.of_another_program("append", taken=_lock_stamp(data))

    def _target_keys(self) -> list[str]:
        return [key for key in self._side_files() if layout.is_target_lock(key)]

    def _side_files(self) -> list[str]:
        return list(self._location.keys(layout.LOCKS))

    # waiting

    def _until(self) -> float:
        return time.monotonic() + self._timeout

    def _wait(self, attempt: Callable[[], T | Holder], until: float) -> T:
        """What the attempt gives when nobody holds it off any more; Locked when that takes too long."""
        pause = _FIRST_PAUSE
        while isinstance(found := attempt(), Holder):
            left = until - time.monotonic()
            if left <= 0:
                raise self._locked(found)
            # not all at once: those who wait would meet again and again
            time.sleep(min(left, pause * random.uniform(0.5, 1.5)))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return found

    def _locked(self, holder: Holder) -> Locked:
        age = holder.age_seconds
        since = f" for {age:.0f} s" if age is not None else ""
        msg = (
            f"{self._location.uri} is locked by {holder}{since}; try again later, "
            f"or, if that is dead, run `lakehouse unlock --force -d {self._location.name}`"
        )
        return Locked(msg, holder=str(holder), age_seconds=age)


@contextmanager
def _afterwards(clean: Callable[[], object]) -> Iterator[None]:
    """Clean up after the block; where the block failed, that counts, and not that cleaning up fails, too."""
    try:
        yield
    except BaseException:
        try:
            clean()
        except StorageError as exc:
            log.warning("a lease is left behind until it expires: %s", exc)
        raise
    clean()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown user"


def _lock_content(stamp: str) -> bytes:
    return json.dumps(stamp).encode()


def _lock_stamp(data: bytes) -> str:
    return data.decode(errors="replace").strip().strip('"')
