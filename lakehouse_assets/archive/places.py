"""Where archived files go when they leave: names that no disk refuses, below one folder, and no two alike."""

import hashlib
import re
import unicodedata
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

# a name may have as many bytes on all usual file systems
_MOST_BYTES = 255
_LONGEST_SUFFIX = 20
_MARK = 8

_ODD = re.compile(r"[\x00-\x1f\x7f/\\\ud800-\udfff]")
_END = re.compile(r"[. ]+$")
# Windows and what speaks to it take these for devices, whatever follows a dot
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file on its way out: `folder` and `name` are what its documents say, and may be anything."""

    id: str
    checksum: str
    folder: str
    name: str

    @property
    def path(self) -> str:
        """The path that it had."""
        return f"{self.folder}/{self.name}" if self.folder else self.name

    @property
    def safe_path(self) -> str:
        """The path with names that can be used."""
        parts = [safe_name(part) for part in self.folder.split("/") if part not in ("", ".")]
        return "/".join([*parts, safe_name(self.name)])


def safe_name(name: str) -> str:
    """
    The name itself wherever it can be one of a file anywhere, else the like of it.

    Slashes, backslashes and control characters become `_`, as do dots and spaces at the end. A name over 255 bytes is
    cut, and marked so that no other one is cut to the same.

    Example:
        >>> safe_name("report 2024.pdf"), safe_name("..")
        ('report 2024.pdf', '__')
    """
    safe = _ODD.sub("_", name) or "_"
    safe = _END.sub(lambda end: "_" * len(end[0]), safe)
    safe = _RESERVED.sub(lambda device: f"{device[0]}_", safe) if _RESERVED.match(safe) else safe
    return marked(safe, name) if len(safe.encode()) > _MOST_BYTES else safe


def marked(name: str, what: str, digits: int = _MARK) -> str:
    """A name that is made another one by what it stands for: `report~6f4887ab.pdf`; at most 255 bytes."""
    stem, dot, suffix = name.rpartition(".")
    if not stem or len(suffix.encode()) > _LONGEST_SUFFIX:
        stem, dot, suffix = name, "", ""
    mark = f"~{hashlib.sha256(what.encode(errors='replace')).hexdigest()[:digits]}{dot}{suffix}"
    room = _MOST_BYTES - len(mark.encode())
    return stem.encode()[:room].decode(errors="ignore") + mark


class Places:
    """
    A place below one folder for each of many files.

    Two files may have the same path, or paths that only some file systems tell apart (`a.txt`, `A.TXT`), or one may be
    called like a folder. All but the first of them get names of their own, the same in every run.

    Example:
        >>> wanted = [Wanted("1", "aa", "x", "a.txt"), Wanted("2", "bb", "x", "A.txt")]
        >>> places = Places(wanted)
        >>> [places.find(file) for file in wanted]
        ['x/a.txt', 'x/A~3f9a1c24.txt']
    """

    def __init__(self, wanted: Iterable[Wanted]) -> None:
        """Go through all files once; only eight bytes are kept of each."""
        import numpy as np

        files, folders = array("Q"), set[int]()
        seen: set[str] = set()
        for file in wanted:
            path = file.safe_path
            files.append(_mark_of(path))
            while (path := path.rpartition("/")[0]) and path not in seen:
                seen.add(path)
                folders.add(_mark_of(path))
        self._marks, counts = np.unique(np.frombuffer(files, dtype=np.uint64), return_counts=True)
        self._folders = folders
        self._shared = set(self._marks[counts > 1].tolist())
        self._first: dict[int, tuple[str, str]] = {}
        self._given: dict[int, str] = {}

    def find(self, file: Wanted) -> str:
        """The place of a file; ask for each once, in the order of before."""
        path = file.safe_path
        mark = _mark_of(path)
        if mark not in self._folders:
            if mark not in self._shared:
                return path
            # the same content at the same path is there only once
            what = (file.path, file.checksum)
            if self._first.setdefault(mark, what) == what:
                return path
        return self._unique(file, path)

    def _unique(self, file: Wanted, path: str) -> str:
        folder, slash, name = path.rpartition("/")
        who = f"{file.id}\n{file.path}"
        for digits in range(_MARK, 64):
            place = folder + slash + marked(name, who, digits)
            mark = _mark_of(place)
            if not self._is_taken(mark) and self._given.setdefault(mark, who) == who:
                return place
        msg = f"no place for {path!r}"
        raise AssertionError(msg)

    def _is_taken(self, mark: int) -> bool:
        import numpy as np

        at = int(np.searchsorted(self._marks, np.uint64(mark)))
        return mark in self._folders or (at < len(self._marks) and int(self._marks[at]) == mark)


def _mark_of(path: str) -> int:
    """A number for a path, the same for all that some file system takes for one."""
    folded = path.lower() if path.isascii() else unicodedata.normalize("NFC", path).casefold()
    return int.from_bytes(hashlib.blake2b(folded.encode(), digest_size=8).digest())
