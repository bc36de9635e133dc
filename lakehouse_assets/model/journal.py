"""What the journal of a dataset holds on disk: segments, and the batch of them that is flushed."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from lakehouse_assets.errors import InvalidData


class _Kept(BaseModel):
    """A file of the journal: one line of JSON that is never changed in place."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def load(cls, data: bytes, place: str) -> Self:
        """What a file holds; InvalidData names the place when it cannot be read."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as exc:
            msg = f"{place} cannot be read, so nothing was flushed; put it back from a backup: {exc}"
            raise InvalidData(msg) from exc

    def to_bytes(self) -> bytes:
        """The bytes of the file."""
        return self.model_dump_json().encode() + b"\n"


class SegmentFile(BaseModel):
    """A data file of a segment: its key below the segment's folder, and what a commit says of it."""

    model_config = ConfigDict(frozen=True)

    key: str
    shard: str
    bucket: str
    origin: str
    rows: int
    size: int
    first: str
    last: str
    tombstones: int = 0


class Segment(_Kept):
    """What one writer confirmed; it is there when this file is, and its data files were before."""

    token: str
    files: tuple[SegmentFile, ...]


class Batch(_Kept):
    """
    The segments that are being flushed, or with none the last batch that was.

    `number` is that of the batch, `flushed` counts the segments of all batches before this one, and `newest` is when
    the newest segment of any of them was written (UTC).
    """

    number: int = 0
    flushed: int = 0
    newest: datetime | None = None
    segments: tuple[str, ...] = ()

    @property
    def is_pending(self) -> bool:
        """Whether its segments are not known to be out of the way."""
        return bool(self.segments)

    def after(self) -> Self:
        """The same batch when all of it is done."""
        return self.model_copy(update={"segments": (), "flushed": self.flushed + len(self.segments)})
