"""Reading every archived content and comparing it with its checksum."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from lakehouse_assets import layout
from lakehouse_assets.archive.walk import BLOB, META, contents, parts
from lakehouse_assets.errors import NotFound, StorageError
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel

log = logging.getLogger(__name__)

VerifyProgress = Callable[[int, int, str], None]
"""Hears how many contents are done, how many are about to come, and what they are."""

MISSING = "it is gone"
"""The reason where files are known of a content that is not there."""

_CHUNK = 1 << 20
# what a writer left that died; one that lives is done with a file by then
_LEFT_OVER = timedelta(days=1)


class BadBlob(NamedTuple):
    """A content that is not what its name says, and why."""

    checksum: str
    reason: str


@dataclass
class VerifyReport:
    """What was found: contents that are there, their bytes, what is bad or gone, and how many were moved away."""

    blobs: int = 0
    bytes: int = 0
    bad: list[BadBlob] = field(default_factory=list)
    quarantined: int = 0


class _Verdict(NamedTuple):
    checksum: str
    size: int
    reason: str | None
    is_corrupted: bool
    share: float


def verify(location: Location, progress: VerifyProgress | None = None) -> VerifyReport:
    """Compare every content of an archive with its name; move what differs to the quarantine."""
    report = VerifyReport()
    verdicts = in_parallel(lambda found: _judge(location, *found), _found(location))
    for seen, verdict in enumerate(verdicts, 1):
        report.blobs += verdict.reason != MISSING
        report.bytes += verdict.size
        if verdict.reason is not None:
            report.bad.append(BadBlob(verdict.checksum, verdict.reason))
            log.warning("%s: %s", location.url(layout.blob(verdict.checksum)), verdict.reason)
        if verdict.is_corrupted:
            location.move(layout.blob(verdict.checksum), layout.quarantined_blob(verdict.checksum))
            report.quarantined += 1
        if progress is not None:
            # the rest is about as large as what went before
            progress(seen, round(seen / verdict.share) - seen, "files")
    location.sweep(layout.ARCHIVE, older=_LEFT_OVER)
    return report


def _found(location: Location) -> Iterator[tuple[str, bool, float]]:
    """Every checksum that there is a content or a file of, whether it has a content, the share of parts begun."""
    every = parts(location)
    for number, part in enumerate(every, 1):
        for checksum, names in contents(location, part):
            has_blob = BLOB in names
            if has_blob or any(name.endswith(META) for name in names):
                yield checksum, has_blob, number / len(every)


def _judge(location: Location, checksum: str, has_blob: bool, share: float) -> _Verdict:
    if not has_blob:
        return _Verdict(checksum, 0, MISSING, False, share)
    digest, size = hashlib.sha256(), 0
    try:
        with location.open(layout.blob(checksum)) as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except NotFound:
        return _Verdict(checksum, size, MISSING, False, share)
    except StorageError as exc:
        return _Verdict(checksum, size, f"it cannot be read: {exc}", False, share)
    except OSError as exc:
        return _Verdict(checksum, size, f"it cannot be read: {exc.strerror or exc}", False, share)
    if digest.hexdigest() == checksum:
        return _Verdict(checksum, size, None, False, share)
    return _Verdict(checksum, size, f"its bytes have the checksum {digest.hexdigest()}", True, share)
