"""Processes on machines whose clocks go wrong."""

import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from lakehouse_assets.errors import LeaseLost
from lakehouse_assets.model.times import from_iso, iso
from lakehouse_assets.storage.holders import Holder
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.location import Location

HOUR = 3600.0


def elsewhere(*, seconds: float, ahead: float = 0.0, name: str = "write") -> Holder:
    """Who just took a lease on another machine, with a clock that is so many seconds ahead."""
    holder = Holder.of_this_process(name, owner="tester", reason="merge", seconds=seconds)
    taken, expires = (
        iso(moment + timedelta(seconds=ahead))
        for text in (holder.taken, holder.expires)
        if (moment := from_iso(text)) is not None
    )
    return replace(holder, machine="elsewhere", host="elsewhere", taken=taken, expires=expires)


def hold_elsewhere(
    uri: str, options: dict[str, str], kind: str, ahead: float, seconds: float, folder: str
) -> None:
    """
    Hold a lease until `stop` is in the folder, as a process of another machine with such a clock; `ready` says so.

    Leaves `lost` there when the lease is not its own at the end, else `kept`.
    """
    from lakehouse_assets.model import times
    from lakehouse_assets.storage import holders, lease

    def now() -> object:
        return times.now_utc() + timedelta(seconds=ahead)

    # what a process elsewhere would see
    holders.now_utc = lease.now_utc = now  # type: ignore[assignment, attr-defined]
    holders._machine = lambda: "elsewhere"  # type: ignore[assignment]
    place = Path(folder)
    leases = Leases(Location(uri, options), timeout=5, lease_seconds=seconds, owner="far away")
    with getattr(leases, kind)("work") as held:
        (place / "ready").touch()
        while not (place / "stop").exists():
            time.sleep(0.01)
        try:
            held.check()
        except LeaseLost:
            (place / "lost").touch()
        else:
            (place / "kept").touch()
    os._exit(0)
