"""
Bringing two copies of a collection together that were both changed since they were the same.

A new table is made: the remote's versions, and on top of them one with our changes. So the remote can be brought to it
afterwards like to any later state. The registry then names the new table; the old one stays until garbage is collected.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lakehouse_assets.collections.commits import DataFile, Snapshot
from lakehouse_assets.collections.cutting import cut
from lakehouse_assets.collections.frames import in_order
from lakehouse_assets.collections.log import DeltaLog
from lakehouse_assets.collections.schema import Schema
from lakehouse_assets.collections.sync import (
    Resolve,
    Step,
    bring,
    copy_file,
    move_to,
    new_path,
    refuse,
    with_files,
)
from lakehouse_assets.collections.table import Table
from lakehouse_assets.errors import InvalidData

if TYPE_CHECKING:
    import polars as pl

    from lakehouse_assets.collections.repo import Repo

log = logging.getLogger(__name__)


def resolved(here: "Repo", there: "Repo", steps: Sequence[Step], resolve: Resolve) -> list[Step]:
    """The steps, of which those are done that both sides had changed."""
    if resolve not in ("ours", "theirs"):
        msg = f"not a way to resolve: {resolve!r}; write 'ours' or 'theirs'"
        raise InvalidData(msg)
    refuse([step for step in steps if step.state == "conflict"])
    return [_merged(here, there, step, resolve) if step.state == "diverged" else step for step in steps]


def _merged(here: "Repo", there: "Repo", step: Step, resolve: Resolve) -> Step:
    local = step.local
    if local is None:
        return step
    schema = step.remote.schema
    ours = Table(schema, here.location / local.path)
    path = new_path()
    made = Table(schema, here.location / path)
    source = DeltaLog(there.location / step.remote.path, index=schema.first.name)
    brought = with_files(
        replace(step, shallow=False),
        "new",
        source,
        made.log,
        range(source.first(), source.snapshot().version + 1),
    )
    bring(made.log.location, source.location, brought)
    head = ours.log.snapshot()
    add, remove = _changes(made, ours, head, _base(ours.log, source), resolve)
    made.log.commit(
        made.log.snapshot(),
        add=add,
        remove=remove,
        operation="MERGE",
        info={"merged": str(head.version), "wins": resolve},
    )
    move_to(here, step, ours.log, head, path)
    log.info("merged %s from %s, %s wins", step.label, there.uri, resolve)
    return replace(brought, state="merged", local=replace(local, path=path), files=brought.files)


def _base(ours: DeltaLog, theirs: DeltaLog) -> Snapshot | None:
    """The last version that both have; None when their logs do not go back so far."""
    newest = min(ours.snapshot().version, theirs.snapshot().version)
    for version in range(newest, max(ours.first(), theirs.first()) - 1, -1):
        if (mark := ours.mark(version)) is not None and mark == theirs.mark(version):
            return ours.at(version)
    return None


def _changes(
    made: Table, ours: Table, head: Snapshot, base: Snapshot | None, resolve: Resolve
) -> tuple[list[DataFile], list[str]]:
    """The files that bring our changes into the new table, and those that they take the place of."""
    theirs = made.log.snapshot()
    add: list[DataFile] = []
    remove: list[str] = []
    names = {
        file.series for each in (head, theirs) for file in each.files.values() if file.series is not None
    }
    for series in sorted(names):
        keys = {
            which: _keys(each, series) for which, each in (("base", base), ("ours", head), ("theirs", theirs))
        }
        if keys["ours"] in (keys["base"], keys["theirs"]):
            continue
        remove += sorted(keys["theirs"])
        if keys["theirs"] == keys["base"]:
            add += [_copied(file, ours, made) for file in head.of(series)]
            continue
        rows = _rows(
            made.schema,
            _all(ours, base, series),
            _all(ours, head, series),
            _all(made, theirs, series),
            resolve,
        )
        if not rows.is_empty():
            add += made.files.write(cut(made.schema, rows, total=rows.height), series)
    # what both have stays
    both = {file.key for file in add} & set(remove)
    return [file for file in add if file.key not in both], [key for key in remove if key not in both]


def _rows(
    schema: Schema, base: "pl.DataFrame", ours: "pl.DataFrame", theirs: "pl.DataFrame", resolve: Resolve
) -> "pl.DataFrame":
    """Their rows with our changes; where both changed the rows of an index, those of whom `resolve` says."""
    import polars as pl

    changed = _changed(schema, base, ours)
    if resolve == "theirs":
        changed = changed.join(_changed(schema, base, theirs), on=schema.index, how="anti")
    kept = theirs.join(changed, on=schema.index, how="anti", maintain_order="left")
    new = ours.join(changed, on=schema.index, how="semi", maintain_order="left")
    return in_order(schema, pl.concat([kept, new]))


def _changed(schema: Schema, before: "pl.DataFrame", after: "pl.DataFrame") -> "pl.DataFrame":
    """The indexes whose rows are not the same before and after."""
    import polars as pl

    both = pl.concat(
        [before.with_columns(pl.lit(-1).alias(_SIGN)), after.with_columns(pl.lit(1).alias(_SIGN))]
    )
    counted = both.group_by(list(schema)).agg(pl.col(_SIGN).sum()).filter(pl.col(_SIGN) != 0)
    return counted.select(schema.index).unique()


# no name of a column has a space
_SIGN = "which side"


def _all(table: Table, snapshot: Snapshot | None, series: str) -> "pl.DataFrame":
    import polars as pl

    return pl.concat([pl.DataFrame(schema=table.schema.stored), *table.rows(snapshot, series)])


def _keys(snapshot: Snapshot | None, series: str) -> frozenset[str]:
    return frozenset(file.key for file in snapshot.of(series)) if snapshot is not None else frozenset()


def _copied(file: DataFile, source: Table, target: Table) -> DataFile:
    copy_file(source.log.location, target.log.location, file)
    return file
