"""A batch in Postgres that is being worked."""

from collections.abc import Iterator, Sequence, Set
from contextlib import closing
from typing import TYPE_CHECKING

from lakehouse_assets.errors import LeaseLost
from lakehouse_assets.jobs.batching import Drafts
from lakehouse_assets.jobs.postgres import Database
from lakehouse_assets.jobs.procrastinate_rows import bury, count, insert, owner_of, parts
from lakehouse_assets.jobs.queue import Batch, Settlement

if TYPE_CHECKING:
    from lakehouse_assets.jobs.postgres import Session

# jobs that are begun together: of a worker that died, it was one of these that it worked
_BEGUN = 20

# a line that is long is read by itself
_BEGIN = """
UPDATE procrastinate_jobs SET attempts = CASE WHEN id = ANY(%(ids)s) THEN greatest(attempts, 1) ELSE 0 END
WHERE id = ANY(%(ids)s || %(before)s::bigint[]) AND worker_id = %(worker)s AND status = 'doing'
RETURNING id, CASE WHEN pg_column_size(args) < 1000000 THEN args ->> 'job' END
"""

_MINE = "id = ANY(%(ids)s) AND worker_id = %(worker)s AND status = 'doing'"


class ProcrastinateClaim:
    """
    Rows that are ours, as long as this process says that it lives.

    In a row that was not begun `attempts` is 0, and 1 in each of the few that were begun together. It goes up by one
    when such a job is begun by itself, as it is when a worker has died with it or with its neighbours.
    """

    def __init__(
        self,
        database: Database,
        batch: Batch,
        ids: Sequence[int],
        *,
        worker: int,
        suspects: Set[int],
        temp_directory: str | None,
    ) -> None:
        """With one of the `suspects` an earlier worker died."""
        self.batch = batch
        self.careful = bool(suspects)
        self._database = database
        self._temp = temp_directory
        self._ids = list(ids)
        self._worker = worker
        self._suspects = suspects
        self._next = iter(self._ids[:])
        self._at = 0

    def lines(self) -> Iterator[bytes]:
        """The jobs that are still to be worked."""
        before: Sequence[int] = ()
        for some in parts(self._ids[:], _BEGUN):
            values = {"ids": list(some), "before": list(before), "worker": self._worker}
            found: dict[int, str | None] = dict(self._database.all(_BEGIN, values))
            for row in some:
                if row not in found:
                    # it is somebody else's by now, which is told when the others are settled
                    return
                line = found[row]
                yield (self._line(row) if line is None else line).encode()
            before = some

    def _line(self, row: int) -> str:
        found = self._database.one("SELECT args ->> 'job' FROM procrastinate_jobs WHERE id = %s", [row])
        return str(found[0])

    def is_cancelled(self) -> bool:
        """Whether somebody cancelled it since."""
        sql = "SELECT 1 FROM procrastinate_jobs WHERE id = ANY(%(ids)s) AND abort_requested LIMIT 1"
        return bool(self._database.all(sql, {"ids": self._ids}))

    def begin(self) -> int:
        """Note that the next job begins, if a worker may have died with it; returns how many did for sure."""
        self._at = row = next(self._next)
        self.careful = row in self._suspects
        if not self.careful:
            return 0
        sql = f"UPDATE procrastinate_jobs SET attempts = attempts + 1 WHERE {_MINE} RETURNING attempts - 2"
        found = self._database.all(sql, {"ids": [row], "worker": self._worker})
        if not found:
            raise self._lost()
        return int(found[0][0])

    def end(self) -> None:
        """Take back that a suspect was begun: who dies now does not die of it."""
        if self.careful:
            sql = f"UPDATE procrastinate_jobs SET attempts = attempts - 1 WHERE {_MINE} RETURNING id"
            if not self._database.all(sql, {"ids": [self._at], "worker": self._worker}):
                raise self._lost()

    def settle(self, settlement: Settlement) -> None:
        """Write down what became of some jobs, in one transaction; LeaseLost when they are not ours any more."""
        ended = self._ids[: settlement.done]
        left = self._ids[settlement.done :]
        gone = self._ids if settlement.is_last else ended
        with self._database.transaction() as session:
            deleted = session.execute(
                f"DELETE FROM procrastinate_jobs WHERE {_MINE}".encode(),
                {"ids": gone, "worker": self._worker},
            )
            if deleted.rowcount != len(gone):
                raise self._lost()
            for jobs in () if settlement.stopped else (settlement.deferred, settlement.retried):
                with closing(Drafts(jobs, self._temp)) as drafts:
                    insert(session, drafts)
            for letter in settlement.dead:
                bury(session, letter)
            self._count(
                session,
                succeeded=settlement.succeeded,
                seconds=settlement.seconds,
                aborted=len(left) if settlement.is_last else 0,
            )
        self._ids = [] if settlement.is_last else left

    def release(self) -> None:
        """Let others have what is left; nothing when it is settled as a whole."""
        if not self._ids:
            return
        values = {"ids": self._ids, "worker": self._worker}
        with self._database.transaction() as session:
            # those that were queued again meanwhile wait already
            dropped = f"""
                DELETE FROM procrastinate_jobs AS mine WHERE {_MINE} AND (abort_requested OR EXISTS (
                    SELECT 1 FROM procrastinate_jobs AS other
                    WHERE other.queueing_lock = mine.queueing_lock AND other.status = 'todo'
                )) RETURNING abort_requested
                """
            aborted = [asked for (asked,) in session.execute(dropped.encode(), values).fetchall() if asked]
            self._count(session, aborted=len(aborted))
            freed = (
                f"UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL, attempts = 0 WHERE {_MINE}"
            )
            session.execute(freed.encode(), values)
        self._ids = []

    def _count(self, session: "Session", **counts: float) -> None:
        batch = self.batch
        count(session, batch.queue, batch.task, owner_of(batch.dataset), **counts)

    def _lost(self) -> LeaseLost:
        msg = f"{self.batch.ref} was taken over by another worker, as this one was silent for too long; it works on"
        return LeaseLost(msg)
