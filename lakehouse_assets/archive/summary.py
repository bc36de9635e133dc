"""What an archive holds, counted: for people who look at it, and to see whether it changed."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from lakehouse_assets import layout
from lakehouse_assets.archive.files import ArchivedFile
from lakehouse_assets.archive.walk import META, contents, has_content, parts
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.records import Records, Written
from lakehouse_assets.storage.tags import Tags

EMPTY = "empty"
"""The version of an archive without files."""

_RECORD = layout.ARCHIVE
_TAG = layout.TAG_ARCHIVE_UPDATED
_NEWEST = 10


@dataclass(frozen=True)
class Listing:
    """
    What the names of an archive's files tell: how many there are, of how many contents, which of those are gone.

    `version` is another one as soon as a path or a content came or went.
    """

    version: str
    files: int
    contents: int
    missing: Sequence[str]


@dataclass(frozen=True)
class Summary:
    """
    An archive at one glance.

    `bytes` counts each content once, `types` has the number of files and their bytes by type; `newest` are those that
    changed last at their source; `quarantined` counts contents that turned out wrong.
    """

    listing: Listing
    bytes: int
    types: Mapping[str, tuple[int, int]]
    newest: Sequence[ArchivedFile]
    quarantined: int


def summarize(location: Location, files: Iterable[ArchivedFile]) -> Summary:
    """Count the files of an archive, which come by checksum."""
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    newest: list[tuple[datetime, str, str, ArchivedFile]] = []
    stored, last = 0, ""
    for file in files:
        counts[file.mimetype] += 1
        sizes[file.mimetype] += file.size
        stored += file.size if file.checksum != last else 0
        last = file.checksum
        entry = (file.updated_at, file.key, file.checksum, file)
        if len(newest) < _NEWEST:
            heapq.heappush(newest, entry)
        elif entry[:3] > newest[0][:3]:
            heapq.heapreplace(newest, entry)
    return Summary(
        listing=list_archive(location),
        bytes=stored,
        types={name: (count, sizes[name]) for name, count in counts.most_common()},
        newest=[entry[3] for entry in sorted(newest, key=lambda entry: entry[:3], reverse=True)],
        quarantined=len(location.names(layout.QUARANTINED_BLOBS)),
    )


def list_archive(location: Location) -> Listing:
    """Look through the names of all files; nothing of them is read."""
    digest = hashlib.sha256()
    files = found = 0
    missing = []
    for part in parts(location):
        for checksum, names in contents(location, part):
            known = [name for name in names if name.endswith(META)]
            has_blob = has_content(names)
            found += has_blob
            files += len(known)
            if known and not has_blob:
                missing.append(checksum)
            digest.update(b"".join(f"{checksum} {name} {has_blob}\n".encode() for name in known))
    return Listing(digest.hexdigest() if files else EMPTY, files, found, missing)


def recorded(location: Location) -> Written | None:
    """What the archive held when it was last counted: `digest` is its version, `rows` its files; None if it was not."""
    return Records(location).get(_RECORD)


def record(location: Location, stamp: str | None, summary: Summary) -> None:
    """Keep what was counted on record, with the archive's tag as it was before."""
    listing = summary.listing
    written = Written(listing.version, summary.bytes, listing.files, {_TAG: stamp or ""}, path=layout.ARCHIVE)
    Records(location).put(_RECORD, written)


def current_version(location: Location, tags: Tags) -> str:
    """The version of an archive: the one on record, unless the archive was touched since; then it is looked through."""
    stamp, known = tags.text(_TAG), recorded(location)
    if stamp is None:
        return list_archive(location).version
    if known is not None and known.source.get(_TAG) == stamp:
        return known.digest
    return _version_at(location, stamp)


@lru_cache(maxsize=1024)
def _version_at(location: Location, stamp: str) -> str:
    # a sensor asks again and again, and may never count the files, which would leave a record
    return list_archive(location).version
