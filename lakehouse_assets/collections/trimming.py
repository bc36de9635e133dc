"""Forgetting early versions of a table."""

import logging
from datetime import datetime

from lakehouse_assets.collections.log import DeltaLog
from lakehouse_assets.collections.log_files import LOG
from lakehouse_assets.collections.table import Table
from lakehouse_assets.errors import StorageError

log = logging.getLogger(__name__)


def trim(table: Table, before: datetime) -> int:
    """Forget the revisions of a table up to a time, but for the newest; gives how many."""
    return trim_log(table.log, before)


def trim_log(table: DeltaLog, before: datetime, *, lineage: bool = True) -> int:
    """
    The same by the log of a table; which versions there were is remembered, unless nobody will ask for its `lineage`.

    First the state of the oldest version that stays is written down, then what is before it is deleted: whoever reads
    meanwhile finds one or the other.
    """
    commits = [commit for commit in table.commits() if commit.added or commit.removed]
    gone = [commit for commit in commits[:-1] if commit.at <= before]
    if not gone:
        return 0
    kept = commits[len(gone)].version
    if not table.checkpoint(kept):
        msg = f"no checkpoint could be written of {table.location.uri}; nothing was trimmed, try again"
        raise StorageError(msg)
    if lineage:
        table.note_lineage(kept)
    deleted = 0
    for name in table.location.names(LOG):
        number = name.split(".")[0]
        if number.isdigit() and int(number) < kept:
            deleted += table.location.delete(f"{LOG}/{name}")
    table.forget(kept)
    log.info("trimmed %s to version %s: %s files of its log deleted", table.location.uri, kept, deleted)
    return len(gone)
