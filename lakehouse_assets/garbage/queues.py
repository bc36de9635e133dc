"""What jobs name that wait in a database, not in the lake."""

# psycopg is an extra, and is imported where it is used
import logging

from lakehouse_assets.errors import StorageError
from lakehouse_assets.settings import Settings

log = logging.getLogger(__name__)

_THERE = "SELECT to_regclass('procrastinate_jobs') IS NOT NULL"
# what is done needs nothing any more
_NAMED = """
SELECT DISTINCT lower(found[1])
FROM procrastinate_jobs, regexp_matches(args::text, '[0-9A-Fa-f]{64}', 'g') AS found
WHERE status IN ('todo', 'doing', 'failed')
"""


def queued_in_postgres(settings: Settings) -> set[str]:
    """The checksums that open and dead jobs in the queue's database name; none without one."""
    if settings.queue_uri is None:
        return set()
    import psycopg

    try:
        with psycopg.connect(settings.queue_uri) as session:
            there = session.execute(_THERE).fetchone()
            if there is None or not there[0]:
                return set()
            return {str(row[0]) for row in session.execute(_NAMED)}
    except psycopg.Error as exc:
        msg = f"nobody knows what the jobs in the queue's database name: {exc}; see that the server runs"
        raise StorageError(msg) from exc
