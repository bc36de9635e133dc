"""
Archived contents that nobody needs: of which no path is known, and that nobody names.

A content that goes is put aside first, and only then it is looked for the last time who needs it. Whoever stores it
again looks in the other order: it notes the path, and then looks whether the content is there. So at least one of both
sees the other, and the content is back. What is put aside can be read all the time.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import NamedTuple

from lakehouse_assets import layout
from lakehouse_assets.archive.names import is_checksum
from lakehouse_assets.archive.walk import ASIDE, META, is_content, parts
from lakehouse_assets.errors import NotFound
from lakehouse_assets.model.times import micros, of_micros
from lakehouse_assets.storage.files import Entry
from lakehouse_assets.storage.garbage import Clock
from lakehouse_assets.storage.key_list import KeyList
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel
from lakehouse_assets.storage.spool import Rows, Spool

log = logging.getLogger(__name__)

_TEXT = ".txt"


class Orphan(NamedTuple):
    """A file of a content that no path is known of; its key is that of the lake, the time microseconds since 1970."""

    checksum: str
    key: str
    size: int
    modified: int

    def entry(self) -> Entry:
        """As a listing shows it."""
        return Entry(self.key, self.size, of_micros(self.modified))


@dataclass
class Orphans:
    """
    What an archive has that is known by no path: the files of each content, in the order of their keys.

    `aside` are contents that a killed call put aside, `wanted` those of them that a path is known of; `unknown` are
    files that nobody knows.
    """

    files: Rows[Orphan]
    aside: set[str] = field(default_factory=set)
    wanted: set[str] = field(default_factory=set)
    unknown: KeyList = field(default_factory=KeyList)

    def checksums(self) -> Iterator[str]:
        """All contents, some of them more than once."""
        yield from (checksum for checksum, _ in groupby(self.files, lambda file: file.checksum))
        yield from self.aside


def find_orphans(lake: Location, name: str, clock: Clock, spool: Spool) -> Orphans:
    """
    Go through the archive of a dataset; what is younger than a day may be about to get its path, and is left out.

    What is found is kept in the spool.
    """
    found = Orphans(Rows(spool, Orphan))
    found.files.extend(_orphans(lake, name, clock, found))
    return found


def _orphans(lake: Location, name: str, clock: Clock, found: Orphans) -> Iterator[Orphan]:
    for checksum, entries in _contents(lake, name, found.unknown):
        names = {entry.key.rpartition("/")[2] for entry in entries}
        if ASIDE in names:
            found.aside.add(checksum)
        if any(each.endswith(META) for each in names):
            if ASIDE in names:
                found.wanted.add(checksum)
            continue
        ours = [entry for entry in entries if _is_ours(entry.key)]
        found.unknown.extend(entry.key for entry in entries if not _is_ours(entry.key))
        if all(clock.is_old(entry) for entry in ours):
            for entry in ours:
                yield Orphan(checksum, entry.key, entry.size, micros(entry.modified))


def _contents(lake: Location, name: str, unknown: KeyList) -> Iterator[tuple[str, list[Entry]]]:
    dataset = lake / name
    unknown.extend(f"{name}/{layout.ARCHIVE}/{each}" for each in dataset.names(layout.ARCHIVE))
    # a part has at most some thousand files; an object store takes its time for each listing
    each = map if lake.path is not None else in_parallel
    listed = each(lambda part: list(lake.entries(f"{name}/{part}")), parts(dataset))
    for folder, entries in groupby(chain.from_iterable(listed), lambda entry: entry.key.rpartition("/")[0]):
        checksum = folder.rpartition("/")[2]
        if is_checksum(checksum) and folder == f"{name}/{layout.folder(checksum)}":
            yield checksum, list(entries)
        else:
            unknown.extend(entry.key for entry in entries)


def _is_ours(key: str) -> bool:
    return is_content(key) or key.endswith(_TEXT)


def restore(dataset: Location, checksums: Collection[str]) -> None:
    """Put contents back into their places; those that are there have the same bytes."""
    for _ in _each(dataset, _restore, sorted(checksums)):
        pass


def _restore(dataset: Location, checksum: str) -> None:
    try:
        dataset.move(layout.put_aside(checksum), layout.blob(checksum))
    except NotFound:
        log.debug("%s is not aside any more", checksum)
        return
    log.info("%s: %s is needed, and is back in its place", dataset.uri, checksum)


def remove_contents(
    dataset: Location,
    orphans: Mapping[str, Sequence[str]],
    *,
    leases: Leases,
    needed: Callable[[Sequence[str]], Collection[str]],
    check: Callable[[], None],
) -> list[str]:
    """
    Delete contents, given with the keys of their files in the dataset's folder; gives the keys that are gone.

    `needed` tells once more which of some are named. While somebody stages files, who may be about to name one, nothing
    is deleted.
    """
    if not orphans:
        return []
    if leases.marks(layout.STAGING):
        log.info("%s: nothing is deleted from the archive while somebody imports", dataset.uri)
        return []
    check()
    moved = [checksum for checksum in _each(dataset, _put_aside, orphans) if checksum]
    check()
    named = set(needed(moved))
    if leases.marks(layout.STAGING):
        # what is staged now is not among what was read
        named.update(moved)
    known = {checksum for checksum in _each(dataset, _known, moved) if checksum}
    restore(dataset, known | (named & set(moved)))
    gone = [checksum for checksum in moved if checksum not in known and checksum not in named]
    check()
    keys = [key for checksum in gone for key in orphans[checksum]]
    texts = [key for key in keys if key.endswith(_TEXT)]
    dataset.delete_all([*(layout.put_aside(checksum) for checksum in gone), *texts])
    dataset.prune([layout.folder(checksum) for checksum in gone], top=layout.ARCHIVE)
    return keys


def _each(
    dataset: Location, work: Callable[[Location, str], str | None], checksums: Iterable[str]
) -> Iterator[str | None]:
    """Do something with contents: one by one on a disk, as each takes no time, several at once elsewhere."""
    each = map if dataset.path is not None else in_parallel
    return each(lambda checksum: work(dataset, checksum), checksums)


def _put_aside(dataset: Location, checksum: str) -> str | None:
    """The checksum, of a content that nobody knows a path of; None of others."""
    if _known(dataset, checksum):
        return None
    try:
        dataset.move(layout.blob(checksum), layout.put_aside(checksum))
    except NotFound:
        # put aside by a call that was killed, or there are texts alone
        log.debug("%s has no content", checksum)
    return checksum


def _known(dataset: Location, checksum: str) -> str | None:
    names = dataset.names(layout.folder(checksum))
    return checksum if any(name.endswith(META) for name in names) else None
