"""
Bringing together statements that were changed here and there.

The union of two tables has every row of both, and what counts among them is told as always: the newest `last_seen`,
the earliest `first_seen`, and tombstones win over what they are newer than. So it does not matter who brings them
together, in which order, or how often. Only rows that change what counts here are written, range by range.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.replicas.steps import Resolve
from lakehouse_assets.replicas.tables import (
    Side,
    TablePlan,
    adopt,
    changing,
    touch_partitions,
)
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.canonical import canonical_rows
from lakehouse_assets.statements.datafiles import DataFile, Snapshot
from lakehouse_assets.statements.marks import CONTENT_MARK, UNITED, TableLog, union_mark
from lakehouse_assets.statements.ranges import Range, plan, read
from lakehouse_assets.statements.stage import Staging

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

# what tells a row from any other of its partition
_ROW = [
    s.ID, s.ORIGIN, s.ROLE, s.FRAGMENT, s.FIRST_SEEN, s.LAST_SEEN, s.DELETED_AT, s.SCHEMA, s.ORIGINAL_VALUE,
]  # fmt: skip


def resolved(here: Side, there: Side, snapshot: Snapshot, resolve: Resolve | None) -> tuple[TablePlan, int]:
    """
    Settle what both sides changed, while `snapshot` is held there; returns what was done, and how many files came.

    Conflict when the table here was changed since it was compared.
    """
    found = TablePlan("diverged", here.log.head, is_copy=False)
    if resolve == "theirs":
        with here.leases.mark(layout.STAGING, {"table": layout.STATEMENTS_TABLE}):
            return found, adopt(here, there, snapshot)
    theirs, mine = TableLog(there.location, snapshot.version), here.log.content_mark
    mark = theirs.content_mark
    if mark is None or mine is None:
        side = there if mark is None else here
        msg = f"the log of {side.folder.uri} does not tell what it holds; import something there, then pull again"
        raise InvalidData(msg)
    theirs.write_lineage(here.location)
    if resolve == "ours":
        with changing(here) as base:
            here.table.note(base, {UNITED: mark})
        return found, 0
    metadata = {UNITED: mark, CONTENT_MARK: union_mark(mine, mark)}
    return found, _unite(here, there, snapshot, metadata)


def _unite(here: Side, there: Side, snapshot: Snapshot, metadata: dict[str, str]) -> int:
    """Add the rows from there that change what counts here, in one commit; returns in how many files."""
    mark = here.leases.mark(layout.STAGING, {"table": layout.STATEMENTS_TABLE})
    with mark, Staging(here.folder) as staging:
        with here.reader.held() as base:
            rows = 0
            for frame in _added(here, there, base.files if base else (), snapshot.files):
                rows += len(frame)
                staging.write(frame)
        files = staging.finish()
        with changing(here) as head, staging.handing_over():
            touch_partitions(here, [file.partition for file in files])
            if files:
                here.table.append(files, metadata=metadata)
            else:
                here.table.note(head, metadata)
    log.info("%s: added %s statements of %s", here.location.uri, rows, there.location.uri)
    return len(files)


def _added(
    here: Side, there: Side, ours: Sequence[DataFile], theirs: Sequence[DataFile]
) -> "Iterator[pl.DataFrame]":
    """The rows that must be added to ours, by (shard, bucket) and ranges of ids."""
    known = {file.key for file in ours}
    # a file that both have says nothing new
    others = _by_bucket([file for file in theirs if file.key not in known])
    own = _by_bucket(ours)
    for place, files in sorted(others.items()):
        with here.reader.open(own.get(place, [])) as mine, there.reader.open(files) as yours:
            new = {id(part) for part in yours}
            for wanted in plan([*mine, *yours]):
                inside = tuple(each for each in wanted.slices if id(each.part) in new)
                if inside:
                    outside = tuple(each for each in wanted.slices if id(each.part) not in new)
                    rows = _compared(replace(wanted, slices=outside), replace(wanted, slices=inside))
                    if len(rows):
                        yield rows


def _compared(ours: Range, theirs: Range) -> "pl.DataFrame":
    """What counts of all rows of a range, without what counts of ours."""
    import polars as pl

    mine, yours = read(ours, s.COLUMNS), read(theirs, s.COLUMNS)
    both = canonical_rows(pl.concat([mine, yours]), keep_deleted=True)
    known = canonical_rows(mine, keep_deleted=True)
    return both.join(known.select(_ROW), on=_ROW, how="anti", nulls_equal=True, maintain_order="left")


def _by_bucket(files: Sequence[DataFile]) -> dict[tuple[str, str], list[DataFile]]:
    """Files by shard and bucket: rows of other ones are never compared."""
    found: dict[tuple[str, str], list[DataFile]] = defaultdict(list)
    for file in files:
        found[(file.partition.shard, file.partition.bucket)].append(file)
    return found
