"""Jobs: how many are deferred and worked a second, what each costs, and how soon the first one begins.

python benchmarks/jobs.py                      # all of it, some minutes
python benchmarks/jobs.py files                # parts of it

`files` is the queue in the files of a lake, worked by one process without Dagster; `dagster` the same under its daemon;
`postgres` the queue in a database, and procrastinate's own beside it.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import jobs_work  # noqa: E402
from harness.measure import run  # noqa: E402
from harness.tables import table  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
WANTED = 0.10
LOOKS = 5
# in seconds, so that little goes unseen of a process that ends
LOOK = 0.01

Row = list[str]


def main() -> int:
    """Measure, and print a table; the exit code."""
    parts = {"files": files, "postgres": postgres, "dagster": dagster}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", nargs="*", help=f"which of {', '.join(parts)}; all by default")
    parser.add_argument("--jobs", type=int, default=10_000)
    given = parser.parse_args()
    rows: list[Row] = []
    for name in given.part or parts:
        with tempfile.TemporaryDirectory() as folder:
            rows += parts[name](Path(folder), given.jobs)
    print(table(["", "wall", "of a processor", "note"], rows))
    return 0


def files(folder: Path, count: int) -> Iterator[Row]:
    """The queue in a lake's files."""
    (folder / "lake").mkdir()
    yield from of_queue(folder, count, "in files", "jobs_work.py", folder / "lake")


def postgres(folder: Path, count: int) -> Iterator[Row]:
    """The queue in Postgres, and procrastinate without ours."""
    from tests.e2e.postgres import postgres_programs, running_postgres

    programs = postgres_programs()
    if programs is None:
        yield ["no Postgres", "", "", "apt-get install postgresql"]
        return
    (folder / "lake").mkdir()
    with running_postgres(programs) as server:
        uri = {"LAKEHOUSE_QUEUE_URI": server.url}
        yield from of_queue(folder, count, "in Postgres", "jobs_work.py", folder / "lake", **uri)
        yield from of_queue(folder, count, "by procrastinate", "jobs_native.py", server.url)


def of_queue(
    folder: Path, count: int, where: str, script: str, target: object, **environment: str
) -> Iterator[Row]:
    """Deferring and working, each by a process of its own."""
    singly = max(1, count // 10)
    for what, title, jobs in (
        ("defer", f"{count:,} jobs {where}: deferred in one call", count),
        ("work", f"{count:,} jobs of 1 ms {where}: worked by one process", count),
        ("singly", f"{singly:,} jobs {where}: deferred one by one", singly),
        ("work", f"{singly:,} jobs of 1 ms {where}: worked after that", singly),
    ):
        found = process(folder, script, target, what, jobs, **environment)
        rate = f"{jobs / found['wall']:,.0f} a second"
        own = found["cpu"] - (jobs * jobs_work.own() if what == "work" else 0)
        yield [title, f"{found['wall']:.2f} s", f"{own / jobs * 1000:.3f} ms a job", rate]


def process(
    folder: Path, script: str, target: object, what: str, count: int, **more: str
) -> dict[str, float]:
    """What one process took, without its start."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), jobs_work.NOTES: str(folder), **more}
    command = [sys.executable, str(ROOT / "benchmarks" / script), str(target), what, str(count)]
    _, out = run(command, env=environment, cwd=folder)
    return dict(json.loads(out.splitlines()[-1]))


def dagster(folder: Path, count: int) -> Iterator[Row]:
    """The same queue under Dagster's daemon: from the first event to the last job."""
    from lakehouse_assets import Lake
    from lakehouse_assets.defs.queue_events import EventLogQueue
    from tests.e2e.conftest import eventually

    (folder / "lake").mkdir()
    lake = Lake(folder / "lake")
    with daemon_on(folder, lake) as daemon, daemon.instance() as instance:
        queue = EventLogQueue(lake, instance.report_runless_asset_event)

        def is_idle() -> bool:
            return not queue.waiting(jobs_work.QUEUE) and all(run.is_finished for run in instance.get_runs())

        def first(name: str) -> dict[str, float]:
            # a run may end a tenth of a second after its only job
            until = time.monotonic() + 180
            while time.monotonic() < until:
                if (folder / name).is_file():
                    return dict(json.loads((folder / name).read_text()))
                time.sleep(LOOK)
            sys.exit(f"no job {name} within three minutes")

        def timed(jobs: list[jobs_work.Job], name: str) -> tuple[float, float, float]:
            """Seconds from the call to the first job and to the end of the run, and of a processor in the run."""
            began = time.time()
            queue.defer(jobs)
            started = first(name)
            cpu = cpu_until_the_end(int(started["pid"]))
            ended = time.time()
            eventually(is_idle, within=60, what="the end of the run")
            return started["at"] - began, ended - began, cpu

        warm = jobs_work.Job(queue=jobs_work.QUEUE, task="spin", payload={"seconds": 0, "note": "warm"})
        timed([warm], "warm")
        spent = []
        for number in range(LOOKS):
            # at any moment between two looks of the sensor
            time.sleep(number * 5 / LOOKS)
            payload = {"seconds": 0, "note": f"look{number}"}
            spent.append(timed([warm.model_copy(update={"payload": payload})], f"look{number}"))
        cost = median(each[2] for each in spent)
        soonest, latest = min(each[0] for each in spent), max(each[0] for each in spent)
        yield [
            "a job, from defer to its stage",
            f"{median(each[0] for each in spent):.1f} s",
            f"{cost:.2f} s a run",
            f"{soonest:.1f} to {latest:.1f} s",
        ]
        for jobs in sorted({count, 17_000, 40_000}):
            latency, wall, cpu = timed(jobs_work.jobs(jobs), f"first-of-{jobs}")
            work = jobs * jobs_work.own()
            yield [
                f"{jobs:,} jobs of 1 ms",
                f"{wall:.1f} s",
                f"{cpu:.1f} s, {(cpu - work) / jobs * 1000:.3f} ms a job besides its own",
                f"first after {latency:.1f} s, {jobs / wall:,.0f} a second, overhead {(cpu - work) / work:.1%}",
            ]
        # of the larger number, which tells best what a job costs besides what a run does
        each, own = (cpu - cost) / jobs, jobs_work.own()
        left = WANTED * own - (each - own)
        found = (
            f"from {cost / left:,.0f} jobs of 1 ms in a run on" if left > 0 else "never, with jobs of 1 ms"
        )
        yield [
            f"overhead below {WANTED:.0%}",
            "",
            f"{(each - own) * 1000:.3f} ms a job, {cost:.2f} s a run",
            found,
        ]


@contextmanager
def daemon_on(folder: Path, lake):
    """Dagster's daemon on a lake whose stages are those of `jobs_work`."""
    from tests.e2e.daemon import Daemon

    os.environ |= {
        "LAKEHOUSE_STAGES": "jobs_work",
        # each job of its own is the first one for some time
        "LAKEHOUSE_QUEUE_SECONDS": "0",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "benchmarks")]),
        jobs_work.NOTES: str(folder),
    }
    daemon = Daemon(folder, lake)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.stop()


def cpu_until_the_end(pid: int) -> float:
    """The seconds of a processor that a process has taken when it ends."""
    seconds = 0.0
    while True:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return seconds
        if fields[0] == "Z":
            return seconds
        seconds = (int(fields[11]) + int(fields[12])) / TICK
        time.sleep(LOOK)


if __name__ == "__main__":
    sys.exit(main())
