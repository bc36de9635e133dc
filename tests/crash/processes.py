"""Starting workers, and killing them at any moment."""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
STRESS = float(os.environ.get("LAKEHOUSE_STRESS_SECONDS", "4"))
"""How long workers work beside each other."""


class Worker:
    """A process that is ready, and waits for the word to begin."""

    def __init__(self, lake, what, argument):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.worker", str(lake), what, str(argument)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "POLARS_MAX_THREADS": "2"},
        )
        assert self.process.stdout.readline() == "ready\n", self.process.communicate()[1]

    def begin(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def finish(self):
        """What it printed; an assertion when it failed."""
        out, err = self.process.communicate(timeout=STRESS + 120)
        assert self.process.returncode == 0, err
        return out

    def kill_after(self, seconds):
        """Let it work that long, then kill it for good; whether it had ended by itself before."""
        self.begin()
        time.sleep(seconds)
        self.process.send_signal(signal.SIGKILL)
        self.printed, _ = self.process.communicate()
        return "done" in self.printed


def finish_all(workers):
    """What each of several workers printed; all are read at once, as none can go on while nobody takes what it says."""
    with ThreadPoolExecutor(len(workers)) as pool:
        return list(pool.map(Worker.finish, workers))


def files_on_disk(dataset):
    """How many data files of its table lie there."""
    return sum(1 for _ in dataset.location.path.glob("statements/shard=*/**/*.parquet"))


def seconds_of(lake, what, argument):
    """How long it takes when nobody kills it."""
    worker = Worker(lake, what, argument)
    started = time.monotonic()
    worker.begin()
    # some tell how far they are before
    while worker.process.stdout.readline() != "done\n":
        assert worker.process.poll() is None
    seconds = time.monotonic() - started
    worker.finish()
    return seconds


def kill_somewhere(lake, what, argument, seconds, chance: random.Random):
    """Run it and kill it at a random moment of its work; whether it had ended before."""
    return Worker(lake, what, argument).kill_after(chance.uniform(0, seconds * 1.1))
