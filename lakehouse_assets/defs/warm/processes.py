"""How the process of a run is known again, also from another process and after its number was given to another one."""

import json
import os
import socket
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

import dagster as dg

TAG = ".dagster/lakehouse_process"
"""The tag of a run that says which process does it; one that begins like this is not shown."""

_STATE, _STARTED = 0, 19


class Life(Enum):
    """What is known of a process."""

    ALIVE = "alive"
    GONE = "gone"
    ELSEWHERE = "elsewhere"
    """On another machine, or in another container: nothing is known."""


@dataclass(frozen=True)
class Machine:
    """Where numbers of processes mean something: a machine since its last start, and a container on it."""

    host: str
    boot: str
    container: str

    @classmethod
    def here(cls) -> "Machine":
        """This one; where the system does not tell, only its name counts."""
        host = socket.gethostname()
        try:
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            return cls(host, boot, os.readlink("/proc/self/ns/pid"))
        except OSError:
            return cls(host, host, host)

    def sees(self, other: "Machine") -> bool:
        """Whether processes of the other one are seen here."""
        return (self.boot, self.container) == (other.boot, other.container)


@dataclass(frozen=True)
class RunProcess:
    """
    The process of a run: its number, when it was started (in ticks since the machine was), and where.

    Example:
        >>> process = RunProcess.of(run_id, pid)
        >>> instance.add_run_tags(run_id, {TAG: process.write()})
        >>> RunProcess.read(instance.get_run_by_id(run_id)).life()
        <Life.ALIVE: 'alive'>
    """

    run: str
    pid: int
    started: int
    machine: Machine

    @classmethod
    def of(cls, run_id: str, pid: int) -> "RunProcess":
        """A process of this machine; a ProcessLookupError when there is none of this number."""
        fields = _stat(pid)
        if fields is None:
            msg = f"there is no process {pid}"
            raise ProcessLookupError(msg)
        return cls(run_id, pid, int(fields[_STARTED]), Machine.here())

    @classmethod
    def read(cls, run: dg.DagsterRun) -> "RunProcess | None":
        """
        What the tag of a run says; None when it has none, or only that of the run that it is a retry of.

        Dagster hands tags on to retries.
        """
        try:
            found = json.loads(run.tags.get(TAG, "null"))
            process = cls(
                str(found["run"]), int(found["pid"]), int(found["started"]), Machine(**found["machine"])
            )
        except (ValueError, TypeError, KeyError):
            return None
        return process if process.run == run.run_id else None

    def write(self) -> str:
        """As the tag holds it."""
        return json.dumps(asdict(self))

    def life(self) -> Life:
        """Whether it is still there."""
        here = Machine.here()
        if here.sees(self.machine):
            fields = _stat(self.pid)
            alive = fields is not None and int(fields[_STARTED]) == self.started and fields[_STATE] != "Z"
            return Life.ALIVE if alive else Life.GONE
        # a machine that was started again has none of its processes any more
        return Life.GONE if here.host == self.machine.host else Life.ELSEWHERE

    def signal(self, number: int) -> bool:
        """Send it a signal; False, and nothing sent, when it is not there any more or not of this machine."""
        if self.life() is not Life.ALIVE:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def _stat(pid: int) -> list[str] | None:
    """What Linux tells of a process, from its state on; None when there is none."""
    try:
        # the name before may hold anything
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
