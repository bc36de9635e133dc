"""Compaction: many small files of a partition become few large ones, with the same rows."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lakehouse_assets.errors import Conflict
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.canonical import sort_rows
from lakehouse_assets.statements.datafiles import DataFile, Partition
from lakehouse_assets.statements.footers import is_canonical
from lakehouse_assets.statements.reader import Reader
from lakehouse_assets.statements.stage import Staging
from lakehouse_assets.storage.leases import Leases

log = logging.getLogger(__name__)

FILE_BYTES = 128 << 20
"""Where a new file ends and the next begins: some 2.5 million rows."""

SMALL = FILE_BYTES // 2
"""Files below this are put together."""

TRIES = 5


@dataclass
class Compacted:
    """What a compaction did, and to which partitions."""

    partitions: list[str] = field(default_factory=list)
    files_before: int = 0
    files_after: int = 0
    rows: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Pack:
    """Files of a partition that become fewer; `canonical` if they are all that it has, and its rows all count."""

    partition: Partition
    files: tuple[DataFile, ...]
    canonical: bool

    @property
    def rows(self) -> int:
        """The rows in all files."""
        return sum(file.rows for file in self.files)


def find_packs(reader: Reader, *, force: bool = False) -> list[Pack]:
    """What there is to compact: of each partition the small files, if there are several; all files when forced."""
    snapshot = reader.table.snapshot()
    packs = [_pack(reader, snapshot.of(at), force=force) for at in snapshot.partitions] if snapshot else []
    return [pack for pack in packs if pack is not None]


def compact(
    reader: Reader, leases: Leases, *, force: bool = False, progress: Callable[[int, int], None] | None = None
) -> Compacted:
    """
    Put small files together, sorted by entity id, in one commit for each partition.

    No row changes, and what reads answer does not either. Canonical partitions stay canonical.
    """
    done = Compacted()
    with leases.exclusive("compact") as lease:
        packs = find_packs(reader, force=force)
        total, before = sum(pack.rows for pack in packs), 0
        for pack in packs:
            lease.check()
            tell = _after(before, total, progress)
            _compact_partition(reader.observed(tell), pack.partition, done, force=force)
            before += pack.rows
        if packs:
            reader.table.note_content_version()
    return done


def _compact_partition(reader: Reader, partition: Partition, done: Compacted, *, force: bool) -> None:
    for _ in range(TRIES):
        snapshot = reader.table.snapshot()
        pack = _pack(reader, snapshot.of(partition) if snapshot else [], force=force)
        if pack is None:
            return
        try:
            _rewrite(reader, pack, done)
        except Conflict as exc:
            log.info("compacting %s again: %s", partition, exc)
        else:
            return
    msg = f"partition {partition} was changed by another program {TRIES} times while it was compacted; try again"
    raise Conflict(msg)


def _rewrite(reader: Reader, pack: Pack, done: Compacted) -> None:
    table = reader.table
    with Staging(table.location, canonical=pack.canonical) as staging:
        for rows in reader.rows_of(pack.files, s.COLUMNS):
            staging.write(sort_rows(rows))
            # a file says how many make a partition canonical before anybody knows: those stay in one
            if staging.size > FILE_BYTES and not pack.canonical:
                staging.finish()
        files = staging.finish()
        with staging.handing_over():
            table.replace(pack.files, files, same_rows=True)
    done.partitions.append(str(pack.partition))
    done.files_before += len(pack.files)
    done.files_after += len(files)
    done.rows += pack.rows
    done.bytes += sum(file.size for file in files)


def _pack(reader: Reader, files: Sequence[DataFile], *, force: bool) -> Pack | None:
    chosen = [file for file in files if force or file.size < SMALL]
    if not chosen or (len(chosen) < 2 and not force):
        return None
    canonical = is_canonical([reader.footers.of(file) for file in files])
    if canonical and len(chosen) < len(files):
        # together they are known to be canonical; that is worth more than a file less
        return None
    return Pack(chosen[0].partition, tuple(chosen), canonical)


def _after(
    before: int, total: int, progress: Callable[[int, int], None] | None
) -> Callable[[int, int], None]:
    """Tells of one partition's rows as part of all: those of the partitions before it count as done."""

    def tell(done: int, _: int) -> None:
        if progress is not None:
            progress(before + done, total)

    return tell
