"""
Bringing archived files: each content once, by its checksum, and what is known of it.

An archive has a tag that changes with it. As long as neither that there nor that here has changed since nothing was
missing, the files are not listed; once a day they are all the same, as a writer that dies may leave its tag behind.
"""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from lakehouse_assets import layout
from lakehouse_assets.archive.names import is_checksum
from lakehouse_assets.archive.walk import BLOB, META, parts
from lakehouse_assets.errors import Damaged, NotFound
from lakehouse_assets.model.times import from_iso, iso, now_utc
from lakehouse_assets.replicas.copying import copy_file
from lakehouse_assets.replicas.steps import Progress, silent
from lakehouse_assets.storage.digest import digest_of
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel
from lakehouse_assets.storage.tags import Tags

log = logging.getLogger(__name__)

_TEXT = ".txt"
# so many contents are brought before what is known of them
_BATCH = 256
_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Wanted:
    """A file of the archive that is missing here: its key and its bytes; `here` is one of another size."""

    key: str
    size: int
    here: bool = False

    @property
    def checksum(self) -> str:
        """The checksum of the content that it belongs to."""
        return self.key.split("/")[-2]


@dataclass
class Brought:
    """What was brought of an archive, or is to be: contents, small files beside them, bytes, and what was damaged."""

    blobs: int = 0
    there: int = 0
    small: int = 0
    bytes: int = 0
    quarantined: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Part:
    blobs: list[Wanted]
    small: list[Wanted]
    there: int


def count_missing(here: Location, there: Location, *, later: bool) -> Brought:
    """What a pull would bring; `later` says that the dataset there is a later state of the one here."""
    known = _Known(here, there).same()
    if known is not None:
        return Brought(there=known)
    found = Brought()
    for part in _compared(here, there, later=later):
        found.blobs += len(part.blobs)
        found.there += part.there
        found.small += len(part.small)
        found.bytes += sum(each.size for each in part.blobs)
    return found


def bring_archive(
    here: Location,
    there: Location,
    *,
    later: bool,
    mark: Callable[[], AbstractContextManager[object]],
    progress: Progress = silent,
) -> Brought:
    """
    Bring what is missing here, contents first, while the `mark` is held.

    A content whose bytes are not what its name says goes to the quarantine here; the rest goes on.
    """
    known = _Known(here, there)
    same = known.same()
    if same is not None:
        return Brought(there=same)
    with mark():
        found = _bring_missing(here, there, progress, later=later)
    if found.blobs or found.small:
        Tags(here).set(layout.TAG_ARCHIVE_UPDATED)
    if not found.quarantined:
        known.note(found.there + found.blobs)
    return found


def _bring_missing(here: Location, there: Location, progress: Progress, *, later: bool) -> Brought:
    found = Brought()
    blobs: list[Wanted] = []
    small: list[Wanted] = []
    for part in _compared(here, there, later=later):
        found.there += part.there
        blobs += part.blobs
        small += part.small
        if len(blobs) + len(small) >= _BATCH:
            _bring(here, there, blobs, small, found, progress)
            blobs, small = [], []
    _bring(here, there, blobs, small, found, progress)
    return found


class _Known:
    """What two archives were when nothing was missing here: their tags, how many contents there were, and when."""

    def __init__(self, here: Location, there: Location) -> None:
        self._here, self._source = here, there.uri
        # before anything is listed: what comes meanwhile is listed next time
        self._theirs = Tags(there).text(layout.TAG_ARCHIVE_UPDATED)
        self._noted = self._read()

    def same(self) -> int | None:
        """How many contents there are, if nothing has changed since; None if it must be looked."""
        known = self._noted.get(self._source)
        ours = Tags(self._here).text(layout.TAG_ARCHIVE_UPDATED)
        if known is None or self._theirs is None or known["tags"] != [self._theirs, ours]:
            return None
        at = from_iso(str(known["at"]))
        is_recent = at is not None and timedelta(0) <= now_utc() - at < _A_DAY
        return int(known["contents"]) if is_recent else None

    def note(self, contents: int) -> None:
        """Keep that nothing is missing here."""
        if self._theirs is None:
            return
        tags = [self._theirs, Tags(self._here).text(layout.TAG_ARCHIVE_UPDATED)]
        noted = {**self._noted, self._source: {"tags": tags, "contents": contents, "at": iso(now_utc())}}
        self._here.write(layout.REPLICA_ARCHIVES, json.dumps(noted).encode())

    def _read(self) -> dict[str, dict[str, Any]]:
        data = self._here.read_or_none(layout.REPLICA_ARCHIVES)
        try:
            return dict(json.loads(data)) if data else {}
        except ValueError:
            return {}


def _bring(
    here: Location,
    there: Location,
    blobs: Sequence[Wanted],
    small: Sequence[Wanted],
    found: Brought,
    progress: Progress,
) -> None:
    for each, is_good in zip(
        blobs, in_parallel(lambda one: _bring_blob(here, there, one), blobs), strict=True
    ):
        if is_good:
            found.blobs += 1
            found.bytes += each.size
        elif is_good is False:
            found.quarantined.append(each.checksum)
        # how many will come is known when all are listed
        progress(found.blobs, 0, "archived files")
    for is_there in in_parallel(lambda one: _bring_small(here, there, one), small):
        found.small += is_there


def _bring_blob(here: Location, there: Location, wanted: Wanted) -> bool | None:
    """Whether a content is what its name says; None when it is gone from there, or right here already."""
    if wanted.here and not _set_aside(here, wanted.key):
        return None
    try:
        copy_file(there, here, wanted.key, size=wanted.size, checksum=wanted.checksum)
    except Damaged as exc:
        log.warning("%s", exc)
        _quarantine(here, there, wanted)
        return False
    except NotFound:
        # deleted since it was listed
        return None
    return True


def _set_aside(here: Location, key: str) -> bool:
    """Move a content to the quarantine that is damaged here; False when it is right."""
    checksum = key.split("/")[-2]
    try:
        with here.open(key) as stream:
            if digest_of(stream)[0] == checksum:
                return False
        here.move(key, layout.quarantined_blob(checksum))
    except NotFound:
        return True
    log.warning("%s was damaged; it is brought anew", here.url(key))
    return True


def _quarantine(here: Location, there: Location, wanted: Wanted) -> None:
    size = there.size(wanted.key)
    if size is not None:
        copy_file(there, here, wanted.key, size=size, to=layout.quarantined_blob(wanted.checksum))


def _bring_small(here: Location, there: Location, wanted: Wanted) -> bool:
    data = there.read_or_none(wanted.key)
    if data is not None:
        here.write(wanted.key, data)
    return data is not None


def _compared(here: Location, there: Location, *, later: bool) -> Iterator[_Part]:
    """The parts of the archive there, each with what of it is missing here."""
    return in_parallel(lambda part: _compare(here, there, part, later=later), parts(there))


def _compare(here: Location, there: Location, part: str, *, later: bool) -> _Part:
    ours = {entry.key: entry.size for entry in here.entries(part)}
    found = _Part([], [], 0)
    known = 0
    for entry in there.entries(part):
        folder, _, name = entry.key.rpartition("/")
        checksum = folder.rpartition("/")[2]
        if not is_checksum(checksum) or folder != layout.folder(checksum):
            continue
        size = ours.get(entry.key)
        wanted = Wanted(entry.key, entry.size, here=size is not None)
        if name == BLOB:
            known += size == entry.size
            if size != entry.size:
                found.blobs.append(wanted)
        elif name.endswith((META, _TEXT)) and (size is None or (later and size != entry.size)):
            found.small.append(wanted)
    return _Part(found.blobs, found.small, known)
