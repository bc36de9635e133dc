"""Going through an archive part by part, so that its size does not count."""

from collections.abc import Collection, Iterator
from itertools import groupby

from lakehouse_assets import layout
from lakehouse_assets.archive.names import is_checksum
from lakehouse_assets.storage.location import Location

BLOB = "blob"
"""The name of a content in its folder."""

ASIDE = "blob.aside"
"""Its name while somebody looks whether it is garbage."""

META = ".json"
"""How the names of what is known of it end."""


def parts(location: Location) -> list[str]:
    """The parts of an archive: at most 256 folders of about the same size."""
    return [f"{layout.ARCHIVE}/{name}" for name in location.folders(layout.ARCHIVE)]


def contents(location: Location, part: str) -> Iterator[tuple[str, list[str]]]:
    """The contents of a part: each checksum with the names of the files in its folder."""
    for folder, keys in groupby(location.keys(part), key=lambda key: key.rpartition("/")[0]):
        checksum = folder.rpartition("/")[2]
        if is_checksum(checksum) and folder == layout.folder(checksum):
            yield checksum, [key.rpartition("/")[2] for key in keys]


def has_content(names: Collection[str]) -> bool:
    """Whether there is a content among the files of its folder, in its place or beside it."""
    return BLOB in names or ASIDE in names


def is_content(key: str) -> bool:
    """Whether a file of an archive is a content, in its place or beside it."""
    return key.rpartition("/")[2] in (BLOB, ASIDE)


def content_keys(checksum: str) -> list[str]:
    """Where a content is to be looked for, in this order; the last look is for one that came back in between."""
    return [layout.blob(checksum), layout.put_aside(checksum), layout.blob(checksum)]


def meta_keys(location: Location) -> Iterator[str]:
    """The keys of all that is known of files, by checksum."""
    for part in parts(location):
        for checksum, names in contents(location, part):
            yield from (f"{layout.folder(checksum)}/{name}" for name in names if name.endswith(META))
