"""
Rows of a queue in Postgres: jobs that wait, jobs that failed for good, and counts of those that are done.

A row is a job. `args` holds its line of JSON, `queueing_lock` its dataset and its id, so that a job that waits is there
once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import orjson

from lakehouse_assets.jobs.batching import Drafts
from lakehouse_assets.jobs.queue import DeadLetter

if TYPE_CHECKING:
    from lakehouse_assets.jobs.postgres import Session

DATASET = "split_part(queueing_lock, ':', 1)"
ID = "substr(queueing_lock, strpos(queueing_lock, ':') + 1)"
"""What stands in `queueing_lock`: the dataset as `owner_of` writes it, and the id."""

_READ = 100

_INSERT = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, queueing_lock, args, scheduled_at)
SELECT %(queue)s, %(task)s, %(priority)s, lock, jsonb_build_object('job', line), %(not_before)s
FROM unnest(%(locks)s::text[], %(lines)s::text[]) WITH ORDINALITY AS given (lock, line, place)
ORDER BY place
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
"""

_INSERT_DEAD = """
INSERT INTO procrastinate_jobs (queue_name, task_name, queueing_lock, args, status, attempts)
VALUES (%(queue)s, %(task)s, %(lock)s, %(args)s::jsonb, 'failed', %(attempts)s)
"""

_COUNT = """
INSERT INTO lakehouse_jobs_done AS known (queue, task, dataset, succeeded, cancelled, aborted, seconds)
VALUES (%(queue)s, %(task)s, %(dataset)s, %(succeeded)s, %(cancelled)s, %(aborted)s, %(seconds)s)
ON CONFLICT (queue, task, dataset) DO UPDATE SET
    succeeded = known.succeeded + excluded.succeeded,
    cancelled = known.cancelled + excluded.cancelled,
    aborted = known.aborted + excluded.aborted,
    seconds = known.seconds + excluded.seconds
"""


def insert(session: "Session", drafts: Drafts) -> None:
    """Let jobs wait, but for those that wait already."""
    for draft in drafts:
        values = {
            **asdict(draft.group),
            "locks": [_lock(draft.group.dataset, job_id) for job_id in draft.ids],
            "lines": [line.decode() for line in drafts.lines(draft)],
        }
        session.execute(_INSERT, values)


def count(session: "Session", queue: str, task: str, owner: str, **counts: float) -> None:
    """Count jobs that are done: how many `succeeded`, were `cancelled` or `aborted`, and the `seconds` of work."""
    if any(counts.values()):
        zero = {"succeeded": 0, "cancelled": 0, "aborted": 0, "seconds": 0.0}
        session.execute(_COUNT, {"queue": queue, "task": task, "dataset": owner, **zero, **counts})


def bury(session: "Session", letter: DeadLetter) -> None:
    """Keep a job that failed for good."""
    lock = _lock(letter.dataset, letter.id)
    # Postgres takes no NUL, which a message may have
    said = {
        "job": letter.data.decode(),
        "error": letter.error.replace("\0", "\ufffd"),
        "traceback": letter.traceback.replace("\0", "\ufffd"),
        "at": letter.at.isoformat(),
    }
    # the last failure of a job is the one that counts
    sql = f"DELETE FROM procrastinate_jobs WHERE status = 'failed' AND {ID} = %s AND queueing_lock = %s"
    session.execute(sql.encode(), [letter.id, lock])
    values = {
        "queue": letter.queue,
        "task": letter.task,
        "lock": lock,
        "args": orjson.dumps(said).decode(),
        "attempts": letter.attempts,
    }
    session.execute(_INSERT_DEAD, values)


def parts(ids: Sequence[int], size: int = _READ) -> Iterator[Sequence[int]]:
    """The ids of rows, some at a time."""
    return (ids[start : start + size] for start in range(0, len(ids), size))


def owner_of(dataset: str | None) -> str:
    """A dataset, or none, as a part of `queueing_lock`."""
    return quote(dataset or "", safe="")


def dataset_of(owner: str) -> str | None:
    """The dataset that such a part means."""
    return unquote(owner) or None


def _lock(dataset: str | None, job_id: str) -> str:
    return f"{owner_of(dataset)}:{job_id}"
