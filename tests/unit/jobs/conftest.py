"""Lakes, queues and stages for the tests of jobs."""

import pytest

from lakehouse_assets.jobs import FileQueue, MemoryQueue, stages, surrounded, work_queue
from lakehouse_assets.lake import Lake


@pytest.fixture(autouse=True)
def _own_stages(monkeypatch):
    """Each test has stages of its own."""
    monkeypatch.setattr(stages, "_stages", {})


@pytest.fixture
def dataset(tmp_path):
    """A dataset in the lake that jobs are worked in."""
    made = Lake(tmp_path / "lake").create_dataset("acme")
    with surrounded(lake=made.lake):
        yield made


@pytest.fixture(params=[FileQueue, MemoryQueue])
def queue(request, dataset):
    """The queue that jobs are deferred to."""
    made = request.param(dataset.lake)
    with surrounded(queue=made):
        yield made


@pytest.fixture
def drain(queue):
    """Works a queue, by default `q`, as long as anything is due."""

    def work(name="q", **options):
        return work_queue(queue, name, lake=queue.lake, **options)

    return work


@pytest.fixture
def counts(queue):
    """How many jobs of a task are where."""

    def count(task):
        (found,) = [each for each in queue.status() if each.task == task]
        return found

    return count
