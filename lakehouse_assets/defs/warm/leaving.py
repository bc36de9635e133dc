"""The end of a fork: as that of any process, but that nothing is taken apart which goes with it anyway."""

import atexit
import gc
import io
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

_FILES = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


def leave(work: Callable[[], None]) -> NoReturn:
    """
    Do some work and end the process, with the exit code 1 when the work raised.

    Threads are waited for, what was registered with `atexit` is called, and what was written to files goes to them.
    Then the process is over: to take all of Dagster apart, as an interpreter does, costs a fifth of an empty run.
    """
    code = 1
    try:
        work()
        code = 0
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    try:
        # as multiprocessing ends its forks
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        _flush()
    finally:
        os._exit(code)


def _flush() -> None:
    """Write what somebody wrote to a file and did not close; the text before the bytes that it becomes."""
    files = [each for each in gc.get_objects() if type(each) in _FILES]
    for file in sorted(files, key=lambda file: _FILES.index(type(file))):
        # a reader, one that is closed, or a full disk: nobody is left to be told
        with suppress(OSError, ValueError):
            file.flush()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
