"""A program that runs in the foreground, with all its children, until it ends or is stopped."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PATIENCE = 15.0
_LAST_PATIENCE = 5.0


def run_in_foreground(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """
    Run a program and return its exit code, 0 when it was stopped by a signal to this process.

    It gets a process group of its own, which is stopped as a whole: none of its children is left behind.
    """
    stopped = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)
        _signal(process, signal.SIGINT)

    # before the start: what this process catches, its child does not inherit as ignored
    with _caught(lambda number, frame: stopped.append(number)):
        process = subprocess.Popen(list(command), env=dict(environment), start_new_session=True)
        with _caught(stop):
            if stopped:
                _signal(process, signal.SIGINT)
            code = _wait(process, stopped)
        _end(process)
    return 0 if stopped else code


def _wait(process: "subprocess.Popen[bytes]", stopped: list[int]) -> int:
    """The exit code; a process that was asked to stop gets some time to do so."""
    while not stopped:
        try:
            return process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            continue
    for number, patience in ((signal.SIGTERM, _PATIENCE), (signal.SIGKILL, _LAST_PATIENCE)):
        try:
            return process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            _signal(process, number)
    return process.wait()


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End what is left of the group."""
    _signal(process, signal.SIGTERM)


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        # all gone
        return


@contextmanager
def _caught(handler: "signal._HANDLER") -> Iterator[None]:
    """Take the signals that mean stop."""
    before = {number: signal.signal(number, handler) for number in _STOPS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
