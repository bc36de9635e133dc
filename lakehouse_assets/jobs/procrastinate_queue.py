"""
The queue of a lake in Postgres, in the tables of procrastinate: for many small jobs, all the time.

Batches are no rows: what waits is parted anew each time that somebody looks. Rows of jobs that are done go.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.jobs.batching import Drafts
from lakehouse_assets.jobs.memory_queue import check_what, renewed
from lakehouse_assets.jobs.models import AnyJob
from lakehouse_assets.jobs.postgres import open_database
from lakehouse_assets.jobs.procrastinate_claim import ProcrastinateClaim
from lakehouse_assets.jobs.procrastinate_rows import DATASET, ID, count, dataset_of, insert, owner_of, parts
from lakehouse_assets.jobs.queue import Batch, Counts, DeadLetter
from lakehouse_assets.jobs.stages import settings_of, stage_names
from lakehouse_assets.model.times import now_utc, to_utc

if TYPE_CHECKING:
    from lakehouse_assets.lake import Lake

_SIZE = 1000

# jobs that failed together are tried again together: of times to come those in one second count as the last of them
_WAITING = f"""
WITH listed AS (
    SELECT id, task_name, {DATASET} AS dataset, priority, status,
        CASE WHEN scheduled_at > now() THEN scheduled_at END AS later,
        CASE WHEN scheduled_at > now() THEN date_trunc('second', scheduled_at) END AS moment
    FROM procrastinate_jobs WHERE queue_name = %(queue)s AND status IN ('todo', 'doing')
), parted AS (
    SELECT *, (row_number() OVER (PARTITION BY task_name, dataset, priority, status, moment ORDER BY id) - 1)
        / coalesce((%(sizes)s::jsonb ->> task_name)::int, {_SIZE}) AS part
    FROM listed
), batches AS (
    SELECT task_name, dataset, priority, max(later), min(id) AS first, max(id) AS last, count(*) AS jobs
    FROM parted GROUP BY task_name, dataset, priority, status, moment, part
)
SELECT batches.*, (
    SELECT min(at) FROM procrastinate_events WHERE job_id = first AND type = 'deferred'
) FROM batches
"""

_DEAD_WORKERS = """
(worker_id IS NULL OR worker_id NOT IN (
    SELECT id FROM procrastinate_workers WHERE last_heartbeat > now() - %(alive)s * interval '1 second'
))
"""

_RANGE = f"""
queue_name = %(queue)s AND task_name = %(task)s AND {DATASET} = %(dataset)s AND priority = %(priority)s
AND id BETWEEN %(first)s AND %(last)s
"""

_TAKE = f"""
WITH free AS (
    SELECT id, status FROM procrastinate_jobs WHERE {_RANGE} AND (
        status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
        OR status = 'doing' AND NOT abort_requested AND {_DEAD_WORKERS}
    ) FOR UPDATE SKIP LOCKED
)
UPDATE procrastinate_jobs AS job SET status = 'doing', worker_id = %(worker)s
FROM free WHERE job.id = free.id RETURNING job.id, free.status = 'doing' AND job.attempts > 0
"""

_DROP_ABORTED = f"""
DELETE FROM procrastinate_jobs
WHERE {_RANGE} AND status = 'doing' AND abort_requested AND {_DEAD_WORKERS} RETURNING id
"""


class ProcrastinateQueue:
    """
    The queues of a lake in a Postgres database that has no other use; any number of programs defer and work at once.

    Example:
        >>> queue = ProcrastinateQueue(Lake("data"), "postgresql://user:password@host/jobs")  # doctest: +SKIP
        >>> queue.defer([DatasetJob.from_entity("acme", "files", "extract", document)])  # doctest: +SKIP
        ['b5bb9d80…']
    """

    def __init__(self, lake: "Lake", uri: str) -> None:
        """The tables are made where they are missing; StorageError when the server is out of reach."""
        self.lake = lake
        self._temp = lake.settings.temp_directory
        self.database = open_database(uri, lease_seconds=lake.settings.lease_seconds)

    def defer(self, jobs: "AnyJob | Iterable[AnyJob]") -> list[str]:
        """Queue jobs, all or none; returns their ids. Jobs that wait already are left as they are."""
        # before the transaction: whatever makes the jobs may take its time
        with closing(Drafts(jobs, self._temp)) as drafts:
            with self.database.transaction() as session:
                insert(session, drafts)
            return drafts.ids

    def sign(self) -> str:
        """Another text as soon as a job was deferred; quick, however many wait."""
        return str(self.database.one("SELECT last_value FROM procrastinate_jobs_id_seq")[0])

    def queues(self) -> list[str]:
        """The names of all queues that have ever had a job, sorted."""
        sql = "SELECT queue_name FROM procrastinate_jobs UNION SELECT queue FROM lakehouse_jobs_done"
        return sorted(name for (name,) in self.database.all(sql))

    def waiting(self, queue: str) -> list[Batch]:
        """The batches that wait or are at work, in the order in which they are to be worked."""
        sizes = {task: settings_of(task).batch_size for task in stage_names()}
        rows = self.database.all(_WAITING, {"queue": queue, "sizes": orjson.dumps(sizes).decode()})
        return sorted((_batch(queue, *row) for row in rows), key=lambda batch: batch.order)

    def take(self, ref: str) -> ProcrastinateClaim | None:
        """Claim a batch; None when somebody else has it, or when it is done."""
        batch, values = _parse(ref)
        worker = self.database.worker()
        settings = self.lake.settings
        values = {**values, "worker": worker, "alive": settings.lease_seconds}
        with self.database.transaction() as session:
            dropped = session.execute(_DROP_ABORTED, values).rowcount
            if dropped:
                count(session, batch.queue, batch.task, owner_of(batch.dataset), aborted=dropped)
            rows = sorted(session.execute(_TAKE, values).fetchall())
        if not rows:
            return None
        suspects = frozenset(found for found, is_suspect in rows if is_suspect)
        ids = [found for found, _ in rows]
        return ProcrastinateClaim(
            self.database,
            replace(batch, count=len(ids)),
            ids,
            worker=worker,
            suspects=suspects,
            temp_directory=self._temp,
        )

    def status(self, queue: str | None = None, dataset: str | None = None) -> list[Counts]:
        """How many jobs are where, by queue, task and dataset."""
        sql = f"""
            SELECT queue_name, task_name, {DATASET},
                CASE WHEN abort_requested THEN 'aborting' ELSE status::text END AS state, count(*), (
                    SELECT min(at) FROM procrastinate_events WHERE job_id = min(job.id) AND type = 'deferred'
                ) FROM procrastinate_jobs AS job GROUP BY 1, 2, 3, 4
            """
        found: dict[tuple[str, str, str], Counts] = {}
        done = "SELECT queue, task, dataset, succeeded, cancelled, aborted, seconds FROM lakehouse_jobs_done"
        for name, task, owner, succeeded, cancelled, aborted, seconds in self.database.all(done):
            found[name, task, owner] = Counts(
                name,
                task,
                dataset_of(owner),
                succeeded=succeeded,
                cancelled=cancelled,
                aborted=aborted,
                seconds=seconds,
            )
        for name, task, owner, state, number, at in self.database.all(sql):
            counts = Counts(name, task, dataset_of(owner))
            oldest = to_utc(at) if at is not None and state in ("todo", "doing", "aborting") else None
            counts += Counts(name, task, counts.dataset, **{state: number}, oldest=oldest)
            known = found.get((name, task, owner))
            found[name, task, owner] = known + counts if known else counts
        return [
            counts
            for _, counts in sorted(found.items())
            if queue in (None, counts.queue) and dataset in (None, counts.dataset)
        ]

    def cancel(self, *, queue: str | None = None, dataset: str | None = None, dry_run: bool = False) -> int:
        """Cancel the jobs of a queue or a dataset, or of both together; returns how many."""
        check_what(queue, dataset)
        values = {"queue": queue, "dataset": None if dataset is None else owner_of(dataset)}
        wanted = (
            "(%(queue)s::text IS NULL OR queue_name = %(queue)s) "
            f"AND (%(dataset)s::text IS NULL OR {DATASET} = %(dataset)s)"
        )
        with self.database.transaction() as session:
            if dry_run:
                sql = (
                    f"SELECT count(*) FROM procrastinate_jobs WHERE {wanted} AND status IN ('todo', 'doing')"
                )
                found = session.execute(sql.encode(), values).fetchone()
                return int(found[0]) if found else 0
            gone = f"""
                WITH gone AS (
                    DELETE FROM procrastinate_jobs WHERE {wanted} AND status = 'todo'
                    RETURNING queue_name, task_name, {DATASET} AS dataset
                ) SELECT queue_name, task_name, dataset, count(*) FROM gone GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
                """
            cancelled = 0
            for name, task, owner, number in session.execute(gone.encode(), values).fetchall():
                count(session, name, task, owner, cancelled=number)
                cancelled += number
            marked = f"""
                UPDATE procrastinate_jobs SET abort_requested = true
                WHERE {wanted} AND status = 'doing' AND NOT abort_requested
                """
            return cancelled + session.execute(marked.encode(), values).rowcount

    def dead(self, queue: str | None = None, *, last: int | None = None) -> Iterator[DeadLetter]:
        """The jobs that failed for good, the oldest first; only the `last` ones, so many, if given."""
        sql = """
            SELECT id FROM procrastinate_jobs
            WHERE status = 'failed' AND (%(queue)s::text IS NULL OR queue_name = %(queue)s) ORDER BY id
            """
        ids = [found for (found,) in self.database.all(sql, {"queue": queue})]
        for some in parts(ids if last is None else ids[max(0, len(ids) - last) :]):
            yield from self._letters(some)

    def _letters(self, ids: Sequence[int]) -> list[DeadLetter]:
        sql = f"""
            SELECT {ID}, queue_name, task_name, {DATASET}, attempts, args FROM procrastinate_jobs
            WHERE id = ANY(%(ids)s) ORDER BY id
            """
        return [
            DeadLetter(
                id=job_id,
                queue=queue,
                task=task,
                dataset=dataset_of(owner),
                attempts=attempts,
                error=args.get("error", ""),
                traceback=args.get("traceback", ""),
                at=datetime.fromisoformat(args["at"]) if "at" in args else now_utc(),
                data=args.get("job", "").encode(),
            )
            for job_id, queue, task, owner, attempts, args in self.database.all(sql, {"ids": list(ids)})
        ]

    def requeue(self, ids: Iterable[str], *, queue: str | None = None) -> list[str]:
        """Queue dead jobs again, under the same ids and with no attempts; returns those that were there."""
        sql = f"""
            SELECT id FROM procrastinate_jobs WHERE status = 'failed' AND {ID} = ANY(%(ids)s)
            AND (%(queue)s::text IS NULL OR queue_name = %(queue)s) ORDER BY id
            """
        found = [row for (row,) in self.database.all(sql, {"ids": list(ids), "queue": queue})]
        done = []
        for some in parts(found):
            letters = self._letters(some)
            again = Drafts((renewed(letter) for letter in letters), self._temp)
            with closing(again), self.database.transaction() as session:
                insert(session, again)
                session.execute(
                    "DELETE FROM procrastinate_jobs WHERE id = ANY(%s) AND status = 'failed'", [list(some)]
                )
            done += [letter.id for letter in letters]
        return done

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.database.name!r})"


def _batch(
    queue: str,
    task: str,
    owner: str,
    priority: int,
    not_before: datetime | None,
    first: int,
    last: int,
    jobs: int,
    deferred_at: datetime | None,
) -> Batch:
    return Batch(
        ref=orjson.dumps([queue, task, owner, priority, first, last]).decode(),
        queue=queue,
        task=task,
        dataset=dataset_of(owner),
        count=jobs,
        priority=priority,
        not_before=to_utc(not_before) if not_before else None,
        deferred_at=to_utc(deferred_at) if deferred_at else now_utc(),
    )


def _parse(ref: str) -> tuple[Batch, dict[str, object]]:
    """The batch that a ref means, and the same as values of a query; InvalidData when it is none."""
    try:
        queue, task, owner, priority, first, last = orjson.loads(ref)
        batch = _batch(queue, task, owner, priority, None, first, last, last - first + 1, None)
    except (ValueError, TypeError) as exc:
        msg = f"not a batch of jobs: {ref!r}; `lakehouse jobs status` tells what waits"
        raise InvalidData(msg) from exc
    names = ("queue", "task", "dataset", "priority", "first", "last")
    return batch, dict(zip(names, (queue, task, owner, priority, first, last), strict=True))
