"""Workers of jobs, killed (SIGKILL) anywhere: each job is worked, few of them twice, what they wrote is there once."""

import os
from collections import Counter
from datetime import timedelta

import pytest

from lakehouse_assets.jobs import FileQueue, work_queue
from tests.crash import job_stages
from tests.crash.processes import Worker, seconds_of
from tests.crash.steps import JOBS
from tests.factories import make_dataset, rows_of

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures("long_locks")]

ROUNDS = int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "4"))
COUNT, EVERY = 60, 10
# of one lake
KILLS = 4
DEAD = {number for number in range(COUNT) if number % 25 == 24}


def lake_of_jobs(folder):
    """A lake in which jobs wait."""
    dataset = make_dataset(folder)
    assert len(FileQueue(dataset.lake).defer(job_stages.jobs(COUNT))) == COUNT
    return dataset


def finish(dataset, log, monkeypatch):
    monkeypatch.setattr(job_stages, "LOG", str(log))
    work_queue(FileQueue(dataset.lake), job_stages.QUEUE, lake=dataset.lake, every=EVERY)


def assert_all_is_done(dataset, log, kills):
    """Every job was worked, each kill had at most `EVERY` of them worked again, and everything is there once."""
    queue = FileQueue(dataset.lake)
    calls = Counter(log.read_text().split("\n")[:-1])
    well = set(range(COUNT)) - DEAD
    again = sum(calls.values()) - sum(_calls_without_kills().values())
    assert set(calls) == set(_calls_without_kills())
    assert 0 <= again <= kills * EVERY
    found = Counter((row["entity_id"], row["prop"]) for row in rows_of(dataset).iter_rows(named=True))
    names = {f"first-{number}" for number in well} | {f"first-{number}-too" for number in well}
    names |= {f"second-{number}" for number in well}
    assert found == Counter({(name, prop): 1 for name in names for prop in ("id", "name")})
    counts = {each.task: each for each in queue.status()}
    assert {letter.job.payload["number"] for letter in queue.dead()} == DEAD
    assert (counts[job_stages.FIRST].failed, counts[job_stages.FIRST].open) == (len(DEAD), 0)
    assert all(counts[task].succeeded >= len(well) for task in (job_stages.FIRST, job_stages.SECOND))
    assert queue.waiting(job_stages.QUEUE) == []
    assert [name for name in dataset.lake.states.jobs() if name.startswith("drain:")] == []
    return again


def _calls_without_kills():
    calls = Counter()
    for number in range(COUNT):
        fails = number in DEAD
        calls[f"{job_stages.FIRST}:{number}"] = 2 if fails or number % 7 == 6 else 1
        if not fails:
            calls[f"{job_stages.SECOND}:{number}"] = 1
    return calls


@pytest.mark.parametrize("start", range(4))
def test_workers_that_die_at_one_step_after_the_other_leave_work_to_the_next(
    tmp_path, monkeypatch, capsys, start
):
    dataset, log = lake_of_jobs(tmp_path / "lake"), tmp_path / "log"
    steps = list(JOBS)[start::4]
    for step in steps:
        assert Worker(dataset.lake.location.path, f"jobs@{step}", f"{EVERY}:{log}").die(), step
    finish(dataset, log, monkeypatch)
    again = assert_all_is_done(dataset, log, kills=len(steps))
    with capsys.disabled():
        print(f"\nkilled {len(steps)} times, when {', '.join(steps)}: {again} jobs worked again")


def test_workers_that_die_at_any_moment_lose_nothing(tmp_path, monkeypatch, chance, capsys):
    lake = lake_of_jobs(tmp_path / "first").lake.location.path
    seconds = seconds_of(lake, "jobs", f"{EVERY}:{tmp_path / 'log-of-first'}")
    finished = again = 0
    # of one lake the work would soon be done
    for start in range(0, ROUNDS, KILLS):
        dataset, log = lake_of_jobs(tmp_path / f"lake{start}"), tmp_path / f"log{start}"
        log.touch()
        kills = min(KILLS, ROUNDS - start)
        for _ in range(kills):
            worker = Worker(dataset.lake.location.path, "jobs", f"{EVERY}:{log}")
            too_late = worker.kill_after(chance.uniform(0, seconds / 2))
            finished += too_late
            kills -= too_late
        finish(dataset, log, monkeypatch)
        again += assert_all_is_done(dataset, log, kills=kills)
    with capsys.disabled():
        print(f"\nkilled {ROUNDS} times, {finished} of them too late: {again} jobs worked again")


def test_workers_beside_each_other_of_which_one_dies_share_the_work(tmp_path, monkeypatch, chance, capsys):
    dataset, log = lake_of_jobs(tmp_path / "lake"), tmp_path / "log"
    log.touch()
    workers = [Worker(dataset.lake.location.path, "jobs", f"{EVERY}:{log}") for _ in range(3)]
    for worker in workers[1:]:
        worker.begin()
    died = not workers[0].kill_after(chance.uniform(0.2, 1))
    done = [int(worker.finish().split()[0]) for worker in workers[1:]]
    finish(dataset, log, monkeypatch)
    # what it had handed on, and not noted, others may have begun before it is handed on again
    again = assert_all_is_done(dataset, log, kills=2 * died)
    with capsys.disabled():
        print(f"\nothers worked {done} jobs beside it, {again} were worked again")


def test_a_job_that_kills_its_worker_each_time_becomes_a_dead_letter(tmp_path, monkeypatch):
    dataset, log = make_dataset(tmp_path / "lake"), tmp_path / "log"
    queue = FileQueue(dataset.lake)
    queue.defer(job_stages.jobs(6, job_stages.DEADLY))
    deaths = 0
    while Worker(dataset.lake.location.path, "jobs", f"{EVERY}:{log}").die():
        deaths += 1
        assert deaths < 10
    assert deaths == 3
    (letter,) = queue.dead()
    assert letter.job.payload == {"number": 3}
    assert letter.error.startswith("WorkerDied")
    calls = Counter(log.read_text().split("\n")[:-1])
    assert calls[f"{job_stages.DEADLY}:3"] == 3
    assert calls[f"{job_stages.DEADLY}:5"] == 1
    (counts,) = queue.status()
    assert (counts.succeeded, counts.failed, counts.total) == (5, 1, 6)


def test_what_the_dead_left_behind_is_swept(tmp_path, monkeypatch):
    dataset, log = lake_of_jobs(tmp_path / "lake"), tmp_path / "log"
    for step in ("a batch is counted", "the bookmark is gone", "a batch is let go of"):
        assert Worker(dataset.lake.location.path, f"jobs@{step}", f"{EVERY}:{log}").die()
    queue = FileQueue(dataset.lake)
    assert queue.sweep() == []
    assert len(queue.sweep(older=timedelta(0))) > 0
    assert queue.sweep(older=timedelta(0)) == []
    finish(dataset, log, monkeypatch)
    queue.sweep(older=timedelta(0))
    assert_all_is_done(dataset, log, kills=3)
    left = {path.parent.name for path in (tmp_path / "lake/.lakehouse/queue").rglob("*.*") if path.suffix}
    assert left == {"dead", "done"}
