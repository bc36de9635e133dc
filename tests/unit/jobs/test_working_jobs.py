"""Stages and the jobs that they hand on, in memory and in a lake's files."""

from datetime import timedelta

import pytest

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.jobs import (
    Counts,
    DatasetJob,
    FileQueue,
    Job,
    MemoryQueue,
    find_stage,
    load_stages,
    stage,
    task,
    work,
    work_queue,
)
from lakehouse_assets.model.times import now_utc
from tests.factories import company, rows_of, values_of


def job(name="t", **fields):
    return Job(**{"queue": "q", "task": name, **fields})


def test_a_chain_of_stages_writes_entities_and_hands_on(queue, dataset, drain, counts):
    seen = []

    @stage("shout")
    def shout(job):
        with job.get_writer() as writer:
            for entity in job.get_entities():
                entity.add("alias", entity.caption.upper())
                writer.put(entity)
        return DatasetJob.from_entities(job.dataset, "q", "check", job.get_entities())

    @stage("check")
    def check(job):
        seen.extend(job.load_entities())

    DatasetJob.from_entity("acme", "q", "shout", company("c1", name=["Acme"])).defer()
    worked = drain()
    assert (worked.jobs, worked.succeeded, worked.deferred, worked.dead) == (2, 2, 1, 0)
    assert worked.statements == {"acme": 3}
    assert ("c1", "alias", "ACME") in values_of(dataset)
    assert [entity.get("alias") for entity in seen] == [["ACME"]]
    assert counts("check").succeeded == counts("shout").succeeded == 1


def test_a_stage_that_raises_writes_nothing_and_hands_nothing_on(queue, dataset, drain):
    @stage("fail", max_retries=0)
    def fail(job):
        with job.get_writer() as writer:
            writer.put(company("c1"))
        Job(queue="q", task="never").defer()
        raise ValueError("no such\nthing")

    @stage("well")
    def well(job):
        with job.get_writer() as writer:
            writer.put(company("c2"))

    DatasetJob(queue="q", task="well", dataset="acme", priority=60).defer()
    DatasetJob(queue="q", task="fail", dataset="acme").defer()
    DatasetJob(queue="q", task="well", dataset="acme", dedupe_key="again", priority=0).defer()
    assert drain().dead == 1
    assert values_of(dataset) == [("c2", "name", "Acme Inc.")]
    assert sorted(each.task for each in queue.status()) == ["fail", "well"]
    (letter,) = queue.dead()
    assert letter.error == "ValueError: no such thing"
    assert "raise ValueError" in letter.traceback


def test_what_fails_in_the_middle_of_a_generator_hands_nothing_on(queue, drain):
    @stage("some", max_retries=0)
    def some(job):
        yield Job(queue="q", task="t", payload={"n": 1})
        raise KeyError("n")

    job("some").defer()
    assert (drain().deferred, queue.waiting("q")) == (0, [])


@pytest.mark.parametrize(
    ("returned", "tasks"), [(None, []), ("a", ["a"]), (["a", "b"], ["a", "b"]), ([], [])]
)
def test_what_a_stage_returns_is_queued_exactly_once(queue, drain, returned, tasks):
    @stage("start")
    def start(_):
        if isinstance(returned, list):
            return (job(name, queue="next") for name in returned)
        return job(returned, queue="next") if returned else None

    job("start").defer()
    assert drain().deferred == len(tasks)
    assert [batch.task for batch in queue.waiting("next")] == tasks


def test_a_job_that_a_stage_changes_and_returns_starts_anew(queue, drain):
    seen = []

    @stage("first")
    def first(job):
        job.task = "second"
        job.payload["more"] = True
        return job

    @stage("second")
    def second(job):
        seen.append(job)

    made = job("first", attempts=2).duplicate()
    made.defer()
    assert drain().succeeded == 2
    (found,) = seen
    assert (found.attempts, found.payload) == (0, {"more": True})
    assert found.id != made.id


def test_the_very_job_returned_unchanged_is_an_error_that_is_not_tried_again(queue, drain):
    @stage("loop", max_retries=-1)
    def loop(job):
        return job

    job("loop").defer()
    assert drain().dead == 1
    assert next(queue.dead()).error.startswith("EndlessLoop")


@pytest.mark.parametrize("returned", [5, "text", [1]])
def test_a_stage_may_return_jobs_only(queue, drain, returned):
    @stage("odd", max_retries=0)
    def odd(_):
        return returned

    job("odd").defer()
    drain()
    assert "may return" in next(queue.dead()).error


def test_a_stage_that_is_switched_off_gets_no_jobs_and_nobody_is_told(queue):
    @stage("off", defer=False)
    def off(job): ...

    assert job("off").defer()
    assert queue.defer([job("off"), job("on")]) == [job("on").id]
    assert [batch.task for batch in queue.waiting("q")] == ["on"]


def test_the_more_urgent_come_first_and_equals_in_the_order_they_came(queue, drain):
    seen = []

    @stage("t")
    def work(job):
        seen.append((job.priority, job.payload["n"]))

    for number, priority in enumerate([10, 90, 50, None, 0, -5]):
        job(payload={"n": number}, priority=priority).defer()
    drain()
    assert seen == [(90, 1), (50, 2), (50, 3), (10, 0), (0, 4), (-5, 5)]


def test_priorities_are_kept_within_the_bounds_of_the_stage(queue):
    @stage("t", priority=5, min_priority=10, max_priority=20)
    def work(job): ...

    for given in (None, 0, 15, 99):
        job(payload={"n": given}, priority=given).defer()
    assert sorted(batch.priority for batch in queue.waiting("q")) == [10, 10, 15, 20]


@pytest.mark.parametrize(("retries", "executions"), [(3, 4), (0, 1)])
def test_a_job_that_always_fails_is_tried_again_as_often_as_it_says(queue, drain, retries, executions):
    attempts = []

    @stage("t", exponential=0)
    def fail(job):
        attempts.append(job.attempts)
        raise ValueError

    job(max_retries=retries).defer()
    worked = drain()
    assert attempts == list(range(executions))
    assert (worked.jobs, worked.retried, worked.dead) == (executions, executions - 1, 1)
    (letter,) = queue.dead()
    assert (letter.attempts, letter.job.status) == (executions, "failed")


def test_a_job_without_end_of_retries_is_never_dead(queue, drain):
    @stage("t", max_retries=-1, exponential=0)
    def fail(job):
        if job.attempts < 20:
            raise ValueError

    job().defer()
    worked = drain()
    assert (worked.retried, worked.succeeded, worked.dead) == (20, 1, 0)


def test_failed_jobs_wait_longer_each_time_and_together(queue, drain):
    @stage("t", wait=10, linear=5, exponential=3, max_retries=1)
    def fail(job):
        raise ValueError

    settings = find_stage("t").settings
    assert [settings.delay(attempts) for attempts in range(3)] == [13, 24, 47]
    before = now_utc()
    queue.defer(job(payload={"n": number}) for number in range(20))
    assert drain().jobs == 20
    waiting = queue.waiting("q")
    assert sum(batch.count for batch in waiting) == 20
    assert len(waiting) <= 2
    assert all(
        timedelta(seconds=13) <= batch.not_before - before < timedelta(seconds=60) for batch in waiting
    )


def test_what_waits_for_its_time_is_not_worked_and_holds_nothing_up(queue, drain):
    @stage("t")
    def work(job): ...

    later = now_utc() + timedelta(hours=1)
    job(scheduled_at=later, priority=99).defer()
    job(payload={"n": 1}, scheduled_at=now_utc() - timedelta(hours=1)).defer()
    assert drain().jobs == 1
    (left,) = queue.waiting("q")
    assert (left.not_before, left.is_due(later)) == (later, True)


def test_a_dead_job_is_queued_again_under_its_id_with_all_attempts(queue, drain, counts):
    attempts = []

    @stage("t", max_retries=1, exponential=0)
    def fail(job):
        attempts.append(job.attempts)
        raise ValueError

    made = job().duplicate()
    made.defer()
    job(payload={"other": 1}).defer()
    drain()
    assert counts("t").failed == 2
    assert queue.requeue([made.id, "unknown"]) == [made.id]
    assert (counts("t").failed, counts("t").todo) == (1, 1)
    drain()
    assert attempts == [0, 0, 1, 1, 0, 1]
    assert sorted(letter.id for letter in queue.dead()) == sorted([made.id, job(payload={"other": 1}).id])


def test_a_task_that_nobody_knows_is_dead_after_one_look(queue, drain):
    job("nobody", max_retries=5).defer()
    assert drain().dead == 1
    (letter,) = queue.dead()
    assert letter.error.startswith("TaskNotFound: no stage 'nobody'")
    assert letter.attempts == 1


def test_the_same_job_waits_only_once_and_may_come_again_when_it_was_begun(queue, drain):
    seen = []

    @stage("t")
    def work(job):
        seen.append(job.payload)

    made = job(payload={"n": 1})
    assert queue.defer([made, made]) == [made.id] * 2
    assert made.defer() == made.id
    made.duplicate().defer()
    assert sum(batch.count for batch in queue.waiting("q")) == 2
    drain()
    made.defer()
    drain()
    assert len(seen) == 3


def test_one_batch_holds_the_jobs_that_go_together(queue):
    @stage("t", batch_size=2)
    def work(job): ...

    jobs = [job(payload={"n": number}) for number in range(5)]
    queue.defer(
        [*jobs, job(payload={"n": 0}, priority=1), job("u"), DatasetJob(queue="q", task="u", dataset="d")]
    )
    found = {(batch.task, batch.dataset, batch.priority, batch.count) for batch in queue.waiting("q")}
    assert found == {("t", None, 50, 2), ("t", None, 50, 1), ("u", None, 50, 1), ("u", "d", 50, 1)}


def test_cancelled_jobs_are_counted_and_others_are_not_touched(queue, drain, counts):
    queue.defer(DatasetJob(queue="q", task=f"t{n}", dataset=name) for name in ("a", "b") for n in range(3))
    job("none").defer()
    assert queue.cancel(dataset="a", dry_run=True) == 3
    assert queue.cancel(dataset="a") == 3
    assert sorted(batch.dataset or "" for batch in queue.waiting("q")) == ["", "b", "b", "b"]
    assert [each.cancelled for each in queue.status(dataset="a")] == [1, 1, 1]
    assert queue.cancel(queue="q", dataset="b") == 3
    assert queue.cancel(queue="other") == 0
    assert queue.cancel(queue="q") == 1
    assert queue.waiting("q") == []
    with pytest.raises(InvalidData, match="Name a queue"):
        queue.cancel()


def test_jobs_at_work_are_stopped_and_hand_nothing_on(queue, dataset, drain, monkeypatch):
    monkeypatch.setattr("lakehouse_assets.jobs.worker._LOOK", 0)
    seen = []

    @stage("t")
    def work(job_):
        seen.append(job_)
        if len(seen) == 2:
            assert queue.cancel(dataset="acme") == 4
            (now,) = queue.status()
            assert (now.todo, now.doing, now.aborting) == (0, 0, 4)
        return job("next")

    queue.defer(DatasetJob(queue="q", task="t", dataset="acme", payload={"n": n}) for n in range(4))
    worked = drain()
    assert (worked.jobs, worked.cancelled, worked.deferred) == (2, 2, 0)
    (then,) = queue.status()
    assert (then.succeeded, then.aborting, then.aborted, then.total) == (2, 0, 2, 4)
    assert queue.waiting("q") == []


def test_counts_add_up_and_tell_how_long_the_rest_takes():
    some = Counts("q", "t", None, todo=3, doing=1, aborting=1, succeeded=2, seconds=20 * 3600)
    other = Counts("q", "u", None, failed=1, cancelled=1, aborted=1)
    both = some + other
    assert (both.total, both.open) == (10, 5)
    assert both.remaining == timedelta(hours=50)
    assert (other.remaining, Counts("q", "t", None, todo=1).remaining) == (timedelta(0), None)


def test_a_batch_is_worked_by_one_at_a_time(queue):
    @stage("t")
    def work_(job): ...

    job().defer()
    (batch,) = queue.waiting("q")
    claim = queue.take(batch.ref)
    assert queue.take(batch.ref) is None
    assert work(queue, [batch.ref], lake=queue.lake).taken == 1
    claim.release()
    assert work(queue, [batch.ref, batch.ref], lake=queue.lake).succeeded == 1
    assert queue.take(batch.ref) is None


def test_what_was_settled_before_an_interruption_is_not_worked_again(queue):
    seen = []

    @stage("t", max_retries=0)
    def work_(job_):
        seen.append(job_.payload["n"])
        if len(seen) == 3:
            raise KeyboardInterrupt
        if job_.payload["n"] == 0:
            raise ValueError
        return job("next", payload=job_.payload)

    queue.defer(job(payload={"n": n}) for n in range(5))
    (batch,) = queue.waiting("q")
    with pytest.raises(KeyboardInterrupt):
        work(queue, [batch.ref], lake=queue.lake)
    assert [each.todo for each in queue.status() if each.task == "t"] == [3]
    worked = work(queue, [batch.ref], lake=queue.lake)
    assert seen == [0, 1, 2, 2, 3, 4]
    assert (worked.succeeded, worked.dead) == (3, 0)
    assert sum(batch.count for batch in queue.waiting("q")) == 4
    assert [each.total for each in queue.status() if each.task == "t"] == [5]


def test_one_job_that_fails_in_the_middle_does_not_touch_the_others(queue, drain, counts):
    @stage("t")
    def work(job):
        if job.payload["n"] == 1:
            raise ValueError

    queue.defer(job(payload={"n": n}) for n in range(3))
    worked = drain()
    assert (worked.succeeded, worked.retried) == (2, 1)
    assert (counts("t").succeeded, counts("t").todo, counts("t").total) == (2, 1, 3)


def test_a_stage_that_ends_the_program_only_fails(queue, drain):
    @stage("t", max_retries=0)
    def work(job):
        raise SystemExit("enough")

    job().defer()
    assert drain().dead == 1


def test_a_job_is_tried_again_as_it_was_whatever_its_stage_made_of_it(queue, drain):
    seen = []

    @stage("t", max_retries=1, exponential=0)
    def work(job):
        seen.append(dict(job.payload))
        job.payload["n"] = "spoilt"
        job.queue = "elsewhere"
        raise ValueError

    job(payload={"n": 1}).defer()
    drain()
    assert seen == [{"n": 1}] * 2


def test_entities_that_cannot_be_taken_are_counted(queue, dataset, drain):
    @stage("t")
    def work(job):
        with job.get_writer() as writer:
            writer.put({"id": "x", "schema": "Nothing", "properties": {}})
            writer.put(company("c1"))

    DatasetJob(queue="q", task="t", dataset="acme").defer()
    worked = drain()
    assert (worked.refused, worked.succeeded) == (1, 1)
    assert [row[0] for row in values_of(dataset)] == ["c1"]


def test_the_values_that_a_stage_read_are_claimed_by_it_now(queue, dataset, drain):
    dataset.entities.add_many([company("c1", name=["Acme"])], origin="leak")

    @stage("my.task")
    def work(job):
        with job.get_writer() as writer:
            for entity in job.load_entities():
                writer.add(entity)

    DatasetJob.from_entity("acme", "q", "my.task", company("c1")).defer()
    drain()
    assert sorted(set(rows_of(dataset)["origin"])) == ["leak", "my.task"]


def test_stages_are_found_by_their_full_name_by_the_short_one_and_by_the_given():
    @stage
    def extract(job): ...

    @task(app=object())
    def other(job): ...

    @stage("named", max_retries=7)
    def third(job): ...

    assert find_stage("extract").function is extract
    assert find_stage(f"{__name__}.{extract.__qualname__}").function is extract
    assert find_stage("other").function is other
    assert find_stage("named").settings.max_retries == 7
    for unknown in ("third", "", "os.system"):
        with pytest.raises(FileNotFoundError, match="no stage"):
            find_stage(unknown)


def test_two_stages_of_one_name_are_refused_and_a_module_may_be_loaded_again():
    def first(job): ...

    def second(job): ...

    stage("same")(first)
    stage("same")(first)
    with pytest.raises(InvalidData, match="two stages 'same'"):
        stage("same")(second)
    with pytest.raises(InvalidData, match="cannot load the stages of 'no_such_module'"):
        load_stages(["no_such_module"])


def test_a_queue_in_memory_works_the_whole_chain_in_the_call_that_defers(dataset):
    def chain(queue):
        seen = []

        @stage("one")
        def one(job_):
            seen.append("one")
            return [job("two", payload={"n": n}) for n in range(2)]

        @stage("two", max_retries=1, exponential=0)
        def two(job_):
            seen.append((job_.payload["n"], job_.attempts))
            if job_.payload["n"]:
                raise ValueError

        queue.defer(job("one"))
        if isinstance(queue, FileQueue):
            work_queue(queue, "q", lake=queue.lake)
        stored = [(each.task, each.succeeded, each.failed, each.todo) for each in queue.status()]
        return seen, stored, [letter.id for letter in queue.dead()]

    from lakehouse_assets.jobs import stages

    memory = chain(MemoryQueue(dataset.lake, sync=True))
    stages._stages.clear()
    assert memory == chain(FileQueue(dataset.lake))
    assert memory[0] == ["one", (0, 0), (1, 0), (1, 1)]


def test_a_job_defers_to_the_queue_of_the_settings_and_works_in_its_lake(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_URI", str(tmp_path / "elsewhere"))
    job().defer()
    assert (tmp_path / "elsewhere/.lakehouse/queue/q/waiting").is_dir()


def test_what_jobs_failed_with_is_counted_and_cut(queue, drain):
    class Unspeakable(Exception):
        def __str__(self):
            raise RuntimeError

    @stage("t", max_retries=0)
    def work(job):
        if job.payload["n"] == 9:
            raise Unspeakable
        raise ValueError(f"a\0b\ud800 {'x' * 50_000}" if job.payload["n"] else "no\nway")

    queue.defer(job(payload={"n": n}) for n in (0, 1, 9))
    job(payload={"n": 0}, priority=1, dedupe_key="again").defer()
    errors = drain().errors
    assert errors["t: ValueError: no way"] == 2
    assert errors["t: Unspeakable: (what it says cannot be read)"] == 1
    assert len(errors) == 3
    long = next(letter for letter in queue.dead() if letter.job.payload["n"] == 1)
    assert long.error.startswith("ValueError: a\ufffdb\\ud800 xxx")
    assert (len(long.error), len(long.traceback)) == (1_000, 20_000)


def test_a_worker_may_keep_to_one_dataset(queue, drain):
    @stage("t")
    def work(job): ...

    queue.defer(
        [job(), DatasetJob(queue="q", task="t", dataset="a"), DatasetJob(queue="q", task="t", dataset="b")]
    )
    assert drain(dataset="a").jobs == 1
    assert [batch.dataset for batch in queue.waiting("q")] == [None, "b"]
