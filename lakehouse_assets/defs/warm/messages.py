"""What a keeper and the process that it keeps forks for say to each other: one JSON object in a packet."""

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

# Linux takes packets of some 200 kB; what a run is told is a few kB
_LARGEST = 1 << 20

BEGIN = b"begin"
"""Tells a fork that it is known, and may go to work."""
DONE = b"done"
"""Told by a fork that came to the end of its work: there is nothing to report."""


@dataclass(frozen=True)
class Ready:
    """All is loaded: so many modules, in so many seconds of a processor."""

    modules: int
    seconds: float


@dataclass(frozen=True)
class Fork:
    """
    Asks for a process that waits for `Begin`.

    `args` are Dagster's for the command `execute_run`; `folder` is where the code of the run is looked for first.
    """

    args: str
    folder: str | None


@dataclass(frozen=True)
class Forked:
    """There is a process that waits."""

    pid: int


@dataclass(frozen=True)
class Refused:
    """There is none; when the keeper `is_old`, a new one may do it."""

    why: str
    is_old: bool = False


@dataclass(frozen=True)
class Begin:
    """Lets a process go to work."""

    pid: int


@dataclass(frozen=True)
class Drop:
    """Ends a process that waits."""

    pid: int


Message = Ready | Fork | Forked | Refused | Begin | Drop

_KINDS: Mapping[str, type[Message]] = {
    kind.__name__: kind for kind in (Ready, Fork, Forked, Refused, Begin, Drop)
}


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a line, known to nobody else; either sees when the other end is closed, as by a death."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(line: socket.socket, message: Message) -> None:
    """Send a message; an OSError when the other side is gone."""
    line.sendall(json.dumps([type(message).__name__, asdict(message)]).encode())


def receive(line: socket.socket) -> Message | None:
    """The next message; None when the other side is gone."""
    packet = line.recv(_LARGEST)
    if not packet:
        return None
    kind, fields = json.loads(packet)
    return _KINDS[kind](**fields)


def command(executable: str, line: socket.socket, modules: Sequence[str]) -> list[str]:
    """The command that starts a keeper at the other end of a line."""
    return [executable, "-m", "lakehouse_assets.defs.warm.keeper", str(line.fileno()), *modules]
