import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lakehouse_assets
from lakehouse_assets.defs.foreground import run_in_foreground

ROOT = Path(lakehouse_assets.__file__).parents[1]

# a program with a child that outlives it, if nobody ends it
PROGRAM = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""

RUNNER = """
import os, sys
from lakehouse_assets.defs.foreground import run_in_foreground
sys.exit(run_in_foreground([sys.executable, "-c", sys.argv[1]], os.environ))
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_exit_code_is_that_of_the_program() -> None:
    assert run_in_foreground([sys.executable, "-c", "raise SystemExit(3)"], os.environ) == 3


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("ignored", [False, True])
def test_a_signal_ends_the_program_and_its_children(number: signal.Signals, ignored: bool) -> None:
    # a shell starts what it puts in the background with SIGINT ignored
    prepare = (lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignored else None
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, PROGRAM], stdout=subprocess.PIPE, cwd=ROOT, preexec_fn=prepare
    )
    assert runner.stdout is not None
    child = int(runner.stdout.readline())
    runner.send_signal(number)
    assert runner.wait(timeout=20) == 0
    until = time.monotonic() + 5
    while is_alive(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(child)
