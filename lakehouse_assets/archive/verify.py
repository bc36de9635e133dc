"""Reading every archived content and comparing it with its checksum."""

import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from lakehouse_assets import layout
from lakehouse_assets.archive.walk import META, content_keys, contents, has_content, parts
from lakehouse_assets.errors import NotFound
from lakehouse_assets.storage.digest import digest_of
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel

log = logging.getLogger(__name__)

VerifyProgress = Callable[[int, int, str], None]
"""Hears how many contents are done, how many are about to come, and what they are."""

MISSING = "it is gone"
"""The reason where files are known of a content that is not there."""

# what a writer left that died; one that lives is done with a file by then
_LEFT_OVER = timedelta(days=1)


class BadBlob(NamedTuple):
    """A content that is not what its name says, and why."""

    checksum: str
    reason: str


@dataclass
class VerifyReport:
    """
    What was found: contents that were read, their bytes, what is bad or gone, and how many were moved away.

    It is `complete` unless not all was to be read.
    """

    blobs: int = 0
    bytes: int = 0
    bad: list[BadBlob] = field(default_factory=list)
    quarantined: int = 0
    complete: bool = True


class _Verdict(NamedTuple):
    """What one content turned out to be, where it lies, and what share of the archive was gone through before it."""

    checksum: str
    key: str
    size: int
    reason: str | None
    is_corrupted: bool
    share: float


def verify(location: Location, progress: VerifyProgress | None = None) -> VerifyReport:
    """Compare every content of an archive with its name; move what differs to the quarantine."""
    report = VerifyReport()
    for seen, verdict in enumerate(_verdicts(location), 1):
        _note(report, verdict)
        if verdict.reason is not None:
            log.info("%s: %s", location.url(verdict.key), verdict.reason)
        if verdict.is_corrupted:
            location.move(verdict.key, layout.quarantined_blob(verdict.checksum))
            report.quarantined += 1
        if progress is not None:
            # the rest is about as large as what went before
            progress(seen, round(seen / verdict.share) - seen, "files")
    location.sweep(layout.ARCHIVE, older=_LEFT_OVER)
    return report


def inspect(location: Location, *, most_bytes: int) -> VerifyReport:
    """Compare contents with their names and change nothing; from anywhere in the archive on, until enough was read."""
    report = VerifyReport()
    for verdict in _verdicts(location, begin=random.random()):
        if report.bytes >= most_bytes:
            report.complete = False
            break
        _note(report, verdict)
    return report


def _note(report: VerifyReport, verdict: _Verdict) -> None:
    report.blobs += verdict.reason != MISSING
    report.bytes += verdict.size
    if verdict.reason is not None:
        report.bad.append(BadBlob(verdict.checksum, verdict.reason))


def _verdicts(location: Location, begin: float = 0.0) -> Iterator[_Verdict]:
    return in_parallel(lambda found: _judge(location, *found), _found(location, begin))


def _found(location: Location, begin: float) -> Iterator[tuple[str, bool, float]]:
    """Every checksum that there is a content or a file of, whether it has a content, the share of parts begun."""
    every = parts(location)
    first = int(begin * len(every))
    for number, part in enumerate(every[first:] + every[:first], 1):
        for checksum, names in contents(location, part):
            has_blob = has_content(names)
            if has_blob or any(name.endswith(META) for name in names):
                yield checksum, has_blob, number / len(every)


def _judge(location: Location, checksum: str, has_blob: bool, share: float) -> _Verdict:
    for key in content_keys(checksum) if has_blob else ():
        try:
            with location.open(key) as stream:
                found, size = digest_of(stream)
        except NotFound:
            continue
        except OSError as exc:
            return _Verdict(checksum, key, 0, f"it cannot be read: {exc.strerror or exc}", False, share)
        if found == checksum:
            return _Verdict(checksum, key, size, None, False, share)
        return _Verdict(checksum, key, size, f"its bytes have the checksum {found}", True, share)
    # never there, or deleted since it was listed
    return _Verdict(checksum, layout.blob(checksum), 0, MISSING, False, share)
