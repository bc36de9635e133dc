"""What the settings in examples/production stand on: a Dagster with Postgres, measured.

python benchmarks/instance.py                    # all of it, some minutes
python benchmarks/instance.py events waiting     # parts of it

Needs Postgres' programs, as `apt-get install postgresql` brings them. Wall times depend on what else the machine does.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.e2e.conftest import eventually  # noqa: E402
from tests.e2e.postgres import Postgres, postgres_programs, running_postgres  # noqa: E402
from tests.e2e.production import EXAMPLES, Production, running_production  # noqa: E402

LOGS = """
query ($run: ID!) {
  logsForRun(runId: $run) {
    ... on EventConnection { events { ... on MessageEvent { eventType timestamp message } } }
  }
}
"""
RETRY = """
query ($run: String!) {
  runsOrError(filter: { tags: [{ key: "dagster/parent_run_id", value: $run }] }) {
    ... on Runs { results { runId status } }
  }
}
"""
TICKS = "select count(*) from job_ticks"
WHERE = {"repositoryName": "__repository__", "repositoryLocationName": "lakehouse_assets"}
QUEUE = "dequeue_interval_seconds: 1"
FORCE: dict[str, object] = {"ops": {"merge_statements": {"config": {"force": True}}}}

# prints the milliseconds and CPU milliseconds of one event
REPORT = """
import sys, time
import dagster as dg
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    def report(number):
        instance.report_runless_asset_event(dg.AssetMaterialization("statements", partition=f"d{number}"))
    report(-1)
    began, cpu = time.perf_counter(), time.process_time()
    for number in range(100):
        report(number)
    print((time.perf_counter() - began) * 10, (time.process_time() - cpu) * 10)
"""


def main() -> None:
    """Measure, and print a line for each figure."""
    parts = {
        "events": events,
        "waiting": waiting,
        "idle": idle,
        "memory": memory,
        "killed": killed,
        "growth": growth,
        "ticks": ticks,
    }
    parser = argparse.ArgumentParser(description="Measure a Dagster with Postgres.")
    parser.add_argument("part", nargs="*", help=f"which of {', '.join(parts)}; all by default")
    wanted = parser.parse_args().part or list(parts)
    programs = postgres_programs()
    if programs is None:
        sys.exit("no Postgres: install it with `apt-get install postgresql` (Debian)")
    for name in wanted:
        parts[name](programs)


def events(programs: Path) -> None:
    """What an event costs, written by one process and by four at once, to SQLite and to Postgres."""
    with tempfile.TemporaryDirectory() as folder, running_postgres(programs) as postgres:
        homes = {"sqlite": Path(folder) / "sqlite", "postgres": Path(folder) / "postgres"}
        for home in homes.values():
            home.mkdir()
        (homes["sqlite"] / "dagster.yaml").touch()
        shutil.copy(EXAMPLES / "dagster.yaml", homes["postgres"])
        for name, home in homes.items():
            for writers in (1, 4):
                command = [sys.executable, "-c", REPORT, str(home)]
                environment = {**os.environ, **postgres.environment(), "DAGSTER_HOME": str(home)}
                # the first one makes the tables
                subprocess.run(command, env=environment, check=True, capture_output=True)
                running = [
                    subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
                    for _ in range(writers)
                ]
                told = [tuple(map(float, each.communicate()[0].split()[-2:])) for each in running]
                wall, cpu = (median(each[place] for each in told) for place in (0, 1))
                say(f"an event, {name}, {writers} writers at once", f"{wall:.1f} ms, {cpu:.1f} ms of CPU")


def waiting(programs: Path) -> None:
    """From asking for a run to its end, by how often the queue is looked at; one dataset, one after the other."""
    for seconds in (5, 1):
        with production(programs, f"dequeue_interval_seconds: {seconds}") as running:
            dataset(running, "acme", entities=1000)
            spent = [phases(running, launch(running, "acme")) for _ in range(5)]
            queued, started, worked = (median(each[place] for each in spent) for place in range(3))
            say(
                f"a run, the queue looked at every {seconds} s",
                f"{queued:.1f} s in the queue, {started:.1f} s to start, {worked:.1f} s of work",
            )


def idle(programs: Path) -> None:
    """What it costs to wait for work, all sensors running, by how often the queue is looked at."""
    for seconds in (5, 1):
        with production(programs, f"dequeue_interval_seconds: {seconds}", sensors=True) as running:
            dataset(running, "acme", entities=1)
            time.sleep(60)
            began, before, cpu = time.monotonic(), transactions(running.database), cpu_of(running)
            time.sleep(60)
            passed = time.monotonic() - began
            rate = (transactions(running.database) - before) / passed
            share = {name: (now - cpu[name]) / passed for name, now in cpu_of(running).items()}
            told = ", ".join(f"{name} {part:.1%}" for name, part in share.items())
            say(
                f"idle, the queue looked at every {seconds} s",
                f"{rate:.0f} transactions a second; CPU: {told}",
            )


def memory(programs: Path) -> None:
    """What the programs take, and a run that makes everything of 100,000 entities."""
    with production(programs) as running:
        dataset(running, "acme", entities=100_000)
        run = running.launch("make", "acme")
        peak = 0
        while (
            running.query("query ($id: ID!) { runOrError(runId: $id) { ... on Run { endTime } } }", id=run)[
                "runOrError"
            ]["endTime"]
            is None
        ):
            pid = worker(running, run)
            peak = max(peak, status_of(pid, "VmHWM") if pid else 0)
            time.sleep(0.5)
        for name, process in running.processes.items():
            total = sum(status_of(pid, "VmRSS") for pid in family(process.pid))
            say(f"memory of the {name} server" if name != "daemon" else "memory of the daemon", f"{total} MB")
        say("memory of a run, make of 100,000 entities, at most", f"{peak} MB")


def killed(programs: Path) -> None:
    """From the kill of a run's process to the failure, the next try, and its end."""
    with production(programs) as running:
        dataset(running, "acme", entities=20_000)
        spent = []
        for _ in range(3):
            run = launch(running, "acme")
            pid = eventually(lambda run=run: worker(running, run), within=60, what="the process of a run")
            eventually(lambda run=run: "STEP_START" in seen(running, run), within=60, what="its step")
            os.kill(pid, signal.SIGKILL)
            at = time.time()
            running.finish(run)
            again = eventually(lambda run=run: retry(running, run), within=180, what="the next try")
            assert running.finish(again) == "SUCCESS"
            first, second = seen(running, run), seen(running, again)
            spent.append((first["RUN_FAILURE"] - at, second["RUN_START"] - at, second["RUN_SUCCESS"] - at))
        failed, started, ended = (median(each[place] for each in spent) for place in range(3))
        say(
            "a run whose process is killed",
            f"failed after {failed:.0f} s, works again after {started:.0f} s, done after {ended:.0f} s",
        )


def growth(programs: Path) -> None:
    """How the database grows with runs."""
    with production(programs) as running:
        dataset(running, "acme", entities=1000)
        force: dict[str, object] = {
            "ops": {
                asset: {"config": {"force": True}}
                for asset in ("statements_csv", "entities_json", "index_json")
            }
        }
        running.finish(running.launch("make", "acme", config=force))
        before = size_of(running.database)
        for _ in range(3):
            running.finish(running.launch("make", "acme", config=force))
        say("the database, a run of make", f"{(size_of(running.database) - before) / 3 / 1000:.0f} kB")


def ticks(programs: Path) -> None:
    """How many rows the looks of sensors and schedules leave, and how large."""
    with production(programs, sensors=True) as running:
        dataset(running, "acme", entities=1)
        time.sleep(60)
        before = ask(running.database, TICKS)
        time.sleep(120)
        each = ask(running.database, "select avg(pg_column_size(job_ticks.*)) from job_ticks")
        say(
            "looks of sensors",
            f"{(ask(running.database, TICKS) - before) / 2:.0f} a minute, {each} bytes each",
        )


@contextmanager
def production(
    programs: Path, queue: str = "dequeue_interval_seconds: 1", *, sensors: bool = False
) -> Iterator[Production]:
    """A server whose sensors, unless they are wanted, are stopped: what they launch would be measured, too."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {QUEUE: queue}
        with running_production(Path(folder), programs, **settings) as running:
            if not sensors:
                running.stop_sensors()
            yield running


def dataset(running: Production, name: str, *, entities: int) -> None:
    """A dataset of generated entities that the instance knows."""
    file = running.folder / f"{name}.ftm.json"
    generate = [sys.executable, str(ROOT / "benchmarks" / "generate.py")]
    subprocess.run(
        [*generate, "--entities", str(entities), "--out", str(file)], check=True, capture_output=True
    )
    running.lake.create_dataset(name).import_files([file], trusted=True)
    running.query(
        "mutation ($where: RepositorySelector!, $name: String!) { addDynamicPartition(repositorySelector: $where, "
        'partitionsDefName: "dataset", partitionKey: $name) { __typename } }',
        where=WHERE, name=name,
    )  # fmt: skip


def launch(running: Production, name: str) -> str:
    """A run that has little to do: a merge."""
    return running.launch("merge", name, config=FORCE)


def phases(running: Production, run: str) -> tuple[float, float, float]:
    """Seconds in the queue, to the start of its process' work, and of work."""
    assert running.finish(run) == "SUCCESS"
    at = seen(running, run)
    return (
        at["RUN_STARTING"] - at["RUN_ENQUEUED"],
        at["RUN_START"] - at["RUN_STARTING"],
        at["RUN_SUCCESS"] - at["RUN_START"],
    )


def seen(running: Production, run: str) -> dict[str, float]:
    """When the events of a run were, by their kind."""
    return {event["eventType"]: float(event["timestamp"]) / 1000 for event in logs(running, run)}


def logs(running: Production, run: str) -> list[dict[str, Any]]:
    """The events of a run."""
    return list(running.query(LOGS, run=run)["logsForRun"]["events"])


def worker(running: Production, run: str) -> int | None:
    """The process of a run, as it says itself."""
    for event in logs(running, run):
        if found := re.search(r"Started process for run \(pid: (\d+)\)", event["message"]):
            return int(found[1])
    return None


def retry(running: Production, run: str) -> str | None:
    """The run that takes the place of another."""
    found = running.query(RETRY, run=run)["runsOrError"]["results"]
    return found[0]["runId"] if found else None


def family(pid: int) -> Sequence[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    below = [int(child) for child in children.read_text().split()] if children.exists() else []
    return [pid, *(each for child in below for each in family(child))]


def status_of(pid: int, field: str) -> int:
    """A figure of a process' memory, in MB."""
    try:
        found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except FileNotFoundError:
        return 0
    return int(found[1]) // 1000 if found else 0


def cpu_of(running: Production) -> dict[str, float]:
    """The CPU seconds of each program so far, its children included."""
    ticks = os.sysconf("SC_CLK_TCK")
    spent = {}
    for name, process in running.processes.items():
        lines = [
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in family(process.pid)
        ]
        spent[name] = sum(int(fields[place]) for fields in lines for place in (11, 12, 13, 14)) / ticks
    return spent


def ask(database: Postgres, query: str) -> int:
    """One number of the database."""
    import psycopg2

    with psycopg2.connect(database.url) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])


def transactions(database: Postgres) -> int:
    """How many there were."""
    return ask(database, "select xact_commit from pg_stat_database where datname = current_database()")


def size_of(database: Postgres) -> int:
    """The bytes of all tables and indexes."""
    return ask(database, "select pg_database_size(current_database())")


def say(what: str, told: str) -> None:
    """A figure."""
    print(f"{what:60} {told}", flush=True)


if __name__ == "__main__":
    main()
