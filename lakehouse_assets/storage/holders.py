"""Who holds a lease, as it stands in its side file, and whether it still lives."""

import functools
import json
import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from lakehouse_assets.model.times import from_iso, iso, now_utc

FOREIGN = "another program"


@dataclass(frozen=True)
class Holder:
    """
    One holder of a lease.

    `stamp` is what the lock file that ftm-lakehouse sees holds: only a lock file with our stamp is ours.
    `machine` and `born` tell this process from all others that have or had its number; `seconds` is how long the lease
    lives without being renewed.
    """

    name: str
    token: str
    owner: str
    host: str
    pid: int
    reason: str
    taken: str
    expires: str
    machine: str = ""
    born: str = ""
    stamp: str = ""
    seconds: float = 0.0
    details: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_this_process(cls, name: str, *, owner: str, reason: str, seconds: float) -> "Holder":
        """A new lease of the process that asks."""
        now = now_utc()
        return cls(
            name=name,
            token=uuid.uuid4().hex,
            owner=owner,
            host=socket.gethostname(),
            pid=os.getpid(),
            reason=reason,
            taken=iso(now),
            expires=iso(now + timedelta(seconds=seconds)),
            machine=_machine(),
            born=_born(os.getpid()) or "",
            stamp=iso(now),
            seconds=seconds,
        )

    @classmethod
    def of_another_program(cls, name: str, *, taken: str) -> "Holder":
        """A lock without a side file."""
        return cls(name, "", FOREIGN, "unknown host", 0, "unknown", taken=taken, expires="", stamp=taken)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Holder | None":
        """What a side file says; None when it is empty or says nothing that we understand."""
        try:
            known = {key: value for key, value in json.loads(data).items() if key in cls.__dataclass_fields__}
            return cls(**known)
        except (ValueError, TypeError, AttributeError):
            return None

    def to_bytes(self) -> bytes:
        """The content of the side file."""
        return json.dumps(asdict(self)).encode()

    def renewed(self, seconds: float) -> "Holder":
        """The same lease with a later expiry."""
        return replace(self, expires=iso(now_utc() + timedelta(seconds=seconds)))

    @property
    def foreign(self) -> bool:
        """Whether another program holds it, of which nothing else is known."""
        return not self.token

    @property
    def age_seconds(self) -> float | None:
        """For how long it is held, if known."""
        taken = from_iso(self.taken)
        # the clock of another machine may be ahead
        return max(0.0, (now_utc() - taken).total_seconds()) if taken else None

    @property
    def expires_at(self) -> datetime | None:
        """When it ends without renewal; never for another program's."""
        return from_iso(self.expires)

    @property
    def is_here(self) -> bool:
        """Whether it is, or was, a process of this machine, so that it has the same clock."""
        return self.machine == _machine()

    @property
    def is_over(self) -> bool:
        """Whether it expired by the clock of this machine, or its process on this machine is dead."""
        if self.foreign:
            return False
        expires = self.expires_at
        return (expires is not None and now_utc() >= expires) or self._is_dead()

    def _is_dead(self) -> bool:
        return self.is_here and _born(self.pid) != self.born

    def __str__(self) -> str:
        if self.foreign:
            return self.owner
        return f"{self.owner} on {self.host}, process {self.pid} ({self.reason})"


@functools.cache
def _machine() -> str:
    """
    What tells this machine, since its last start, from every other; containers count as machines.

    The host's name would not do: containers share names, and each has processes of the same numbers.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{socket.gethostname()}/{uuid.getnode():x}"


def _born(pid: int) -> str | None:
    """When a process began, in the kernel's own ticks; None when it is dead."""
    if not Path("/proc/self/stat").exists():
        return _born_without_proc(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (OSError, UnicodeDecodeError):
        return None
    # the second field is the program's name in brackets, which may hold anything
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _born_without_proc(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return ""
    return ""
