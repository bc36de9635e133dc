"""
The keeper, a program of its own: has loaded what every run needs, and forks.

It has one thread, no connection to anything, and nothing built; so a fork of it is as good as a new process. It ends
when whoever started it is gone and its last fork has ended. Of a fork that dies, another one tells Dagster.
"""

import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from lakehouse_assets.defs.warm import preload, worker
from lakehouse_assets.defs.warm.leaving import leave
from lakehouse_assets.defs.warm.messages import (
    BEGIN,
    DONE,
    Begin,
    Drop,
    Fork,
    Forked,
    Message,
    Ready,
    Refused,
    pair,
    receive,
    send,
)

_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)

Work = Callable[[], None]
"""What a fork has to do."""


@dataclass
class _Run:
    """A run that a fork does: the line to it, and what it was told."""

    line: socket.socket
    args: str
    is_begun: bool = False


def main(number: int, modules: Sequence[str]) -> None:
    """Load, and serve the other end of the line with this number; in a fork, do its work."""
    began = time.time_ns()
    preload.load(modules)
    # what changed meanwhile was loaded as it was before, or not
    signs = {file: (-1, -1) if sign[1] >= began else sign for file, sign in preload.signs().items()}
    # what waits to be written would be written by each fork
    sys.stdout.flush()
    sys.stderr.flush()
    gc.collect()
    # a collection in a fork would copy all pages
    gc.freeze()
    with socket.socket(fileno=number) as line:
        line.set_inheritable(False)
        if (why := preload.unsafe()) is not None:
            send(line, Refused(why))
            return
        send(line, Ready(len(sys.modules), time.process_time()))
        work = Keeper(line, signs).serve()
    if work is not None:
        leave(work)


class Keeper:
    """Forks for whoever is at the other end of a line."""

    def __init__(self, line: socket.socket, signs: preload.Signs) -> None:
        self._line = line
        self._signs = signs
        self._is_open = True
        self._is_old = ""
        self._runs: dict[int, _Run] = {}
        self._reporters: set[int] = set()
        self._wakes, self._woken = socket.socketpair()
        self._before = {number: signal.getsignal(number) for number in _HANDLED}

    def serve(self) -> Work | None:
        """Fork until nobody asks any more and all forks have ended; in a fork, what it has to do."""
        self._handle_signals()
        while self._runs or self._reporters or (self._is_open and not self._is_old):
            asks = [self._line] if self._is_open else []
            readable, _, _ = select.select([*asks, self._wakes], [], [])
            if self._wakes in readable:
                self._wakes.recv(4096)
                if (work := self._reap()) is not None:
                    return work
            if self._line in readable and (work := self._answer()) is not None:
                return work
        return None

    def _handle_signals(self) -> None:
        self._wakes.setblocking(False)
        self._woken.setblocking(False)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, self._stop)
        # whoever presses Ctrl-C stops all of the group: the forks tell how they end, and with the last one this ends
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Fork no more."""
        self._is_old = "it was asked to stop"

    def _answer(self) -> Work | None:
        try:
            asked = receive(self._line)
        except OSError:
            asked = None
        if isinstance(asked, Fork):
            return self._asked_to_fork(asked)
        if isinstance(asked, Begin):
            self._begin(asked.pid)
        elif isinstance(asked, Drop):
            self._drop(asked.pid)
        elif asked is None:
            self._hang_up()
        return None

    def _asked_to_fork(self, asked: Fork) -> Work | None:
        if not self._is_old and (file := preload.changed(self._signs)) is not None:
            self._is_old = f"{file} was changed"
        if self._is_old:
            self._say(Refused(self._is_old, is_old=True))
            return None
        if (why := _other_code(asked.folder)) is not None:
            self._say(Refused(why))
            return None
        try:
            ours, theirs = pair()
            pid = self._fork()
        except OSError as exc:
            self._say(Refused(f"the system gives no process: {exc}"))
            return None
        if not pid:
            ours.close()
            return lambda: worker.work(theirs, asked.args)
        theirs.close()
        self._runs[pid] = _Run(ours, asked.args)
        self._say(Forked(pid))
        return None

    def _begin(self, pid: int) -> None:
        run = self._runs.get(pid)
        if run is None:
            return
        run.is_begun = True
        # one that is killed while it waits is found by its end
        with suppress(OSError):
            run.line.sendall(BEGIN)

    def _drop(self, pid: int) -> None:
        """Let a process see that there is nothing to wait for any more; one that has begun goes on."""
        run = self._runs.get(pid)
        if run is not None and not run.is_begun:
            run.line.close()

    def _hang_up(self) -> None:
        """Nobody asks any more, or lets a process begin that waits."""
        self._is_open = False
        for pid in self._runs:
            self._drop(pid)

    def _say(self, message: Message) -> None:
        try:
            send(self._line, message)
        except OSError:
            self._hang_up()

    def _fork(self) -> int:
        """The number of a new process; 0 in it, in which nothing is left of what the keeper listens to."""
        # no signal may find the handlers of the keeper in a fork
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        try:
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                for number, handler in self._before.items():
                    signal.signal(number, handler)
                # a fork that held the line to another one would keep it from seeing that the keeper is gone
                for line in (
                    self._line,
                    self._wakes,
                    self._woken,
                    *(run.line for run in self._runs.values()),
                ):
                    line.close()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        return pid

    def _reap(self) -> Work | None:
        """Take note of all that have ended; in a fork, tell of the one that did not end well."""
        while self._runs or self._reporters:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            self._reporters.discard(pid)
            run = self._runs.pop(pid, None)
            if run is None:
                continue
            is_dead = run.is_begun and not _is_done(run.line)
            run.line.close()
            if is_dead:
                reporter = self._fork()
                if not reporter:
                    code = os.waitstatus_to_exitcode(status)
                    return lambda: worker.report_death(run.args, pid, code)
                self._reporters.add(reporter)
        return None


def _is_done(line: socket.socket) -> bool:
    """Whether a fork that has ended said that it was at the end of its work."""
    line.setblocking(False)
    try:
        return line.recv(len(DONE)) == DONE
    except OSError:
        return False


def _other_code(folder: str | None) -> str | None:
    """Why what is loaded is not what a process that begins in this folder would load; None when it is the same."""
    import lakehouse_assets

    ours = Path(lakehouse_assets.__file__).parent
    found = Path(folder or "") / ours.name
    if found.is_dir() and not found.samefile(ours):
        return f"the code in {found} is not that of {ours}"
    return None


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
