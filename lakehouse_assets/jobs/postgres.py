"""
A database server that a queue of jobs lies in: connections, tables, and whether workers are alive.

The tables are procrastinate's, so that its tools show the queues, and one that counts the jobs that are done.
"""

# procrastinate and psycopg are an extra, and are imported where they are used
import atexit
import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from lakehouse_assets.errors import InvalidData, StorageError

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.rows import TupleRow
    from psycopg_pool import ConnectionPool

    Session: TypeAlias = Connection[TupleRow]

log = logging.getLogger(__name__)

MOST_SILENT = 10.0
"""A worker says at least so often that it lives, in seconds; procrastinate's own forget who is silent for 30 s."""

_CONNECTIONS = 4
_OPENS_WITHIN = 30.0
_PASSWORD = re.compile(r"(?<=:)[^:@/]+(?=@)")
# any number: that of the lock under which tables are made
_MAKING = 5_117_203

_DONE_TABLE = """
CREATE TABLE IF NOT EXISTS lakehouse_jobs_done (
    queue text NOT NULL,
    task text NOT NULL,
    dataset text NOT NULL,
    succeeded bigint NOT NULL DEFAULT 0,
    cancelled bigint NOT NULL DEFAULT 0,
    aborted bigint NOT NULL DEFAULT 0,
    seconds double precision NOT NULL DEFAULT 0,
    PRIMARY KEY (queue, task, dataset)
);
CREATE INDEX IF NOT EXISTS lakehouse_jobs_dead ON procrastinate_jobs
    (substr(queueing_lock, strpos(queueing_lock, ':') + 1)) WHERE status = 'failed';
"""


class Database:
    """The server at an address: any number of threads use it at once."""

    def __init__(self, uri: str, *, beat: float = MOST_SILENT) -> None:
        """Use `open_database`, which keeps connections open. Every `beat` seconds a worker says that it lives."""
        self.name = _PASSWORD.sub("***", uri)
        self._beat_seconds = beat
        self._ending = threading.Event()
        self._pool = _open_pool(uri, self.name)
        self._worker: int | None = None
        self._worker_lock = threading.Lock()
        with self.transaction() as session:
            _make_tables(session)

    @contextmanager
    def transaction(self) -> "Iterator[Session]":
        """All that is done in the block, or nothing; StorageError when the server is out of reach or refuses."""
        import psycopg

        try:
            with self._pool.connection() as session:
                yield session
        except psycopg.Error as exc:
            msg = f"{self.name}: {exc}; see that the server runs, then try again"
            raise StorageError(msg) from exc

    def worker(self) -> int:
        """
        Who this process is among the workers; from now on it says that it lives.

        It gets another number when others took it for dead.
        """
        with self._worker_lock:
            if self._worker is None:
                self._worker = self._register()
                threading.Thread(target=self._beat, name="jobs-heartbeat", daemon=True).start()
            elif not self._is_known(self._worker):
                self._worker = self._register()
            return self._worker

    def _register(self) -> int:
        found = self.one("SELECT worker_id FROM procrastinate_register_worker_v1()")
        return int(found[0])

    def _is_known(self, worker: int) -> bool:
        sql = "UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = %s RETURNING id"
        with self.transaction() as session:
            return session.execute(sql, [worker]).fetchone() is not None

    def _beat(self) -> None:
        while not self._ending.wait(self._beat_seconds):
            try:
                self._is_known(self._worker or 0)
            except StorageError as exc:
                # what is at work will find out when it is settled
                log.warning("could not tell that this worker lives: %s", exc)

    def one(self, sql: str, values: "dict[str, Any] | list[Any] | None" = None) -> "TupleRow":
        """The only row of an answer."""
        with self.transaction() as session:
            found = session.execute(sql.encode(), values).fetchone()
        assert found is not None
        return found

    def all(self, sql: str, values: "dict[str, Any] | list[Any] | None" = None) -> "list[TupleRow]":
        """The rows of an answer."""
        with self.transaction() as session:
            return session.execute(sql.encode(), values).fetchall()

    def close(self) -> None:
        """End all connections; what this process has at work is free for others at once."""
        self._ending.set()
        if self._worker is not None:
            try:
                self.one("SELECT procrastinate_unregister_worker_v1(%s)", [self._worker])
            except StorageError as exc:
                log.debug("could not take leave: %s", exc)
        self._pool.close()


def open_database(uri: str, *, lease_seconds: float) -> Database:
    """
    The server at an address like postgresql://user:password@host/name, which stays open while the process lasts.

    Workers that say nothing for `lease_seconds` count as dead.
    """
    # connections do not survive a fork
    return _opened(uri, min(MOST_SILENT, lease_seconds / 3), os.getpid())


@lru_cache(maxsize=8)
def _opened(uri: str, beat: float, process: int) -> Database:
    database = Database(uri, beat=beat)
    atexit.register(database.close)
    return database


def _open_pool(uri: str, name: str) -> "ConnectionPool[Session]":
    try:
        import psycopg
        from psycopg_pool import ConnectionPool, PoolTimeout
    except ImportError as exc:
        msg = "a queue in Postgres needs the extra 'procrastinate': pip install 'lakehouse-assets[procrastinate]'"
        raise InvalidData(msg) from exc
    try:
        # the pool would try a wrong address again and again
        psycopg.connect(uri, connect_timeout=int(_OPENS_WITHIN)).close()
        pool = ConnectionPool(
            uri, min_size=1, max_size=_CONNECTIONS, open=False, check=ConnectionPool.check_connection
        )
        pool.open(wait=True, timeout=_OPENS_WITHIN)
    except (psycopg.Error, PoolTimeout) as exc:
        msg = f"cannot use {name} as a queue: {exc}; correct LAKEHOUSE_QUEUE_URI, or start the server"
        raise StorageError(msg) from exc
    return pool


def _make_tables(session: "Session") -> None:
    from procrastinate.schema import SchemaManager

    # of several that come at once, one makes them
    session.execute("SELECT pg_advisory_xact_lock(%s)", [_MAKING])
    known = session.execute(
        "SELECT to_regclass('procrastinate_jobs'), to_regclass('lakehouse_jobs_done')"
    ).fetchone()
    assert known is not None
    if known[0] is None:
        session.execute(SchemaManager.get_schema())
    if known[1] is None:
        session.execute(_DONE_TABLE)
