"""
The journal of a dataset: rows that programs confirmed, and that wait to be moved into the table.

    rows/TOKEN/...      data files like those of the table; by themselves they mean nothing
    STAMP-ROWS-TOKEN.json   a segment: makes the files of one token visible, all at once
    flush.json          the batch: which segments are being moved, under which number

Writers share nothing, so any number of them may write at once. The batch is one file that is only ever exchanged
for another if it still is what was read, so of several flushes one decides what a number stands for.
"""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lakehouse_assets import layout
from lakehouse_assets.errors import StorageError, Unconfirmed
from lakehouse_assets.model.journal import Batch, Segment, SegmentFile
from lakehouse_assets.statements.datafiles import Partition, StagedFile
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class Waiting:
    """A segment as its name tells it: when it was written (UTC), how many rows it has, and where they lie."""

    name: str
    at: datetime
    rows: int
    token: str

    @classmethod
    def parse(cls, file: str) -> "Waiting | None":
        """The segment of a file's name, None when it is no segment."""
        name = file.removesuffix(".json")
        stamp, _, rest = name.partition("-")
        rows, _, token = rest.partition("-")
        try:
            return cls(name, layout.parse_stamp(stamp), int(rows), token) if name != file else None
        except ValueError:
            return None


@dataclass(frozen=True)
class Slot:
    """The batch as it lies there; `data` are the bytes of its file, None without one."""

    batch: Batch
    data: bytes | None


class Journal:
    """
    The journal in a dataset's folder.

    Example:
        >>> journal = Journal(Location("data/acme"))
        >>> [(segment.at, segment.rows) for segment in journal.waiting()]
        []
    """

    def __init__(self, dataset: Location) -> None:
        self._dataset = dataset

    @property
    def rows(self) -> Location:
        """The folder of all data files."""
        return self._dataset / layout.JOURNAL_ROWS

    def place(self, token: str) -> Location:
        """The folder of a segment's data files."""
        return self._dataset / layout.journal_rows(token)

    def waiting(self) -> list[Waiting]:
        """The segments that were written and not flushed, the oldest first: one look at one folder."""
        found = (Waiting.parse(name) for name in self._dataset.names(layout.JOURNAL))
        return sorted(segment for segment in found if segment is not None)

    def version(self) -> str:
        """How many segments were ever written: a text that changes with each, and not when they are flushed."""
        # the segments first: what is flushed meanwhile counts twice, and not never
        names = {segment.name for segment in self.waiting()}
        batch = self.slot().batch
        return str(batch.flushed + len(names | set(batch.segments)))

    def publish(self, token: str, files: Sequence[StagedFile], *, at: datetime | None = None) -> Waiting:
        """Make the data files of a token visible; they lie there whole. Unconfirmed when nobody knows whether it is."""
        segment = Segment(token=token, files=tuple(_described(file) for file in files))
        at = at or datetime.now(UTC)
        rows = sum(file.rows for file in files)
        name = f"{layout.stamp(at)}-{rows}-{token}"
        self._write(layout.journal_segment(name), segment.to_bytes())
        return Waiting(name, at, rows, token)

    def _write(self, key: str, data: bytes) -> None:
        try:
            self._dataset.write(key, data)
        except StorageError as exc:
            # an answer may get lost on the way
            try:
                there = self._dataset.exists(key)
            except StorageError:
                msg = f"it is not known whether {self._dataset.url(key)} was written, look before you write it again"
                raise Unconfirmed(msg) from exc
            if not there:
                raise

    def segment(self, name: str) -> Segment | None:
        """A segment by its name; None when it is gone."""
        key = layout.journal_segment(name)
        data = self._dataset.read_or_none(key)
        return Segment.load(data, self._dataset.url(key)) if data is not None else None

    def slot(self) -> Slot:
        """The batch that is being flushed, or the last that was."""
        data = self._dataset.read_or_none(layout.JOURNAL_BATCH)
        if data is None:
            return Slot(Batch(), None)
        return Slot(Batch.load(data, self._dataset.url(layout.JOURNAL_BATCH)), data)

    def exchange(self, slot: Slot, batch: Batch) -> Slot | None:
        """Put a batch in place of the one that was read; None when somebody else was faster."""
        data = batch.to_bytes()
        if slot.data is None:
            done = self._dataset.create(layout.JOURNAL_BATCH, data)
        else:
            done = self._dataset.swap(layout.JOURNAL_BATCH, slot.data, data)
        return Slot(batch, data) if done else None

    def left_over(self, before: datetime) -> list[str]:
        """The tokens of rows that no segment makes visible, and that nobody wrote to since: dead writers left them."""
        # the rows first: what is confirmed meanwhile has a segment by the time that those are listed
        tokens = self._dataset.folders(layout.JOURNAL_ROWS)
        if not tokens:
            return []
        named = {segment.token for segment in self.waiting()}
        named |= {
            segment.token for name in self.slot().batch.segments if (segment := Waiting.parse(f"{name}.json"))
        }
        return [token for token in tokens if token not in named and self._is_older(token, before)]

    def _is_older(self, token: str, before: datetime) -> bool:
        folder = layout.journal_rows(token)
        times = [self._dataset.modified(key) for key in self._dataset.keys(folder)]
        # of a folder without files somebody may just have begun one
        return bool(times) and all(time is None or time < before for time in times)

    def remove(self, names: Sequence[str]) -> None:
        """Remove segments that are in the table; their data files first, as nobody would look for them later."""
        for name in names:
            segment = Waiting.parse(f"{name}.json")
            if segment is not None:
                self._dataset.delete_tree(layout.journal_rows(segment.token))
            self._dataset.delete(layout.journal_segment(name))


def new_token() -> str:
    """A name for a segment that no other has."""
    return secrets.token_hex(8)


def staged(file: SegmentFile, *, below: str) -> StagedFile:
    """A data file of a segment, with its key below the folder of all rows."""
    partition = Partition(file.shard, file.bucket, file.origin)
    return StagedFile(
        f"{below}/{file.key}", partition, file.rows, file.size, file.first, file.last, file.tombstones
    )


def segment_files(segment: Segment) -> list[tuple[str, int]]:
    """The data files of a segment: their keys below the folder of all rows, and their sizes."""
    return [(f"{segment.token}/{file.key}", file.size) for file in segment.files]


def _described(file: StagedFile) -> SegmentFile:
    at = file.partition
    return SegmentFile(
        key=file.key,
        shard=at.shard,
        bucket=at.bucket,
        origin=at.origin,
        rows=file.rows,
        size=file.size,
        first=file.first,
        last=file.last,
        tombstones=file.tombstones,
    )
