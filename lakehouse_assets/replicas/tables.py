"""
How the statements of a dataset here stand to those there, and making them the same.

Where the table here is an earlier version of the one there, its versions are brought as they are: files first, then
the log, commit by commit, so that at each moment it is a table that was. Where it went another way, but everything in
it is part of the one there, one commit gives it the files of that one.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Literal

from lakehouse_assets import layout
from lakehouse_assets.collections.log import DeltaLog
from lakehouse_assets.errors import Conflict, InvalidData, NotFound, StorageError
from lakehouse_assets.replicas.copying import copy_file
from lakehouse_assets.replicas.steps import Progress, silent
from lakehouse_assets.settings import Settings
from lakehouse_assets.statements.datafiles import Partition, Snapshot, partition_of
from lakehouse_assets.statements.flush import APP
from lakehouse_assets.statements.journal import Journal
from lakehouse_assets.statements.marks import CONTENT_MARK, TableLog, commit_key
from lakehouse_assets.statements.past import PastTable
from lakehouse_assets.statements.reader import Reader
from lakehouse_assets.statements.table import StatementTable
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel
from lakehouse_assets.storage.tags import Tags

log = logging.getLogger(__name__)

Standing = Literal["none", "new", "behind", "same", "ahead", "diverged"]
"""`none`: there is no table there."""

# so few files are asked for one by one, more are listed
_FEW = 32


class Side:
    """The statements of a dataset in one lake, as they are brought from there or to there."""

    def __init__(self, dataset: Location, settings: Settings, *, upto: int | None = None) -> None:
        """The statements in the folder of a dataset; their log up to a version, if one is given."""
        self.location = dataset
        self._upto = upto
        self.settings = settings
        self.table = StatementTable(dataset)
        self.tags = Tags(dataset)
        self.leases = Leases(dataset, timeout=settings.lock_timeout, lease_seconds=settings.lease_seconds)
        self.reader = Reader(self.table, leases=self.leases, temp_directory=settings.temp_directory)

    @property
    def folder(self) -> Location:
        """The folder of the table."""
        return self.table.location

    @cached_property
    def log(self) -> TableLog:
        """The log of the table as it was when it was first asked for."""
        return TableLog(self.location, self._upto)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Be the only one who changes the table, and the only one who flushes the journal."""
        with self.leases.target(layout.JOURNAL), self.leases.exclusive("pull") as lease:
            yield
            lease.check()


@dataclass(frozen=True)
class TablePlan:
    """
    What becomes of a table: which versions are brought as they are, which files, and which of them are needed.

    Without versions, the table takes over the newest files of the other one by a commit of its own. `head` is the
    newest version here when it was planned, None without a table. `is_copy` says that one of the tables is a version
    of the other, so that their versions of one number are the same.
    """

    standing: Standing
    head: int | None = None
    versions: Sequence[int] = ()
    files: Mapping[str, int] = field(default_factory=dict)
    needed: Collection[str] = ()
    is_copy: bool = True

    @property
    def bytes(self) -> int:
        """The bytes of the files."""
        return sum(self.files.values())


def standing(ours: TableLog, theirs: TableLog) -> tuple[Standing, bool]:
    """How ours stands to theirs, and whether one of the two is an earlier version of the other as it lies."""
    here, there = ours.committed, theirs.head
    if there is None:
        return "none", True
    if here is None:
        return "new", True
    common = min(here, there)
    text = theirs.text(common)
    if text is not None and text == ours.text(common):
        if here == there:
            return "same", True
        return ("behind", True) if here < there else ("ahead", True)
    mine, yours = ours.content_mark, theirs.content_mark
    if mine is not None and mine == yours:
        return "same", False
    has_ours, has_theirs = mine in theirs.contained, yours in ours.contained
    if has_ours == has_theirs:
        # each was told to leave the other's behind, or neither knows of the other
        return "diverged", False
    return ("behind", False) if has_ours else ("ahead", False)


def plan_table(here: Side, there: Side, *, shallow: bool = False) -> TablePlan:
    """What a pull does with the table."""
    found, is_earlier = standing(here.log, there.log)
    head = here.log.committed
    if found not in ("new", "behind"):
        return TablePlan(found, head, is_copy=is_earlier)
    if not is_earlier or there.log.head is None:
        return adoption(here, there)
    newest, first = there.log.head, there.log.first
    if head is None:
        versions = [newest] if shallow else list(range(first, newest + 1))
    elif head + 1 < first:
        return adoption(here, there)
    else:
        versions = list(range(head + 1, newest + 1))
    needed = _files_of(there, newest)
    wanted = dict(needed)
    if not shallow:
        if head is None and first > 0:
            wanted |= _files_of(there, first)
        for commit in there.log.commits(versions):
            wanted |= commit.added
    files = _present(there.folder, missing(here.folder, wanted), needed)
    return TablePlan(found, head, tuple(versions), files, frozenset(needed))


def adoption(here: Side, there: Side) -> TablePlan:
    """The plan by which the table here gets the files of the one there, and no others."""
    snapshot = there.table.snapshot()
    wanted = {file.key: file.size for file in snapshot.files} if snapshot else {}
    files = missing(here.folder, wanted)
    return TablePlan("behind", here.log.committed, (), files, frozenset(wanted), is_copy=False)


def missing(folder: Location, wanted: Mapping[str, int]) -> dict[str, int]:
    """Those of some files that a folder does not have, or not in their size."""
    if len(wanted) <= _FEW:
        there = dict(zip(wanted, in_parallel(folder.size, wanted), strict=True))
    else:
        there = {entry.key: entry.size for entry in folder.entries()}
    return {key: size for key, size in wanted.items() if there.get(key) != size}


def _present(folder: Location, files: Mapping[str, int], needed: Collection[str]) -> dict[str, int]:
    """Without the files of earlier versions that a vacuum has deleted there."""
    gone = missing(folder, {key: size for key, size in files.items() if key not in needed})
    return {key: size for key, size in files.items() if key not in gone}


def bring_table(
    here: Side, there: Side, snapshot: Snapshot, plan: TablePlan, progress: Progress = silent
) -> int:
    """
    Do what is planned, while `snapshot` is held there; returns how many files were brought.

    Conflict when the table here was changed since. A file that is damaged is Damaged, and no version is changed then.
    """
    with here.leases.mark(layout.STAGING, {"table": layout.STATEMENTS_TABLE}):
        brought = copy_files(there.folder, here.folder, plan.files, needed=plan.needed, progress=progress)
        if plan.versions:
            _bring_versions(here, there, plan)
        else:
            brought += adopt(here, there, snapshot)
    return brought


def copy_files(
    source: Location,
    target: Location,
    files: Mapping[str, int],
    *,
    needed: Collection[str],
    progress: Progress = silent,
) -> int:
    """Copy data files; those that only earlier versions had may be gone."""

    def copied(key: str) -> bool:
        try:
            copy_file(source, target, key, size=files[key])
        except NotFound as exc:
            if key not in needed:
                return False
            msg = (
                f"{source.url(key)} is gone, which the newest version needs; pull again, or restore it there"
            )
            raise StorageError(msg) from exc
        return True

    brought = 0
    for done, is_there in enumerate(in_parallel(copied, sorted(files)), 1):
        brought += is_there
        progress(done, len(files) - done, "data files")
    return brought


def adopt(here: Side, there: Side, snapshot: Snapshot) -> int:
    """
    Give the table the files of the other one's newest version in one commit; returns how many were still missing.
    """
    log = TableLog(there.location, snapshot.version)
    mark = log.content_mark
    if mark is None:
        msg = f"the log of {there.folder.uri} does not tell what it holds; merge it there, then pull again"
        raise InvalidData(msg)
    log.write_lineage(here.location)
    files = missing(here.folder, {file.key: file.size for file in snapshot.files})
    brought = copy_files(there.folder, here.folder, files, needed=files)
    theirs = {file.key: file.partition for file in snapshot.files}
    with changing(here) as base:
        ours = {file.key: file.partition for file in base.files}
        both = ours | theirs
        touch_partitions(here, [both[key] for key in ours.keys() ^ theirs.keys()])
        here.table.turn_into(base, snapshot.files, metadata={CONTENT_MARK: mark})
    return brought


@contextmanager
def changing(here: Side) -> Iterator[Snapshot]:
    """The version that was compared, to be committed on by nobody else while the block lasts; Conflict if it is not."""
    with here.changing():
        base = here.table.snapshot()
        if base is None or base.version != here.log.head:
            raise changed_meanwhile(here)
        yield base


def changed_meanwhile(here: Side) -> Conflict:
    """What to raise when somebody else was faster."""
    return Conflict(f"{here.location.uri} was changed by somebody else during the pull; pull again")


def touch_partitions(here: Side, partitions: Sequence[Partition]) -> None:
    """Say that partitions changed, for programs that go by tags; first, so that who dies leaves a merge too many."""
    now = datetime.now(UTC)
    for each in sorted(set(partitions)):
        here.tags.set(layout.partition_tag(each.shard, each.bucket, each.origin, "last_updated"), now)
    here.tags.set(layout.TAG_STATEMENTS_UPDATED, now)


def _bring_versions(here: Side, there: Side, plan: TablePlan) -> None:
    first, last = plan.versions[0], plan.versions[-1]
    _bring_lineage(here, there)
    with here.changing():
        if TableLog(here.location).head != here.log.head:
            raise changed_meanwhile(here)
        _renumber(here, there)
        touch_partitions(here, sorted({partition_of(key) for key in plan.files}))
        if plan.head is None and first > 0:
            # later versions stand on it
            DeltaLog(there.folder).write_checkpoint(here.folder, first)
            content = PastTable(there.location, last).content_version()
            log = TableLog(there.location, last)
            here.table.note_content_of(content, log.content_mark, {"lineage": log.note.get("lineage")})
        for version in plan.versions:
            data = there.log.text(version)
            if data is None and version == first and plan.head is None:
                continue
            if data is None or not _put(here, version, data):
                raise changed_meanwhile(here)
        _bring_checkpoint(here, there, last)


def _put(here: Side, version: int, data: bytes) -> bool:
    key = commit_key(version)
    # the answer to a request that got through may be lost: then the file is there, and it is ours
    return here.location.create(key, data) or here.location.read_or_none(key) == data


def _bring_checkpoint(here: Side, there: Side, newest: int) -> None:
    """Bring the newest checkpoint, if there is none here: else nobody would make one for the versions up to it."""
    found = max((version for version in there.log.checkpoints if version <= newest), default=None)
    if found is None or found in here.log.checkpoints:
        return
    key = f"{layout.TABLE_LOG}/{found:020}.checkpoint.parquet"
    if (data := there.location.read_or_none(key)) is not None:
        here.location.write(key, data)


def _bring_lineage(here: Side, there: Side) -> None:
    known = set(here.location.names(layout.TABLE_LINEAGE))
    for name in there.location.names(layout.TABLE_LINEAGE):
        key = f"{layout.TABLE_LINEAGE}/{name}"
        if name not in known and (data := there.location.read_or_none(key)) is not None:
            here.location.write(key, data)


def _renumber(here: Side, there: Side) -> None:
    """
    Let a batch of the journal here, whose flush was killed, have a number that the log from there has not.

    Else it would be taken for committed, and its rows be lost.
    """
    journal = Journal(here.location)
    slot = journal.slot()
    number, taken = slot.batch.number, there.table.last_step(APP)
    if not slot.batch.is_pending or number > taken or here.table.last_step(APP) >= number:
        return
    if journal.exchange(slot, slot.batch.model_copy(update={"number": taken + 1})) is None:
        raise changed_meanwhile(here)


def _files_of(side: Side, version: int) -> dict[str, int]:
    """The data files of a version, with their sizes."""
    snapshot = side.table.snapshot()
    if snapshot is None:
        return {}
    if snapshot.version == version:
        return {file.key: file.size for file in snapshot.files}
    try:
        return side.table.sizes_at(version)
    except StorageError as exc:
        log.debug("going on without the files of version %s: %s", version, exc)
        return {}
