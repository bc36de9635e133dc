"""Workers of a queue in Postgres, killed at any moment: every job is worked, few are worked twice."""

import multiprocessing
import os
import time
from collections import Counter
from pathlib import Path

import pytest

from lakehouse_assets.jobs import (
    DatasetJob,
    open_queue,
    procrastinate_claim,
    stage,
    stages,
    surrounded,
    work_queue,
)
from lakehouse_assets.lake import Lake
from tests.crash import processes
from tests.e2e.postgres import postgres_programs, running_postgres
from tests.factories import values_of

pytestmark = pytest.mark.crash

ROUNDS = int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "2"))
JOBS = 50
EVERY = 10
LEASE_SECONDS = "1.5"
# a worker has begun by then; afterwards it is killed within so many seconds
BEGUN, WORKING = 0.2, 1.5


@pytest.fixture(scope="module")
def server():
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no Postgres: install it with `apt-get install postgresql` (Debian)")
    with running_postgres(programs) as running:
        yield running.url


@pytest.fixture
def lake(server, tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_QUEUE_URI", server)
    monkeypatch.setenv("LAKEHOUSE_LEASE_SECONDS", LEASE_SECONDS)
    monkeypatch.setattr(stages, "_stages", {})
    made = Lake(tmp_path / "lake")
    made.create_dataset("acme")
    return made


def work(uri, log, env, ready):
    """Work all that is due, again and again; each job that is begun is a line in a file."""
    os.environ.update(env)
    # those that are worked one by one after a kill take their time
    procrastinate_claim._BEGUN = 5
    lines = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    @stage("first")
    def first(job):
        os.write(lines, f"first {job.payload['number']}\n".encode())
        with job.get_writer() as writer:
            writer.put(
                {"id": f"first-{job.payload['number']}", "schema": "Company", "properties": {"name": ["A"]}}
            )
        time.sleep(0.002)
        return DatasetJob(dataset="acme", queue="q", task="second", payload=job.payload)

    @stage("second")
    def second(job):
        os.write(lines, f"second {job.payload['number']}\n".encode())
        with job.get_writer() as writer:
            writer.put(
                {"id": f"second-{job.payload['number']}", "schema": "Company", "properties": {"name": ["B"]}}
            )

    lake = Lake(uri)
    queue = open_queue(lake)
    ready.send_bytes(b"")
    while any(counts.open for counts in queue.status("q")):
        work_queue(queue, "q", lake=lake, every=EVERY)
        time.sleep(0.1)


class Worker:
    def __init__(self, lake, log):
        context = multiprocessing.get_context("forkserver")
        ours, theirs = context.Pipe()
        names = ("LAKEHOUSE_QUEUE_URI", "LAKEHOUSE_LEASE_SECONDS")
        env = {name: os.environ[name] for name in names}
        self.process = context.Process(
            target=work, args=(str(lake.location.path), log, env, theirs), daemon=True
        )
        self.process.start()
        ours.recv_bytes()


def test_every_job_is_worked_however_often_workers_are_killed(lake, tmp_path, chance):
    queue = open_queue(lake)
    kills = repeated = 0
    for number in range(ROUNDS):
        log = tmp_path / f"begun-{number}"
        with surrounded(lake=lake, queue=queue):
            queue.defer(
                DatasetJob(dataset="acme", queue="q", task="first", payload={"number": f"{number}-{each}"})
                for each in range(JOBS)
            )
        two = [Worker(lake, log), Worker(lake, log)]
        for worker in two:
            time.sleep(BEGUN + chance.uniform(0, WORKING))
            kills += worker.process.is_alive()
            worker.process.kill()
            worker.process.join()
        last = Worker(lake, log)
        last.process.join(60)
        assert last.process.exitcode == 0
        repeated += check_round(lake, log, number)
    print(f"{kills} kills in {ROUNDS} rounds, {repeated} of {2 * JOBS * ROUNDS} jobs worked once more")
    assert repeated <= kills * 2 * EVERY
    assert list(queue.dead()) == []
    assert sum(counts.succeeded for counts in queue.status("q")) == 2 * JOBS * ROUNDS
    assert all(not counts.open for counts in queue.status("q"))


def check_round(lake, log: Path, number):
    """That each job was worked, and its entity is there; returns how many were worked again."""
    begun = Counter(log.read_text().splitlines())
    assert set(begun) == {f"{task} {number}-{each}" for task in ("first", "second") for each in range(JOBS)}
    written = {entity for entity, _, _ in values_of(lake.dataset("acme"))}
    assert {line.replace(" ", "-", 1) for line in begun} <= written
    return begun.total() - len(begun)


# the server that processes are forked from is that of all crash tests
assert processes.Worker
