"""Forgetting early versions of a table."""

import logging
from datetime import datetime

from lakehouse_assets.collections.log import LOG
from lakehouse_assets.collections.table import Table
from lakehouse_assets.errors import StorageError

log = logging.getLogger(__name__)


def trim(table: Table, before: datetime) -> int:
    """
    Forget the revisions up to a time, but for the newest; gives how many.

    First the state of the oldest version that stays is written down, then what is before it is deleted: whoever reads
    meanwhile finds one or the other.
    """
    commits = [commit for commit in table.log.commits() if commit.added or commit.removed]
    gone = [commit for commit in commits[:-1] if commit.at <= before]
    if not gone:
        return 0
    kept = commits[len(gone)].version
    if not table.log.checkpoint(kept):
        msg = f"no checkpoint could be written of {table.log.location.uri}; nothing was trimmed, try again"
        raise StorageError(msg)
    table.log.note_lineage(kept)
    deleted = 0
    for name in table.log.location.names(LOG):
        number = name.split(".")[0]
        if number.isdigit() and int(number) < kept:
            deleted += table.log.location.delete(f"{LOG}/{name}")
    table.log.forget(kept)
    log.info("trimmed %s to version %s: %s files of its log deleted", table.log.location.uri, kept, deleted)
    return len(gone)
