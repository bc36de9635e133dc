"""
What tells one state of a table from any other, and which states are part of it.

Each version of a table has a mark: the digest of its commit, or the mark that the commit names because it has the very
content of that one. The content of a table is known by the mark of the last version that changed it. A table contains
a state when its log has the mark of it, or names it as united. So two tables can be compared, wherever they lie and
whatever was rewritten in them, without a look at their rows or at clocks.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel

CONTENT_VERSION = "lakehouse.content_version"
"""In a commit's metadata: the version whose content the commit left as it was."""

LAYOUT_ONLY = frozenset({"OPTIMIZE", "VACUUM START", "VACUUM END"})
"""The operations of other programs that leave the content as it is."""

CONTENT_MARK = "lakehouse.content_mark"
"""In a commit's metadata: the mark of the content that the commit gave the table."""

UNITED = "lakehouse.united"
"""In a commit's metadata: marks of contents that are part of the table from then on, with blanks between."""

_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")
_DIGITS = 40
# Delta cleans up the log of a month ago with each hundredth version
_LONG = 60
_EVERY = 30


@dataclass(frozen=True)
class Commit:
    """One version of a table as its log tells it: the data files that it took in, with their sizes."""

    version: int
    digest: str
    info: Mapping[str, object]
    added: Mapping[str, int]

    @property
    def named(self) -> str | None:
        """The mark of the content that it names, None when the content is its own."""
        found = self.info.get(CONTENT_MARK)
        return str(found) if found else None

    @property
    def united(self) -> list[str]:
        """The marks of contents that it made part of the table."""
        return str(self.info.get(UNITED) or "").split()

    @property
    def is_layout(self) -> bool:
        """Whether it left the content as it was."""
        return CONTENT_VERSION in self.info or self.info.get("operation") in LAYOUT_ONLY


class TableLog:
    """
    The log of the statements of a dataset, read as it lies there; up to a version, if one is given.

    What was read stays: make a new one to see what was committed since.

    Example:
        >>> log = TableLog(Location("data/acme"))
        >>> log.head, log.content_mark
        (3, '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c')
    """

    def __init__(self, dataset: Location, upto: int | None = None) -> None:
        self.dataset = dataset
        self._upto = upto
        self._texts: dict[int, bytes | None] = {}

    @cached_property
    def _listed(self) -> tuple[list[int], list[int]]:
        names = self.dataset.names(layout.TABLE_LOG)
        commits = [int(found[1]) for name in names if (found := _COMMIT.fullmatch(name))]
        checkpoints = [int(found[1]) for name in names if (found := _CHECKPOINT.fullmatch(name))]
        if self._upto is None:
            return commits, checkpoints
        return [n for n in commits if n <= self._upto], [n for n in checkpoints if n <= self._upto]

    @property
    def head(self) -> int | None:
        """The newest version, None while there is no table."""
        return max((number for numbers in self._listed for number in numbers), default=None)

    @property
    def committed(self) -> int | None:
        """The newest version that the log has the commit of."""
        return max(self._listed[0], default=None)

    @cached_property
    def first(self) -> int:
        """The version from which on nothing is missing; of a log that was cleaned up, that of a checkpoint."""
        commits, checkpoints = (set(numbers) for numbers in self._listed)
        start = max(commits, default=0)
        while start - 1 in commits:
            start -= 1
        if start == 0 and (0 in commits or not checkpoints):
            return 0
        return min((found for found in checkpoints if found >= start - 1), default=start)

    @property
    def checkpoints(self) -> list[int]:
        """The versions whose state is written down beside the log."""
        return self._listed[1]

    def text(self, version: int) -> bytes | None:
        """What the log has of a version, None when it does not tell of it (any more)."""
        if version not in self._texts:
            self._texts[version] = self.dataset.read_or_none(commit_key(version))
        return self._texts[version]

    def commits(self, versions: Sequence[int]) -> list[Commit]:
        """The commits of these versions, as far as the log has them."""
        self._read(versions)
        return [
            self._parsed(version, data) for version in versions if (data := self._texts[version]) is not None
        ]

    @cached_property
    def content_mark(self) -> str | None:
        """The mark of the content that the table has, None while there is none."""
        for commit in self._newest_first():
            if commit.named:
                return commit.named
            if not commit.is_layout:
                return commit.digest
        found = self.note.get("mark")
        return str(found) if found else None

    @cached_property
    def contained(self) -> frozenset[str]:
        """The marks of all contents that are part of the table."""
        found: set[str] = {self.content_mark} if self.content_mark else set()
        for commit in self._newest_first():
            found |= {commit.digest, *commit.united}
            if commit.named:
                found.add(commit.named)
        return frozenset(found | self._earlier(found))

    def keep_lineage(self, noted: Mapping[str, object]) -> dict[str, object]:
        """
        Write down what is part of a long table, for when its log is cleaned up; what to note of it.

        `noted` is what was noted last: so long as that is recent, it stays.
        """
        commits, mark, told = self._listed[0], self.content_mark, noted.get("lineage_at")
        at = told if isinstance(told, int) else -_EVERY
        if mark is None or len(commits) < _LONG or max(commits) < at + _EVERY:
            return {name: noted[name] for name in ("lineage", "lineage_at") if name in noted}
        self.write_lineage(self.dataset)
        return {"lineage": mark, "lineage_at": max(commits)}

    def write_lineage(self, dataset: Location) -> None:
        """Write down for a dataset which contents are part of the one here; it counts where the mark of this does."""
        data = json.dumps(sorted(self.contained)).encode()
        dataset.write(f"{layout.TABLE_LINEAGE}/{self.content_mark}.json", data)

    def _earlier(self, marks: set[str]) -> set[str]:
        """What is part of contents that are no more than named here, or whose commits were cleaned up."""
        told = self.note
        marks = marks | {str(told[name]) for name in ("mark", "lineage") if told.get(name)}
        names = self.dataset.names(layout.TABLE_LINEAGE)
        keys = [f"{layout.TABLE_LINEAGE}/{name}" for name in names if name.removesuffix(".json") in marks]
        read = in_parallel(self.dataset.read_or_none, keys)
        return marks | {mark for data in read if data is not None for mark in json.loads(data)}

    @cached_property
    def note(self) -> dict[str, object]:
        """What was noted for when the log is cleaned up."""
        data = self.dataset.read_or_none(layout.TABLE_CONTENT)
        return dict(json.loads(data)) if data else {}

    def _newest_first(self) -> Iterator[Commit]:
        versions = sorted(self._listed[0], reverse=True)
        size = 4
        while versions:
            now, versions = versions[:size], versions[size:]
            yield from self.commits(now)
            size *= 4

    def _read(self, versions: Sequence[int]) -> None:
        missing = [version for version in versions if version not in self._texts]
        read = in_parallel(lambda version: self.dataset.read_or_none(commit_key(version)), missing)
        self._texts.update(zip(missing, read, strict=True))

    def _parsed(self, version: int, data: bytes) -> Commit:
        info: dict[str, object] = {}
        added = {}
        try:
            for line in data.splitlines():
                action = json.loads(line)
                info |= action.get("commitInfo") or {}
                if told := action.get("add"):
                    added[unquote(told["path"])] = int(told["size"])
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            msg = f"{self.dataset.url(commit_key(version))} is no commit of a Delta table: {exc}; restore it"
            raise InvalidData(msg) from exc
        return Commit(version, mark_of(data), info, added)


def commit_key(version: int) -> str:
    """The file of a version's commit in the folder of a dataset."""
    return f"{layout.TABLE_LOG}/{version:020}.json"


def mark_of(data: bytes) -> str:
    """The mark of a commit by what its file holds."""
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


def union_mark(ours: str, theirs: str) -> str:
    """The mark of all rows of two contents: the same whoever brings them together."""
    return mark_of(" ".join(sorted((ours, theirs))).encode())
