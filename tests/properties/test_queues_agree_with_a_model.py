"""Queues in files and in memory do the same, whatever is deferred, worked, cancelled and queued again."""

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lakehouse_assets.jobs import FileQueue, Job, MemoryQueue, stage, stages, work
from lakehouse_assets.lake import Lake

names = st.sampled_from(["a", "b/..", "c,d"])
numbers = st.lists(st.integers(0, 12), min_size=1, max_size=5)


class Queues(RuleBasedStateMachine):
    """Both queues, and what is known of each of their jobs."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.mkdtemp()
        lake = Lake(self.folder)
        self.before = stages._stages
        stages._stages = {}
        self.queues = (FileQueue(lake), MemoryQueue(lake))
        self.called: dict[object, list[object]] = {queue: [] for queue in map(id, self.queues)}
        self.at_work: object = None
        stage("t", batch_size=3, max_retries=1, exponential=0)(self.call)

    def call(self, job: Job) -> object:
        number = job.payload["n"]
        assert isinstance(number, int)
        self.called[self.at_work].append((job.queue, number, job.attempts))
        if number % 5 == 4:
            raise ValueError(number)
        return job if (job.payload.update(n=number - 10) or number >= 10) else None

    @rule(queue=names, given=numbers, priority=st.sampled_from([None, 10, 90]))
    def defer(self, queue: str, given: list[int], priority: int | None) -> None:
        jobs = [Job(queue=queue, task="t", payload={"n": number}, priority=priority) for number in given]
        self.same(lambda each: each.defer(jobs))

    @rule(queue=names)
    def work_first(self, queue: str) -> None:
        def some(each: FileQueue | MemoryQueue) -> object:
            self.at_work = id(each)
            refs = [batch.ref for batch in each.waiting(queue)][:1]
            done = work(each, refs, lake=each.lake, every=2)
            return done.succeeded, done.retried, done.dead, done.deferred

        self.same(some)

    @rule(queue=names)
    def cancel(self, queue: str) -> None:
        self.same(lambda each: each.cancel(queue=queue))

    @rule(queue=names)
    def requeue(self, queue: str) -> None:
        self.same(lambda each: sorted(each.requeue([letter.id for letter in each.dead(queue)])))

    @invariant()
    def the_same_waits_and_was_done(self) -> None:
        def state(each: FileQueue | MemoryQueue) -> object:
            counts = Counter()
            for found in each.status():
                for name in ("todo", "doing", "succeeded", "failed", "cancelled", "aborted"):
                    counts[found.queue, found.task, name] += getattr(found, name)
            waiting = [
                (batch.queue, batch.task, batch.count, batch.priority)
                for name in each.queues()
                for batch in each.waiting(name)
            ]
            return +counts, waiting, sorted(letter.id for letter in each.dead())

        if hasattr(self, "queues"):
            self.same(state)
            first, second = self.called.values()
            assert first == second

    def same(self, do: object) -> None:
        first, second = (do(each) for each in self.queues)  # type: ignore[operator]
        assert first == second

    def teardown(self) -> None:
        if hasattr(self, "queues"):
            stages._stages = self.before
            shutil.rmtree(Path(self.folder))


TestQueues = Queues.TestCase
TestQueues.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
