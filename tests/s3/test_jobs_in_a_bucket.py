"""The queue of a lake in a bucket."""

from datetime import timedelta
from pathlib import Path

import pytest

from lakehouse_assets.jobs import DatasetJob, FileQueue, Job, stage, stages, surrounded, work, work_queue
from lakehouse_assets.lake import Dataset
from tests.factories import company, entity, values_of
from tests.s3.store import Bucket


@pytest.fixture
def acme(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    monkeypatch.setattr(stages, "_stages", {})
    return bucket.lake.create_dataset("acme")


def queue_keys(bucket: Bucket) -> list[str]:
    return sorted(key.partition("/queue/")[2] for key in bucket.keys() if "/queue/" in key)  # noqa: SIM118


def test_a_chain_is_worked_and_nothing_is_left_but_counts(bucket: Bucket, acme: Dataset) -> None:
    @stage("first", batch_size=2, max_retries=0)
    def first(job: DatasetJob) -> DatasetJob:
        number = job.payload["n"]
        with job.get_writer() as writer:
            writer.put(company(f"c{number}", name=[f"C{number}"]))
        if number == 2:
            raise ValueError(number)
        return DatasetJob(queue="q", task="second", dataset="acme", payload=job.payload)

    @stage("second")
    def second(job: DatasetJob) -> None:
        assert job.get_dataset().get([f"c{job.payload['n']}"])

    queue = FileQueue(acme.lake)
    queue.defer(DatasetJob(queue="q", task="first", dataset="acme", payload={"n": n}) for n in range(5))
    queue.defer(DatasetJob(queue="q", task="first", dataset="acme", payload={"n": n}) for n in range(2))
    assert [batch.count for batch in queue.waiting("q")] == [2, 2, 1]
    worked = work_queue(queue, "q", lake=acme.lake, every=3)
    assert (worked.jobs, worked.succeeded, worked.dead) == (9, 8, 1)
    assert [row[0] for row in values_of(acme)] == ["c0", "c1", "c3", "c4"]
    (letter,) = queue.dead("q")
    assert letter.job.payload == {"n": 2}
    assert {key.split("/")[1] for key in queue_keys(bucket)} == {"dead", "done"}
    assert {(each.task, each.succeeded, each.failed) for each in queue.status()} == {
        ("first", 4, 1),
        ("second", 4, 0),
    }
    assert queue.requeue([letter.id]) == [letter.id]
    assert queue.cancel(dataset="acme") == 1
    assert [key.split("/")[1] for key in queue_keys(bucket)] == ["done"]


def test_a_batch_is_worked_by_one_and_gone_on_with_by_the_next(bucket: Bucket, acme: Dataset) -> None:
    seen = []

    @stage("t")
    def work_(job: Job) -> None:
        seen.append(job.payload["n"])
        if len(seen) == 2:
            raise KeyboardInterrupt

    queue = FileQueue(acme.lake)
    queue.defer(Job(queue="q", task="t", payload={"n": n}) for n in range(3))
    (batch,) = queue.waiting("q")
    claim = queue.take(batch.ref)
    assert queue.take(batch.ref) is None
    assert queue.status()[0].doing == 3
    assert claim is not None
    claim.release()
    with pytest.raises(KeyboardInterrupt):
        work(queue, [batch.ref], lake=acme.lake)
    assert (queue.status()[0].todo, queue.status()[0].doing) == (2, 0)
    assert work(queue, [batch.ref], lake=acme.lake).jobs == 2
    assert seen == [0, 1, 1, 2]
    queue.sweep(older=timedelta(seconds=-60))
    assert [key.split("/")[1] for key in queue_keys(bucket)] == ["done"]


def test_a_file_is_lent_as_a_path_that_is_gone_afterwards(
    bucket: Bucket, acme: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_bytes(b"content")
    checksum = acme.archive.store(tmp_path / "a.txt").checksum
    with surrounded(lake=acme.lake):
        job = DatasetJob.from_entity("acme", "q", "t", entity("d1", "Document", contentHash=[checksum]))
        (reference,) = job.get_file_references()
        with reference.get_localpath() as path:
            assert path.read_bytes() == b"content"
        assert not path.exists()
        paths = []

        def fail() -> None:
            with reference.get_localpath() as path:
                paths.append(path)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert not paths[0].exists()
        with reference.open() as stream:
            assert stream.read() == b"content"
