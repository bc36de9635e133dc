import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lakehouse_assets
from lakehouse_assets.defs.foreground import run_in_foreground

ROOT = Path(lakehouse_assets.__file__).parents[1]

# a program with a child that outlives it, if nobody ends it
PROGRAM = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("started", flush=True)
time.sleep(60)
"""

RUNNER = """
import os, sys
from lakehouse_assets.defs.foreground import run_in_foreground
sys.exit(run_in_foreground([sys.executable, "-c", sys.argv[1]], os.environ))
"""


def test_the_exit_code_is_that_of_the_program() -> None:
    assert run_in_foreground([sys.executable, "-c", "raise SystemExit(3)"], os.environ) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("ignored", [False, True])
def test_a_signal_ends_the_program_and_its_children(number: signal.Signals, ignored: bool) -> None:
    # a shell starts what it puts in the background with SIGINT ignored
    prepare = (lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignored else None
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, PROGRAM], stdout=subprocess.PIPE, cwd=ROOT, preexec_fn=prepare
    )
    assert runner.stdout is not None
    assert runner.stdout.readline() == b"started\n"
    runner.send_signal(number)
    assert runner.wait(timeout=30) == 0
    # at its end as soon as nobody holds it open any more
    readable, _, _ = select.select([runner.stdout], [], [], 10)
    assert readable
    assert runner.stdout.read() == b""
