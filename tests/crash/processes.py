"""Starting workers, and killing them at any moment."""

import multiprocessing
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from tests.crash import worker

STRESS = float(os.environ.get("LAKEHOUSE_STRESS_SECONDS", "4"))
"""How long workers work beside each other."""

# forked from a process that has loaded what is slow to load and starts no threads, so that a hundred kills are cheap
_fork = multiprocessing.get_context("forkserver")
_fork.set_forkserver_preload(["duckdb", "followthemoney", "lakehouse_assets.lake", "tests.crash.worker"])


class Worker:
    """A process that is ready, and waits for the word to begin."""

    def __init__(self, lake, what, argument):
        ours, theirs = _fork.Pipe()
        env = {**os.environ, "POLARS_MAX_THREADS": "2"}
        self.process = _fork.Process(
            target=worker.serve, args=(theirs, env, str(lake), what, str(argument)), daemon=True
        )
        self.process.start()
        theirs.close()
        self._connection = ours
        self._said = open(ours.fileno(), closefd=False)  # noqa: SIM115
        assert self._said.readline() == "ready\n", self._said.read()

    def begin(self):
        self._connection.send_bytes(b"")

    def wait(self):
        """Until it is done; some tell how far they are before."""
        for line in self._said:
            if line == "done\n":
                return
        self._end()
        raise AssertionError(f"it died with {self.process.exitcode}")

    def finish(self):
        """What it printed; an assertion when it failed."""
        late = threading.Timer(STRESS + 120, self.process.kill)
        late.start()
        self._end()
        late.cancel()
        assert self.process.exitcode == 0, self.printed
        return self.printed

    def kill_after(self, seconds):
        """Let it work that long, then kill it for good; whether it had ended by itself before."""
        self.begin()
        time.sleep(seconds)
        self.process.kill()
        self._end()
        return "done" in self.printed

    def die(self):
        """Let it work until it ends by itself; whether it was killed."""
        self.begin()
        self._end()
        return self.process.exitcode == -signal.SIGKILL

    def _end(self):
        try:
            self.printed = self._said.read()
        except ConnectionResetError:
            # killed before it had read the word to begin
            self.printed = ""
        self.process.join()
        self._connection.close()


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
    worker.wait()
    seconds = time.monotonic() - started
    worker.finish()
    return seconds


def kill_somewhere(lake, what, argument, seconds, chance: random.Random):
    """Run it and kill it at a random moment of its work; whether it had ended before."""
    return Worker(lake, what, argument).kill_after(chance.uniform(0, seconds))
