"""
Bringing what is made from statements, where the table here has the very version that it was made from.

A record says what an artifact was made from, so one that came along is fresh exactly where it was. Tags are times of
another machine's clock: they are written anew, in their order, so that what happens here next is later than all.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lakehouse_assets import layout
from lakehouse_assets.diffs.deltas import kept_differences
from lakehouse_assets.diffs.kinds import DiffKind, kinds_of
from lakehouse_assets.errors import Damaged, NotFound
from lakehouse_assets.exports.base import Export
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.model.deltas import DiffState
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.replicas.copying import copy_file
from lakehouse_assets.replicas.tables import Side
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel
from lakehouse_assets.storage.records import Records, Written
from lakehouse_assets.storage.tags import Tags

log = logging.getLogger(__name__)

_STATEMENTS = "statements"
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class File:
    """A file of an export there: its artifact, its path and bytes, and its record; None where others wrote it."""

    key: str
    path: str
    size: int
    record: Written | None


@dataclass(frozen=True)
class ExportPlan:
    """An export that is brought, with all its files, the main one first."""

    export: Export
    files: Sequence[File]

    @property
    def bytes(self) -> int:
        """The bytes of its files."""
        return sum(file.size for file in self.files)


def plan_exports(here: Side, there: Side, content: str) -> list[ExportPlan]:
    """The exports there that were made from this content version and that are not here as they are there."""
    found = in_parallel(
        lambda export: _plan(here.location, there.location, export, content), EXPORTS.values()
    )
    return [plan for plan in found if plan is not None]


def _plan(here: Location, there: Location, export: Export, content: str) -> ExportPlan | None:
    if export.target == layout.INDEX:
        return None
    files = []
    for key in export.targets:
        record = Records(there).get(key)
        path = record.path if record is not None else _existing(there, key)
        size = there.size(path) if path else None
        if size is None or path is None or (record is not None and record.size != size):
            return None
        files.append(File(key, path, size, record))
    made = files[0].record
    if made is None:
        return _of_another_program(here, there, export, files)
    if made.source.get(_STATEMENTS) != content or _is_here(here, export, content):
        return None
    return ExportPlan(export, files)


def _of_another_program(
    here: Location, there: Location, export: Export, files: Sequence[File]
) -> ExportPlan | None:
    """An export without a record: its tag says whether it is fresh. Our own is not replaced by it."""
    is_fresh = Tags(there).is_latest(export.target, (layout.TAG_STATEMENTS_OPTIMIZED,))
    if not is_fresh or Records(here).get(export.target) is not None:
        return None
    if all(here.size(file.path) == file.size for file in files) and Tags(here).get(export.target):
        return None
    return ExportPlan(export, files)


def _is_here(here: Location, export: Export, content: str) -> bool:
    """Whether the files lie here, made from the same statements; with another public address, for example."""
    found = [Records(here).get(key) for key in export.targets]
    return all(
        ours is not None and ours.source.get(_STATEMENTS) == content and here.size(ours.path) == ours.size
        for ours in found
    )


def _existing(there: Location, key: str) -> str | None:
    return next((path for path in layout.forms(key) if there.exists(path)), None)


def bring_export(here: Side, there: Side, plan: ExportPlan) -> list[str] | None:
    """
    Bring one export with its differences; returns the tags that belong to them.

    None when it is not what its record says, or was made anew there.
    """
    source, target = there.location, here.location
    with here.leases.target(plan.export.target) as lease:
        try:
            # the main file's record comes last, and it alone says whether the export is fresh
            for file in reversed(plan.files):
                digest = file.record.digest if file.record is not None else None
                copy_file(source, target, file.path, size=file.size, checksum=digest)
            lease.check()
            for file in reversed(plan.files):
                _remove_other_forms(target, file)
                if file.record is not None:
                    Records(target).put(file.key, file.record)
        except (Damaged, NotFound) as exc:
            log.warning("%s is made anew here by `lakehouse make`: %s", target.url(plan.export.target), exc)
            return None
        kinds = [kind for kind in kinds_of(plan.export.name) if _bring_diffs(target, source, kind)]
    return [*(file.key for file in plan.files), *(kind.target for kind in kinds)]


def _remove_other_forms(target: Location, file: File) -> None:
    for other in layout.forms(file.key):
        if other != file.path:
            target.delete(other)


def _bring_diffs(here: Location, there: Location, kind: DiffKind) -> bool:
    """Bring the differences of an export, unless others were kept here: then those go on by themselves."""
    data = there.read_or_none(layout.record(kind.target))
    state, current = DiffState.load(data), Tags(there).text(layout.current_tag(kind.target))
    theirs = [path for _, path in kept_differences(there, kind)]
    ours = {path for _, path in kept_differences(here, kind)}
    if data is None or state is None or current is None or not ours <= set(theirs):
        return False
    if state.last is not None and state.last.path not in theirs:
        # about to be put into its place there
        return False
    digests = layout.diff_digests(kind.target, state.export)
    for key in [digests, *(path for path in theirs if path not in ours)]:
        size = there.size(key)
        if size is None:
            return False
        copy_file(there, here, key, size=size)
    here.write(layout.record(kind.target), data)
    Tags(here).set_text(layout.current_tag(kind.target), current)
    return True


def bring_snapshots(here: Location, there: Location) -> int:
    """Bring the snapshots that are missing here, but those of the index, which is made here; returns how many."""
    known = set(here.keys(layout.VERSIONS))
    theirs = (key for key in there.keys(layout.VERSIONS) if not key.endswith(f"/{layout.INDEX}"))
    missing = [key for key in theirs if key not in known]

    def copied(key: str) -> bool:
        data = there.read_or_none(key)
        if data is not None:
            here.write(key, data)
        return data is not None

    return sum(in_parallel(copied, missing))


def bring_mapping_runs(here: Location, there: Location) -> list[str]:
    """Bring the records of when mappings ran whose rows came along; returns their tags."""
    found = []
    for name in there.folders(layout.MAPPINGS):
        tag = layout.mapping_tag(name)
        record = Records(there).get(tag)
        same = here.read_or_none(layout.mapping(name)) == there.read_or_none(layout.mapping(name))
        if record is not None and same:
            Records(here).put(tag, record)
            found += [layout.mapping(name), tag]
    return found


def statement_tags(there: Location) -> list[str]:
    """The tags that say when partitions changed and were merged."""
    mine = {key.removeprefix(f"{layout.TAGS}/") for key in (layout.TABLE_CONTENT, layout.ASSERTIONS)}
    lineage = layout.TABLE_LINEAGE.removeprefix(f"{layout.TAGS}/")
    keys = Tags(there).keys(layout.STATEMENTS_TABLE)
    return [key for key in keys if key not in mine and not key.startswith(f"{lineage}/")]


def tag_times(there: Location, keys: Iterable[str]) -> dict[str, datetime]:
    """The times of those tags that are there."""
    wanted = list(dict.fromkeys(keys))
    times = zip(wanted, in_parallel(Tags(there).get, wanted), strict=True)
    return {key: time for key, time in times if time is not None}


def write_tags(here: Location, times: Mapping[str, datetime]) -> None:
    """Write tags in the order of their times there, all of them at about now."""
    ranks = {time: rank for rank, time in enumerate(sorted(set(times.values())))}
    now = now_utc()
    for key, time in times.items():
        Tags(here).set(key, now + ranks[time] * _TICK)
