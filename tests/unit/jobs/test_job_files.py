"""The queue in a lake's files: what lies there, names of any kind, payloads of any size."""

import json
import resource
import time
from datetime import timedelta

import pytest

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.jobs import DatasetJob, FileQueue, Job, stage, surrounded, work, work_queue
from lakehouse_assets.jobs.naming import joined, parted
from lakehouse_assets.jobs.queue import Batch
from lakehouse_assets.lake import Lake

ODD_NAMES = [
    "../../etc",
    "..",
    ".",
    "a/b\\c",
    "x" * 128,
    "日" * 128,
    "😀" * 128,
    "a,b:c+d%2F",
    " ",
    "drain:1",
    "A.b",
    ".",
]


class Announcing(FileQueue):
    """Tells what it announced."""

    def __init__(self, lake: Lake) -> None:
        super().__init__(lake)
        self.announced: list[Batch] = []

    def announce(self, batch: Batch) -> None:
        assert batch in self.waiting(batch.queue)
        self.announced.append(batch)


@pytest.fixture
def files(dataset):
    """A queue in files."""
    queue = Announcing(dataset.lake)
    with surrounded(queue=queue):
        yield queue


def paths(queue):
    folder = queue.lake.location.path / ".lakehouse/queue"
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".guard"
    )


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_stays_in_its_folder_and_comes_back(files, name):
    seen = []

    @stage(name)
    def work_(job):
        seen.append((job.queue, job.task, job.dataset))
        raise ValueError

    DatasetJob(queue=name, task=name, dataset=name, max_retries=0).defer()
    assert files.queues() == [name]
    (batch,) = files.waiting(name)
    assert (batch.queue, batch.task, batch.dataset) == (name, name, name)
    work_queue(files, name, lake=files.lake)
    assert seen == [(name, name, name)]
    (letter,) = files.dead()
    assert files.requeue([letter.id]) == [letter.id]
    assert files.cancel(dataset=name) == 1
    top = {path.name for path in files.lake.location.path.iterdir()}
    assert top == {".lakehouse", "acme"}
    assert {path.name for path in (files.lake.location.path / ".lakehouse").iterdir()} == {"queue"}


@pytest.mark.parametrize(
    "parts", [[""], ["", ""], ["a", "", "b"], ["," * 128] * 3, ["+"], ["x" * 199, "+", "."]]
)
def test_texts_joined_to_a_path_are_parted_again(parts):
    path = joined(parts)
    assert parted(path) == parts
    assert all(0 < len(name) <= 255 and name not in (".", "..") for name in path.split("/")) or parts == [""]


def test_refs_that_name_no_batch_are_refused(files):
    for ref in ("", "q", "q:", "q:../../x", "q:a,b,c,d,e,f,g"):
        with pytest.raises(InvalidData, match="not a batch"):
            files.take(ref)


def test_nothing_is_left_of_jobs_that_are_done_but_their_count(files):
    @stage("t", batch_size=2)
    def work_(job): ...

    files.defer(Job(queue="q", task="t", payload={"n": n}) for n in range(5))
    assert [path.split("/")[1] for path in paths(files)] == ["known"] * 3 + ["waiting"] * 3
    work_queue(files, "q", lake=files.lake, every=1)
    (left,) = paths(files)
    assert left.startswith("q/done/")
    assert files.lake.states.jobs() == []
    assert files.status()[0].succeeded == 5


def test_each_batch_is_announced_once_when_its_file_is_there(files):
    files.defer([Job(queue="q", task="t"), Job(queue="r", task="t")])
    files.defer(Job(queue="q", task="t"))
    assert [batch.queue for batch in files.announced] == ["q", "r"]


def test_a_sender_that_died_before_its_file_was_there_is_made_up_for(files):
    job = Job(queue="q", task="t")
    job.defer()
    (waiting,) = (files.lake.location.path / ".lakehouse/queue/q/waiting").iterdir()
    waiting.unlink()
    assert files.waiting("q") == []
    job.defer()
    assert len(files.waiting("q")) == 1
    assert files.take(files.announced[-1].ref) is not None


def test_what_senders_left_behind_is_swept_and_what_waits_is_not(files):
    files.defer([Job(queue="q", task="t"), Job(queue="q", task="u")])
    gone = next((files.lake.location.path / ".lakehouse/queue/q/waiting").iterdir())
    gone.unlink()
    (gone.parent / ".tmp-abc").write_bytes(b"half a file")
    assert files.sweep() == []
    swept = files.sweep(older=timedelta(seconds=-1))
    assert [path.split("/")[-2] for path in swept] == ["known", "waiting"]
    assert len(files.waiting("q")) == 1


def test_a_worker_whose_lease_is_lost_leaves_the_rest_to_the_other(files, caplog):
    @stage("t")
    def work_(job):
        (lease,) = (files.lake.location.path / ".lakehouse/queue/q/leases").glob("*.json")
        lease.unlink()

    files.defer(Job(queue="q", task="t", payload={"n": n}) for n in range(3))
    (batch,) = files.waiting("q")
    worked = work(files, [batch.ref], lake=files.lake)
    assert (worked.jobs, files.waiting("q")) == (0, [batch])
    assert "was lost" in caplog.text


def test_a_line_that_is_no_job_is_a_dead_letter_and_the_others_are_worked(files):
    seen = []

    @stage("t")
    def work_(job):
        seen.append(job.payload["n"])

    files.defer(Job(queue="q", task="t", payload={"n": n}) for n in range(3))
    (file,) = (files.lake.location.path / ".lakehouse/queue/q/waiting").iterdir()
    first, _, last = file.read_bytes().splitlines()
    file.write_bytes(b"\n".join([first, b'{"queue": \xff', last, b""]))
    worked = work_queue(files, "q", lake=files.lake)
    assert (seen, worked.succeeded, worked.dead) == ([0, 2], 2, 1)
    (letter,) = files.dead()
    assert letter.error
    with pytest.raises(ValueError, match="column"):
        _ = letter.job


def test_counts_that_cannot_be_read_hold_nothing_up(files):
    @stage("t")
    def work_(job): ...

    for number in range(2):
        files.defer(Job(queue="q", task="t", payload={"n": number}))
        assert work_queue(files, "q", lake=files.lake).succeeded == 1
        (day,) = (files.lake.location.path / ".lakehouse/queue/q/done").glob("*.json")
        day.write_bytes(b"{")


def test_what_looks_like_a_variable_of_the_environment_arrives_as_it_is(files):
    seen = []

    @stage("t")
    def work_(job):
        seen.append(job.payload)

    Job(queue="q", task="t", payload={"env": "HOME", "x": {"env": "HOME"}}).defer()
    work_queue(files, "q", lake=files.lake)
    assert seen == [{"env": "HOME", "x": {"env": "HOME"}}]


def test_a_payload_of_50_mb_arrives_and_its_name_stays_short(files):
    text = "Größe " * 6_250_000
    seen = []

    @stage("t", max_retries=0)
    def work_(job):
        seen.append(job.payload["text"] == text)
        raise ValueError

    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    Job(queue="q", task="t", payload={"text": text, "n": 1}).defer()
    assert len(files.announced[0].ref) < 200
    assert work_queue(files, "q", lake=files.lake).dead == 1
    assert seen == [True]
    (letter,) = files.dead()
    assert json.loads(letter.data)["payload"]["n"] == 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    assert grown < 700, f"{grown} MB, {time.process_time() - began} s"
    print(f"{grown} MB, {time.process_time() - began:.1f} s")


def test_many_jobs_that_are_returned_do_not_fill_the_memory(files):
    @stage("t")
    def work_(job):
        for number in range(5_000):
            yield Job(queue="r", task="u", payload={"n": number, "text": "x" * 4000})

    Job(queue="q", task="t").defer()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    worked = work_queue(files, "q", lake=files.lake)
    assert worked.deferred == sum(batch.count for batch in files.waiting("r")) == 5_000
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10 < 100


def test_a_bookmark_that_cannot_be_read_has_the_batch_worked_from_its_beginning(files, caplog):
    seen = []

    @stage("t")
    def work_(job):
        seen.append(job.payload["n"])
        if seen == [0, 1]:
            raise KeyboardInterrupt

    files.defer(Job(queue="q", task="t", payload={"n": n}) for n in range(3))
    (batch,) = files.waiting("q")
    with pytest.raises(KeyboardInterrupt):
        work(files, [batch.ref], lake=files.lake, every=1)
    (bookmark,) = (files.lake.location.path / ".lakehouse/state").glob("*_running.json")
    bookmark.write_bytes(b"{")
    assert files.status()[0].todo == 3
    assert work(files, [batch.ref], lake=files.lake).jobs == 3
    assert seen == [0, 1, 0, 1, 2]
    assert "from its beginning" in caplog.text
    assert files.lake.states.jobs() == []


def test_a_dead_letter_that_cannot_be_read_is_named(files):
    Job(queue="q", task="nobody").defer()
    work_queue(files, "q", lake=files.lake)
    (letter,) = (files.lake.location.path / ".lakehouse/queue/q/dead").glob("*.json")
    letter.write_bytes(b"{")
    with pytest.raises(InvalidData, match="remove it"):
        list(files.dead())
    assert files.status()[0].failed == 1
