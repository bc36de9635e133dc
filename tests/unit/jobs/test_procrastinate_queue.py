"""The queue in Postgres: all that the other queues do, and what only a server of its own has to stand."""

import sys
from datetime import timedelta

import procrastinate
import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData, LeaseLost, StorageError
from lakehouse_assets.jobs import Job, load_stages, open_queue, stage, surrounded, work, work_queue
from lakehouse_assets.jobs.postgres import Database, open_database
from lakehouse_assets.jobs.procrastinate_queue import ProcrastinateQueue
from lakehouse_assets.jobs.queue import Settlement
from lakehouse_assets.lake import Lake
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.garbage import Clock
from tests.e2e.postgres import postgres_programs, running_postgres
from tests.unit.jobs.test_working_jobs import *  # noqa: F403


@pytest.fixture(scope="module")
def server():
    programs = postgres_programs()
    if programs is None:
        pytest.skip("no Postgres: install it with `apt-get install postgresql` (Debian)")
    with running_postgres(programs) as running:
        yield running.url
        open_database(running.url, lease_seconds=120).close()


@pytest.fixture
def queue(server, dataset):
    made = ProcrastinateQueue(dataset.lake, server)
    with made.database.transaction() as session:
        session.execute("TRUNCATE procrastinate_jobs, lakehouse_jobs_done CASCADE")
    with surrounded(lake=dataset.lake, queue=made):
        yield made


@pytest.fixture
def other(queue, server):
    """The same queue, as another process has it."""
    made = ProcrastinateQueue(queue.lake, server)
    made.database = Database(server)
    yield made
    made.database.close()


def number(count, task="say"):
    return [Job(queue="q", task=task, payload={"number": each}) for each in range(count)]


def refs(queue):
    return [batch.ref for batch in queue.waiting("q")]


def all_counts(queue):
    return {
        name: sum(getattr(each, name) for each in queue.status())
        for name in ("todo", "doing", "succeeded", "failed", "cancelled", "aborting", "aborted")
    }


def silent(queue):
    """Let a worker seem dead."""
    with queue.database.transaction() as session:
        session.execute("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'")


def test_a_payload_arrives_as_it_was_sent(queue):
    sent = {"a": 0, "b": False, "c": "", "d": None, "e": [], "f": {}, "g": 1e22, "h": "\\u0000 Ü", "i": 2**70}
    seen = []

    @stage("say")
    def say(job):
        seen.append(job)

    queue.defer(Job(queue="q", task="say", payload=sent))
    work_queue(queue, "q", lake=queue.lake)
    assert [repr(job.payload) for job in seen] == [repr(sent)]


def test_a_batch_is_as_large_as_its_stage_says(queue):
    stage("say", batch_size=4)(lambda job: None)
    queue.defer(number(10))
    assert sorted(batch.count for batch in queue.waiting("q")) == [2, 4, 4]


def test_priorities_are_kept_within_the_bounds_of_the_stage(queue):
    # in place of the test of that name: jobs that were deferred one by one are one batch
    stage("say", priority=5, min_priority=10, max_priority=20)(lambda job: None)
    for given in (None, 0, 15, 99):
        queue.defer(Job(queue="q", task="say", payload={"n": given}, priority=given))
    assert sorted((batch.priority, batch.count) for batch in queue.waiting("q")) == [
        (10, 2),
        (15, 1),
        (20, 1),
    ]


def test_jobs_deferred_one_by_one_are_worked_together(queue):
    for job in number(10):
        queue.defer(job)
    assert [batch.count for batch in queue.waiting("q")] == [10]


def test_of_two_workers_each_job_has_one(queue, other):
    stage("say", batch_size=3)(lambda job: None)
    queue.defer(number(9))
    first, second, third = refs(queue)
    mine, theirs = queue.take(first), other.take(second)
    assert queue.take(second) is None
    assert other.take(first) is None
    assert not set(mine.lines()) & set(theirs.lines())
    mine.release()
    theirs.release()
    assert work(other, [first, second, third], lake=queue.lake).succeeded == 9
    assert all_counts(queue)["succeeded"] == 9


def test_what_a_worker_died_with_is_begun_by_itself_and_the_rest_is_not(queue, other):
    queue.defer(number(100))
    (ref,) = refs(queue)
    lines = queue.take(ref).lines()
    for _ in range(30):
        next(lines)
    silent(queue)
    claim = other.take(ref)
    careful = []
    for _ in claim.lines():
        assert claim.begin() == 0
        careful.append(claim.careful)
    # thirty were begun, twenty at a time
    assert careful == [False] * 20 + [True] * 20 + [False] * 60


def test_a_job_that_workers_die_with_is_known(queue, other):
    queue.defer(number(3))
    (ref,) = refs(queue)
    died = []
    for worker in (queue, other, queue, other):
        claim = worker.take(ref)
        lines = claim.lines()
        next(lines)
        died.append(claim.begin())
        silent(queue)
    assert died == [0, 0, 1, 2]


def test_who_was_taken_over_settles_nothing(queue, other):
    queue.defer(number(2))
    (ref,) = refs(queue)
    slow = queue.take(ref)
    silent(queue)
    taken = other.take(ref)
    with pytest.raises(LeaseLost, match="taken over"):
        slow.settle(Settlement(done=2, succeeded=2, deferred=number(1, task="next"), is_last=True))
    assert all_counts(queue)["doing"] == 2
    assert [each.task for each in queue.status()] == ["say"]
    slow.release()
    taken.settle(Settlement(done=2, succeeded=2, is_last=True))
    assert all_counts(queue) == {**dict.fromkeys(all_counts(queue), 0), "succeeded": 2}


def test_a_worker_that_took_leave_leaves_its_jobs_to_others(queue, other, server):
    queue.defer(number(2))
    (ref,) = refs(queue)
    third = ProcrastinateQueue(queue.lake, server)
    third.database = Database(server)
    third.take(ref)
    assert other.take(ref) is None
    third.database.close()
    assert other.take(ref) is not None


def test_a_worker_that_was_taken_for_dead_gets_a_new_number(queue):
    before = queue.database.worker()
    with queue.database.transaction() as session:
        session.execute("DELETE FROM procrastinate_workers")
    assert queue.database.worker() != before


def test_what_is_released_while_the_same_waits_is_there_once(queue):
    queue.defer(number(2))
    (ref,) = refs(queue)
    claim = queue.take(ref)
    # at work it does not count as waiting
    queue.defer(number(1))
    assert all_counts(queue)["todo"] == 1
    claim.release()
    assert all_counts(queue)["todo"] == 2


def test_what_is_cancelled_at_work_is_not_worked_by_the_next(queue, other):
    queue.defer(number(5))
    (ref,) = refs(queue)
    claim = queue.take(ref)
    assert not claim.is_cancelled()
    assert queue.cancel(queue="q") == 5
    assert claim.is_cancelled()
    assert all_counts(queue)["aborting"] == 5
    silent(queue)
    assert other.take(ref) is None
    assert all_counts(queue)["aborted"] == 5


def test_what_waits_for_its_time_holds_up_nobody(queue):
    stage("say")(lambda job: None)
    later = Job(queue="q", task="say", scheduled_at=now_utc() + timedelta(hours=1), priority=99)
    queue.defer([later, *number(2)])
    assert work_queue(queue, "q", lake=queue.lake).succeeded == 2
    (batch,) = queue.waiting("q")
    assert batch.not_before == later.scheduled_at
    assert queue.take(batch.ref) is None


def test_a_defer_that_fails_on_the_way_queues_nothing(queue):
    def jobs():
        yield from number(3000)
        raise OSError("the source of jobs is gone")

    with pytest.raises(OSError, match="gone"):
        queue.defer(jobs())
    assert queue.waiting("q") == []


def test_a_message_may_hold_what_postgres_takes_not(queue):
    @stage("say", max_retries=0)
    def say(job):
        raise ValueError("a \0 b")

    queue.defer(Job(queue="q", task="say", payload={"text": r"\u0000"}))
    work_queue(queue, "q", lake=queue.lake)
    (letter,) = queue.dead()
    assert letter.error == "ValueError: a \ufffd b"
    assert letter.job.payload == {"text": r"\u0000"}


def test_the_tools_of_procrastinate_see_the_jobs(queue, server):
    queue.defer(number(3))
    app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=server))
    with app.open():
        (found,) = app.job_manager.list_queues()
        assert (found["name"], found["todo"]) == ("q", 3)
        (job,) = app.job_manager.list_jobs(queue="q", queueing_lock=f":{number(1)[0].id}")
        assert app.job_manager.cancel_job_by_id(job.id)
    assert all_counts(queue)["todo"] == 2


def test_the_setting_chooses_the_queue(server, tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_QUEUE_URI", server)
    assert isinstance(open_queue(Lake(tmp_path)), ProcrastinateQueue)


def test_a_server_out_of_reach_is_told_without_its_password(tmp_path):
    with pytest.raises(StorageError, match="LAKEHOUSE_QUEUE_URI") as told:
        ProcrastinateQueue(Lake(tmp_path), "postgresql://me:geheim@127.0.0.1:1/jobs")
    assert "geheim" not in str(told.value)


def test_without_the_extra_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "psycopg_pool", None)
    with pytest.raises(InvalidData, match=r"lakehouse-assets\[procrastinate\]"):
        ProcrastinateQueue(Lake(tmp_path), "postgresql://me@127.0.0.1:2/jobs")


@pytest.mark.parametrize("ref", ["", "q:1", "[1]", '["q", "t", "", "p", "a", "b"]', '["q","t","",1,2,"x"]'])
def test_what_is_no_ref_is_refused(queue, ref):
    with pytest.raises(InvalidData, match="not a batch of jobs"):
        queue.take(ref)


def test_jobs_of_the_example_are_worked(queue, dataset, tmp_path, monkeypatch):
    from tests.examples.test_papertrail import EXAMPLES

    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, "papertrail.stages", raising=False)
    load_stages(["papertrail.stages"])
    dataset.crawl(EXAMPLES / "papers" / "letters")
    queue.defer(DatasetJob(dataset="acme", queue="q", task="files"))  # noqa: F405
    assert work_queue(queue, "q", lake=queue.lake).succeeded == 3
    assert len(list(dataset.query(schema="Mention"))) == 4


def test_an_archived_content_that_a_job_names_is_no_garbage(queue, server, dataset, monkeypatch):
    checksum = "ab" * 32
    dataset.location.write(layout.blob(checksum), b"")
    monkeypatch.setattr(Clock, "now", now_utc() + timedelta(days=2))
    lake = Lake(dataset.lake.uri)
    lake.settings = lake.settings.model_copy(update={"queue_uri": server})
    queue.defer(Job(queue="q", task="say", payload={"checksum": checksum.upper()}))
    assert lake.gc_mark().marked == ()
    queue.cancel(queue="q")
    assert lake.gc_mark().marked == (f"acme/{layout.blob(checksum)}",)
    lake.settings = lake.settings.model_copy(update={"queue_uri": "postgresql://nobody@127.0.0.1:9/none"})
    # who cannot be asked may name it
    assert lake.gc_sweep(0).deleted == ()
    assert dataset.archive.exists(checksum)
