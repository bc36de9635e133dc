"""Leases that are one file each: who puts it there first holds the lease, until it is removed or runs out."""

import getpass
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from lakehouse_assets.errors import Locked, StorageError
from lakehouse_assets.storage.holders import Holder
from lakehouse_assets.storage.lease import Lease
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 1.0


class FileLeases:
    """
    Leases of single files below a folder.

    `timeout` says how long to wait for another holder, `lease_seconds` how long a lease lives without being renewed,
    both in seconds; `advice` what to do when the holder is dead.

    Example:
        >>> leases = FileLeases(Location("memory://state"), timeout=5, lease_seconds=60, advice="remove the file")
        >>> with leases.hold("locks/crawl.json", name="crawl", reason="update") as lease:
        ...     lease.check()
    """

    def __init__(
        self,
        location: Location,
        *,
        timeout: float,
        lease_seconds: float,
        advice: str,
        owner: str | None = None,
    ) -> None:
        self._location = location
        self._timeout = timeout
        self._seconds = lease_seconds
        self._advice = advice
        self._owner = owner or _user()

    @contextmanager
    def hold(self, key: str, *, name: str, reason: str) -> Iterator[Lease]:
        """Be the only one who holds this file; Locked when it takes too long."""
        lease = self.wait(lambda: self.attempt(key, name=name, reason=reason), self.until())
        with afterwards(lease.release), lease:
            yield lease

    def attempt(self, key: str, *, name: str, reason: str) -> Lease | Holder:
        """Our lease when the file is free or its holder's is over, else who holds it."""
        mine = self.holder(name, reason)
        data = self._location.read_or_none(key)
        if data is None:
            taken = self._location.create(key, mine.to_bytes())
        else:
            other = Holder.from_bytes(data)
            if data and (other is None or not self.is_over(key, other)):
                return other or Holder.of_another_program(name, taken="")
            if other is not None:
                log.warning("taking over the lease of %s, which is over", other)
                mine = replace(mine, stamp=other.stamp)
            taken = self._location.swap(key, data, mine.to_bytes())
        # an answer may get lost on the way: what is there decides
        if taken or self._location.read_or_none(key) == mine.to_bytes():
            return Lease(self._location, key, mine, seconds=self._seconds)
        return self.read(key) or mine

    def read(self, key: str) -> Holder | None:
        """Who holds a file; None when nobody does."""
        data = self._location.read_or_none(key)
        return Holder.from_bytes(data) if data else None

    def is_over(self, key: str, holder: Holder) -> bool:
        """
        Whether a lease may be taken over, as its file says: it was not renewed in time, or its process is dead.

        Of another machine the clock is not believed. What counts is for how long its file is as it is, by the clock of
        the store, and a holder that could not renew it for so long has stopped by its own.
        """
        if holder.foreign or holder.is_here or not holder.seconds:
            return holder.is_over
        age = self._location.age(key)
        return age is not None and age >= holder.seconds

    def holder(self, name: str, reason: str) -> Holder:
        """This process as a holder, from now on."""
        return Holder.of_this_process(name, owner=self._owner, reason=reason, seconds=self._seconds)

    def until(self) -> float:
        """When to give up, for who begins to wait now; by the monotonic clock."""
        return time.monotonic() + self._timeout

    def wait(self, attempt: Callable[[], T | Holder], until: float) -> T:
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
            f"or, if that is dead, {self._advice}"
        )
        return Locked(msg, holder=str(holder), age_seconds=age)


@contextmanager
def afterwards(clean: Callable[[], object]) -> Iterator[None]:
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
