"""
Who may change a dataset: shared leases for appends, one exclusive lease, one for each export.

Two things are kept side by side. The lock files at the top of the dataset are those of ftm-lakehouse; they
hold nothing but a time. The side files below `locks/lakehouse` are ours; they say who holds a lock and until
when, and among ourselves they decide, since they are created and replaced atomically.

    append     side file, lock file; then look for the exclusive lock, and step back if there is one
    exclusive  side file, lock file; then wait until no append is left

Each writes first and looks afterwards, so of two that come at once at least one sees the other. Where both wait,
exclusive work goes first; but it lets those appends in that waited before it came, else they could wait for ever.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from lakehouse_assets import layout
from lakehouse_assets.storage.file_leases import FileLeases, afterwards
from lakehouse_assets.storage.holders import Holder
from lakehouse_assets.storage.lease import Lease
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

# those who wait look every second or so
_COURTESY = 5.0
_GLANCE = 0.1


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
        self._seconds = lease_seconds
        self._files = FileLeases(
            location,
            timeout=timeout,
            lease_seconds=lease_seconds,
            advice=f"run `lakehouse unlock --force -d {location.name}`",
            owner=owner,
        )

    @contextmanager
    def shared(self, name: str = "append") -> Iterator[Lease]:
        """Hold off exclusive work, beside any number of other appends; Locked when it takes too long."""
        with ExitStack() as held:
            found = self._try_shared(name)
            lease = found if isinstance(found, Lease) else self._wait_shared(name)
            held.enter_context(afterwards(lambda: self._leave_shared(lease)))
            with lease:
                yield lease

    @contextmanager
    def exclusive(self, reason: str) -> Iterator[Lease]:
        """Be the only one to change the dataset; Locked when it takes too long."""
        with ExitStack() as held:
            until = self._files.until()
            self._let_in(until)
            lease = self._files.wait(lambda: self._try_exclusive(reason, held), until)
            self._files.wait(self._appends_are_gone, until)
            lease.check()
            yield lease

    @contextmanager
    def target(self, name: str) -> Iterator[Lease]:
        """Be the only one to write this export; Locked when it takes too long."""
        with self._files.hold(
            layout.target_lock(name), name=f"target {name}", reason=f"writes {name}"
        ) as lease:
            yield lease

    @contextmanager
    def mark(self, folder: str, details: Mapping[str, str]) -> Iterator[Lease]:
        """Leave a renewed note in a folder that excludes nobody: `layout.READERS`, `STAGING`, `WAITING`."""
        holder = replace(self._files.holder(folder, "mark"), details=dict(details))
        key = f"{folder}/{holder.token}.json"
        self._location.write(key, holder.to_bytes())
        lease = Lease(self._location, key, holder, seconds=self._seconds)
        with afterwards(lambda: self._location.delete(key)), lease:
            yield lease

    def marks(self, folder: str) -> list[Holder]:
        """The living notes of a folder; those of the dead are removed."""
        living = []
        for key in list(self._location.keys(folder)):
            holder = self._files.read(key)
            if holder is not None and self._files.is_over(key, holder):
                self._location.delete(key)
            elif holder is not None:
                living.append(holder)
        return living

    def holders(self) -> list[Holder]:
        """Everybody who holds a lease now, other programs included."""
        found = [holder for holder in (self._writer(), *self._appenders()) if holder is not None]
        targets = [self._files.read(key) for key in self._target_keys()]
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
        holder = self._files.holder(name, name)
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
        lease = Lease(self._location, layout.append_holder(holder.token), holder, seconds=self._seconds)
        lease.guard(layout.append_lock(holder.token), _lock_content(holder.stamp))
        return lease

    def _wait_shared(self, name: str) -> Lease:
        until = self._files.until()
        with self.mark(layout.WAITING, {"for": name}):
            return self._files.wait(lambda: self._try_shared(name), until)

    def _let_in(self, until: float) -> None:
        """Wait a little for appends that wait already; for those that come later, nobody waits."""
        waiting = {mark.token for mark in self.marks(layout.WAITING)}
        until = min(until, time.monotonic() + _COURTESY)
        while waiting and time.monotonic() < until:
            time.sleep(_GLANCE)
            waiting &= {mark.token for mark in self.marks(layout.WAITING)}

    def _leave_shared(self, lease: Lease) -> None:
        self._drop_append(lease.holder.token)

    def _drop_append(self, token: str) -> None:
        # the lock file first: without a side file it would look like another program's
        self._location.delete(layout.append_lock(token))
        self._location.delete(layout.append_holder(token))

    # exclusive: side file, lock file, wait for the appends

    def _try_exclusive(self, reason: str, held: ExitStack) -> Lease | Holder:
        lease = self._files.attempt(layout.WRITE_LOCK, name="write", reason=reason)
        if isinstance(lease, Holder):
            return lease
        with ExitStack() as attempt:
            attempt.enter_context(afterwards(lease.release))
            attempt.enter_context(lease)
            if not self._take_lock_file(lease.holder.stamp):
                return self._foreign_writer() or lease.holder
            lease.guard(layout.LOCK, _lock_content(lease.holder.stamp))
            attempt.enter_context(afterwards(lambda: self._drop_lock_file(lease)))
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
            if holder.foreign or not self._files.is_over(layout.append_holder(holder.token), holder):
                return holder
            log.warning("taking over the lease of %s, which is over", holder)
            self._drop_append(holder.token)
        return True

    def _writer_after_clearing(self) -> Holder | None:
        """Who holds the exclusive lock; what a dead one left is removed."""
        holder = self._files.read(layout.WRITE_LOCK)
        if holder is not None and self._files.is_over(layout.WRITE_LOCK, holder):
            with ExitStack() as held:
                self._try_exclusive("clears what a dead process left", held)
        return self._writer()

    def _writer(self) -> Holder | None:
        """Who holds the exclusive lock."""
        return self._foreign_writer() or self._files.read(layout.WRITE_LOCK)

    def _foreign_writer(self) -> Holder | None:
        data = self._location.read_or_none(layout.LOCK)
        if data is None:
            return None
        ours = self._files.read(layout.WRITE_LOCK)
        taken = _lock_stamp(data)
        if ours is not None and ours.stamp == taken:
            return None
        return Holder.of_another_program("write", taken=taken)

    # side files

    def _append_tokens(self) -> set[str]:
        locks = {key.rpartition("/")[2] for key in self._location.keys(layout.APPEND_LOCKS)}
        return locks | {token for key in self._side_files() if (token := layout.append_token(key))}

    def _appenders(self) -> Iterator[Holder]:
        for token in sorted(self._append_tokens()):
            holder = self._files.read(layout.append_holder(token))
            if holder is not None:
                yield holder
            elif (data := self._location.read_or_none(layout.append_lock(token))) is not None:
                yield Holder.of_another_program("append", taken=_lock_stamp(data))

    def _target_keys(self) -> list[str]:
        return [key for key in self._side_files() if layout.is_target_lock(key)]

    def _side_files(self) -> list[str]:
        return list(self._location.keys(layout.LOCKS))


def _lock_content(stamp: str) -> bytes:
    return json.dumps(stamp).encode()


def _lock_stamp(data: bytes) -> str:
    return data.decode(errors="replace").strip().strip('"')
