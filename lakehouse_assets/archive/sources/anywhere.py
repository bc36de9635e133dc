"""Files of any other store that fsspec knows."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO, cast

from lakehouse_assets.archive.sources.base import (
    Found,
    OpenFile,
    SourceFile,
    Unreadable,
    file_at,
    nanoseconds,
    never,
    reason_of,
    shown,
)
from lakehouse_assets.archive.sources.http import masked
from lakehouse_assets.errors import InvalidData, NotFound, StorageError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

THREADS = 4
"""Not every store of fsspec's takes many requests at once."""

_BILLION = 1_000_000_000
_TIMES = ("mtime", "LastModified", "last_modified", "modified", "updated", "modify", "created")
_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "sha", "checksum", "uid")
# what was read faster than that was hardly replaced meanwhile, and need not be asked about again
_SOON = 1.0

Info = Mapping[str, object]


class FsspecSource:
    """The files below a URL that fsspec opens, also a chained one, or a single file."""

    threads = THREADS

    def __init__(self, uri: str, *, options: Mapping[str, object] | None = None) -> None:
        """The files at a URL; InvalidData when fsspec does not know how to open it."""
        import fsspec

        try:
            fs, root = fsspec.core.url_to_fs(uri, use_listings_cache=False, **(options or {}))
        except (ValueError, ImportError, TypeError) as exc:
            msg = f"{masked(uri)} cannot be crawled: {exc}; folders, s3://, http://, zip:// and tar:// can"
            raise InvalidData(msg) from exc
        self.uri = masked(uri)
        self._fs: AbstractFileSystem = fs
        self._root = cast(str, root).rstrip("/")

    def files(self) -> Iterator[Found]:
        """All files, folder by folder; NotFound or StorageError when there is nothing, or it is kept back."""
        info = self._info()
        if info["type"] != "directory":
            yield _file(self._root.rpartition("/")[2], info)
            return
        waiting = [self._root]
        while waiting:
            folder = waiting.pop()
            try:
                entries = cast(list[Info], self._fs.ls(folder, detail=True))
            except Exception as exc:
                # each store has errors of its own
                if folder == self._root:
                    raise StorageError(f"{self.uri} cannot be listed: {reason_of(exc)}") from exc
                yield Unreadable(self._below(folder), reason_of(exc), is_folder=True)
                continue
            for entry in entries:
                name = cast(str, entry["name"]).rstrip("/")
                if name == folder:
                    continue
                if entry["type"] == "directory":
                    waiting.append(name)
                else:
                    yield _file(self._below(name), entry)

    def _info(self) -> Info:
        try:
            return cast(Info, self._fs.info(self._root))
        except FileNotFoundError as exc:
            msg = f"there is nothing at {self.uri}; mend the address, or wait until there is"
            raise NotFound(msg) from exc
        except Exception as exc:
            raise StorageError(f"{self.uri} cannot be read: {reason_of(exc)}") from exc

    def _below(self, name: str) -> str:
        return shown(name[len(self._root) :].lstrip("/"))

    def look(self, file: SourceFile) -> SourceFile:
        """The file itself: a listing tells what there is to know."""
        return file

    def close(self) -> None:
        """Nothing is left open."""

    @contextmanager
    def open(self, file: SourceFile) -> Iterator[OpenFile]:
        """The file for reading, as the store has it now."""
        path = cast(str, file.place)
        now = _with_state(file, cast(Info, self._fs.info(path)))
        began = time.monotonic()

        def has_changed() -> bool:
            late = time.monotonic() - began > _SOON
            return late and _with_state(file, cast(Info, self._fs.info(path))).state != now.state

        with self._fs.open(path, "rb") as stream:
            yield OpenFile(now, cast(BinaryIO, stream), None, None, has_changed if now.is_known else never)


def _file(path: str, info: Info) -> SourceFile | Unreadable:
    found = file_at(path, place=info["name"])
    return _with_state(found, info) if isinstance(found, SourceFile) else found


def _with_state(file: SourceFile, info: Info) -> SourceFile:
    size = info.get("size")
    at = next((info[name] for name in _TIMES if info.get(name)), None)
    tag = next((info[name] for name in _TAGS if info.get(name)), None)
    return file._replace(
        size=size if isinstance(size, int) else None,
        changed=_changed(at),
        tag=str(tag) if tag is not None else None,
    )


def _changed(at: object) -> int | None:
    if isinstance(at, datetime):
        return nanoseconds(at)
    if isinstance(at, int | float):
        return int(at * _BILLION)
    return None
