"""What one command costs: CPU seconds, wall seconds and peak memory, children included."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile


class CommandFailed(Exception):
    """A measured command did not exit with 0."""


@dataclass(frozen=True)
class Cost:
    """Costs of one command, or of several in a row."""

    cpu: float
    """User and system seconds of the process and of every child it waited for."""
    wall: float
    rss: int
    """Peak resident bytes of the largest single process, as the kernel counted them."""

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.cpu + other.cpu, self.wall + other.wall, max(self.rss, other.rss))


NOTHING = Cost(0.0, 0.0, 0)


def middle(costs: Sequence[Cost]) -> Cost:
    """The median of each figure; of memory the largest."""
    return Cost(
        median(cost.cpu for cost in costs),
        median(cost.wall for cost in costs),
        max(cost.rss for cost in costs),
    )


def run(command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> tuple[Cost, str]:
    """Run a command to its end; return its costs and what it wrote to stdout.

    `wait4` gives the figures of this child alone, unlike `getrusage(RUSAGE_CHILDREN)`, whose peak memory
    is that of the largest child so far.
    """
    with TemporaryFile() as out, TemporaryFile() as err:
        started = time.perf_counter()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=dict(env), cwd=cwd
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            err.seek(0)
            lines = err.read().decode(errors="replace").strip().splitlines() or ["no message"]
            raise CommandFailed(f"{' '.join(command)}: exit {child.returncode}: {lines[-1]}")
        out.seek(0)
        cost = Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024)
        return cost, out.read().decode(errors="replace")
