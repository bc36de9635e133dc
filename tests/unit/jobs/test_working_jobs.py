"""Stages and the jobs that they hand on, in memory and in a lake's files."""

import pytest

from lakehouse_assets.jobs import (
    DatasetJob,
    FileQueue,
    Job,
    MemoryQueue,
    stage,
    stages,
    surrounded,
    work_queue,
)
from lakehouse_assets.lake import Lake
from tests.factories import company, values_of


@pytest.fixture(autouse=True)
def _own_stages(monkeypatch):
    monkeypatch.setattr(stages, "_stages", {})


@pytest.fixture
def dataset(tmp_path):
    return Lake(tmp_path / "lake").create_dataset("acme")


@pytest.fixture(params=[FileQueue, MemoryQueue])
def queue(request, dataset):
    made = request.param(dataset.lake)
    with surrounded(lake=dataset.lake, queue=made):
        yield made


def drain(queue, name="q"):
    return work_queue(queue, name, lake=queue.lake)


def counts(queue, task):
    return next(each for each in queue.status() if each.task == task)


def test_a_chain_of_stages_writes_entities_and_hands_on(queue, dataset):
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
    worked = drain(queue)
    assert (worked.jobs, worked.succeeded, worked.deferred, worked.dead) == (2, 2, 1, 0)
    assert ("c1", "alias", "ACME") in values_of(dataset)
    assert [entity.get("alias") for entity in seen] == [["ACME"]]
    assert counts(queue, "check").succeeded == 1


def test_a_stage_that_raises_writes_nothing_and_hands_nothing_on(queue, dataset):
    @stage("fail", max_retries=0)
    def fail(job):
        with job.get_writer() as writer:
            writer.put(company("c1"))
        Job(queue="q", task="never").defer()
        raise ValueError("no such thing")

    DatasetJob(queue="q", task="fail", dataset="acme").defer()
    assert drain(queue).dead == 1
    assert values_of(dataset) == []
    assert [each.task for each in queue.status()] == ["fail"]
    (letter,) = queue.dead()
    assert letter.error == "ValueError: no such thing"
    assert "raise ValueError" in letter.traceback


def test_the_same_job_waits_only_once(queue):
    job = Job(queue="q", task="say", payload={"word": "hello"})
    assert job.defer() == job.defer()
    assert [batch.count for batch in queue.waiting("q")] == [1]
