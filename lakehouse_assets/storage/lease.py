"""A lease that is held: renewed in the background, checked before it counts."""

import logging
import threading
import time
from types import TracebackType

from lakehouse_assets.errors import LakehouseError, LeaseLost
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.holders import Holder
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

# renewals per lifetime: one may fail, and the next still comes in time
_RENEWALS = 4


class Lease:
    """
    The right to do something, until it is released or lost.

    Work that must not happen without it calls `check()` right before it counts, for example before a commit.
    """

    def __init__(self, location: Location, key: str, holder: Holder, *, seconds: float) -> None:
        self._location = location
        self._key = key
        self._seconds = seconds
        self._lock: tuple[str, bytes] | None = None
        self._holder = holder
        self._held = holder.to_bytes()
        self._deadline = _deadline(holder)
        self._lost = False
        self._guard = threading.Lock()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def holder(self) -> Holder:
        """Who holds it, as its side file says."""
        return self._holder

    @property
    def held(self) -> bool:
        """Whether it is still ours; once lost it stays so."""
        with self._guard:
            if not self._lost:
                self._lost = (
                    self._is_late()
                    or self._location.read_or_none(self._key) != self._held
                    or not self._has_lock()
                )
            return not self._lost

    def guard(self, lock: str, content: bytes) -> None:
        """From now on the lease is only held while this file holds that, too."""
        self._lock = (lock, content)

    def _has_lock(self) -> bool:
        """Whether the file that other programs look at is there: they may have removed it, or put theirs in place."""
        return self._lock is None or self._location.read_or_none(self._lock[0]) == self._lock[1]

    def check(self) -> None:
        """Do nothing while the lease is held; LeaseLost when it is not any more."""
        if not self.held:
            msg = (
                f"the lease {self._holder.name} on {self._location.uri} was lost: it was broken, "
                "or taken over while this process stood still; nothing was committed, run it again"
            )
            raise LeaseLost(msg)

    def __enter__(self) -> "Lease":
        self._thread = threading.Thread(target=self._keep, name=f"lease-{self._holder.name}", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def release(self) -> None:
        """Take the side file away, unless it is somebody else's by now."""
        self._location.clear(self._key, self._held)

    def _keep(self) -> None:
        while not self._done.wait(self._seconds / _RENEWALS):
            try:
                self._renew()
            except LakehouseError as exc:
                # the store is out of reach: the next turn may succeed, and past the deadline check() raises
                log.warning("cannot renew the lease %s: %s", self._holder.name, exc)
            if self._lost:
                log.warning("the lease %s on %s was lost", self._holder.name, self._location.uri)
                return

    def _renew(self) -> None:
        with self._guard:
            if self._is_late():
                # too late: somebody may be about to take it over
                self._lost = True
                return
            renewed = self._holder.renewed(self._seconds)
            data, deadline = renewed.to_bytes(), _deadline(renewed)
            if not self._location.swap(self._key, self._held, data) and (
                # an answer may get lost on the way, and the swap be repeated in vain
                self._location.read_or_none(self._key) != data
            ):
                self._lost = True
                return
            self._holder, self._held, self._deadline = renewed, data, deadline

    def _is_late(self) -> bool:
        """By either clock: one stands still while the machine sleeps, the other may be set back."""
        expires = self._holder.expires_at
        return time.monotonic() >= self._deadline or (expires is not None and now_utc() >= expires)


def _deadline(holder: Holder) -> float:
    expires = holder.expires_at or now_utc()
    return time.monotonic() + (expires - now_utc()).total_seconds()
