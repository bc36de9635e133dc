"""Files of a local folder, or one of them."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import BinaryIO, cast

from lakehouse_assets import layout
from lakehouse_assets.archive.names import safe_key
from lakehouse_assets.archive.sources.base import (
    Found,
    LeftOut,
    OpenFile,
    SourceFile,
    Unreadable,
    is_settled,
    reason_of,
    shown,
)
from lakehouse_assets.errors import InvalidData, NotFound, StorageError

# kernels stamp changes by a clock that ticks some hundred times a second
_TICK = 0.1
_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)


class LocalSource:
    """
    A folder on local disk with all folders below it, or a single file.

    A link to a file is taken for that file if it leads to a place in the folder. Links to folders in it are left out:
    what lies there is found at its own place. A link that leads out of the folder, or nowhere, cannot be read.
    """

    threads = 4

    def __init__(self, path: str, *, avoid: Sequence[Path] = ()) -> None:
        """
        The folder or file at a path; NotFound without it. Folders to `avoid`, the lake and its datasets, are left out.

        InvalidData when all of it lies in a dataset.
        """
        self._root = os.path.realpath(os.path.expanduser(path))
        self._lead = self._root.rstrip("/") + "/"
        self.uri = f"file://{shown(self._root)}"
        self._avoid = frozenset(os.path.realpath(folder) for folder in avoid)
        if not os.path.exists(self._root):
            msg = f"{path} does not exist; name a folder, a file or a URL"
            raise NotFound(msg)
        # files may lie beside the datasets, but not in one
        above = [folder for folder in self._avoid if self._lead.startswith(f"{folder}/")]
        if any(os.path.exists(f"{folder}/{layout.CONFIG}") for folder in above):
            msg = f"{path} belongs to the lake itself; crawl a folder outside of it"
            raise InvalidData(msg)

    def files(self) -> Iterator[Found]:
        """All files below the folder, in no order; StorageError when the folder itself cannot be listed."""
        if not os.path.isdir(self._root):
            yield self._single()
            return
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            try:
                with os.scandir(self._lead + folder) as entries:
                    for entry in entries:
                        path = f"{folder}{entry.name}"
                        if entry.is_dir(follow_symlinks=False):
                            if entry.path in self._avoid:
                                yield LeftOut(shown(path), "lake")
                            else:
                                waiting.append(f"{path}/")
                        else:
                            yield self._found(path, entry)
            except OSError as exc:
                if not folder:
                    msg = f"{shown(self._root)} cannot be listed: {reason_of(exc)}; see that it may be read"
                    raise StorageError(msg) from exc
                yield Unreadable(shown(folder), reason_of(exc), is_folder=True)

    def _found(self, path: str, entry: "os.DirEntry[str]") -> Found:
        try:
            if entry.is_symlink():
                return self._link(path, entry.path)
            state = entry.stat(follow_symlinks=False)
        except OSError as exc:
            return Unreadable(shown(path), reason_of(exc))
        if not stat.S_ISREG(state.st_mode):
            return LeftOut(shown(path), "special")
        return _file(path, state, entry.path)

    def _link(self, path: str, place: str) -> Found:
        target = os.path.realpath(place)
        if not f"{target}/".startswith(self._lead):
            return Unreadable(shown(path), f"a link that leads out of the folder, to {shown(target)}")
        try:
            state = os.lstat(target)
        except FileNotFoundError:
            return Unreadable(shown(path), f"a link to {shown(target)}, which does not exist")
        if stat.S_ISREG(state.st_mode):
            return _file(path, state, target)
        # where links lead in a ring, the last one that can be reached is a link, too
        is_way = stat.S_ISDIR(state.st_mode) or stat.S_ISLNK(state.st_mode)
        return LeftOut(shown(path), "link" if is_way else "special")

    def _single(self) -> Found:
        state = os.stat(self._root)
        name = os.path.basename(self._root)
        if not stat.S_ISREG(state.st_mode):
            return Unreadable(shown(name), _kind(state))
        return _file(name, state, self._root)

    def look(self, file: SourceFile) -> SourceFile:
        """The file itself: a folder tells all."""
        return file

    def close(self) -> None:
        """Nothing is left open."""

    @contextmanager
    def open(self, file: SourceFile) -> Iterator[OpenFile]:
        """The file for reading; a pipe that took its place is not waited for."""
        # what was a file may be a link by now, and lead anywhere
        descriptor = os.open(
            cast(str, file.place), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
        )
        with FileIO(descriptor) as stream:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise OSError(errno.EINVAL, _kind(before))
            now = file._replace(size=before.st_size, changed=before.st_mtime_ns, tag=_tag(before))

            def has_changed() -> bool:
                after = os.fstat(descriptor)
                return (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns)

            settled = is_settled(before.st_ctime_ns, tick=_TICK)
            yield OpenFile(now, cast(BinaryIO, stream), before.st_ctime_ns, None, has_changed, settled)


def _file(path: str, state: os.stat_result, place: str) -> SourceFile:
    key = path if path.isascii() else safe_key(path)
    return SourceFile(key, shown(path), state.st_size, state.st_mtime_ns, _tag(state), place)


def _tag(state: os.stat_result) -> str:
    # the time of the last change of the inode: that of the content can be set back, and often is
    return f"{state.st_ctime_ns:x}"


def _kind(state: os.stat_result) -> str:
    return next((name for is_kind, name in _KINDS if is_kind(state.st_mode)), "no file") + ", and no file"
