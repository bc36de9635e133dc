"""The ids of files and folders, made from their paths, so that every crawl gives the same ones."""

import hashlib
from functools import lru_cache
from typing import NamedTuple

FILE = "file-"
FOLDER = "folder-"

# one crawl goes through a folder's files in a row
_CACHED = 4096


class FolderRef(NamedTuple):
    """A folder on the way to a file; `parent` is the id of the folder that it lies in."""

    id: str
    name: str
    parent: str | None


def file_id(key: str, checksum: str) -> str:
    """
    The id of a content at a path.

    Example:
        >>> file_id("a/b.pdf", "0" * 64)
        'file-d1a384500487ecd6623ef5d39e24e4279d8f4d54c818a62d79a97a181a41b66d'
    """
    return checksum if key == checksum else FILE + _digest(key + checksum)


@lru_cache(_CACHED)
def folder_id(path: str) -> str:
    """
    The id of a folder, of which its parent's id is a part.

    Example:
        >>> folder_id("x/y")
        'folder-b4a4ce2f23077f0c2b0ee0336f01868ba66992e1e56e1af098efe3739af2f799'
    """
    parent, _, name = path.rpartition("/")
    return FOLDER + _digest(folder_id(parent) + name if parent else name)


def parent_id(key: str) -> str | None:
    """The id of the folder that a file lies in, None at the top."""
    folder = key.rpartition("/")[0]
    return folder_id(folder) if folder else None


def parent_folders(key: str) -> list[FolderRef]:
    """All folders on the way to a file, the topmost first."""
    folder = key.rpartition("/")[0]
    return list(_folders(folder)) if folder else []


@lru_cache(_CACHED)
def _folders(path: str) -> tuple[FolderRef, ...]:
    parent, _, name = path.rpartition("/")
    found = _folders(parent) if parent else ()
    return (*found, FolderRef(folder_id(path), name, found[-1].id if found else None))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
