"""Which files of a source are wanted."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property


@dataclass(frozen=True)
class Filters:
    """
    Which keys are wanted: those with a prefix and without another, those that a glob fits and another does not.

    `*` in a glob stands for any text, also with slashes in it; upper and lower case differ.

    Example:
        >>> Filters(glob="*.pdf", exclude_prefix="drafts/").refused_by("drafts/a.pdf")
        'exclude_prefix'
    """

    prefix: str | None = None
    exclude_prefix: str | None = None
    glob: str | None = None
    exclude_glob: str | None = None

    def refused_by(self, key: str) -> str | None:
        """The name of the first filter that a key does not pass, None for a key that is wanted."""
        if self.prefix and not key.startswith(self.prefix):
            return "prefix"
        if self.exclude_prefix and key.startswith(self.exclude_prefix):
            return "exclude_prefix"
        if self._glob and not self._glob.match(key):
            return "glob"
        if self._exclude_glob and self._exclude_glob.match(key):
            return "exclude_glob"
        return None

    @cached_property
    def _glob(self) -> re.Pattern[str] | None:
        return re.compile(translate(self.glob)) if self.glob else None

    @cached_property
    def _exclude_glob(self) -> re.Pattern[str] | None:
        return re.compile(translate(self.exclude_glob)) if self.exclude_glob else None


class Chosen:
    """
    Some paths of a source, and all that lies below some of its folders.

    Example:
        >>> Chosen(["a.pdf"], ["drafts"]).has("drafts/new/b.pdf")
        True
    """

    def __init__(self, files: Iterable[str], folders: Iterable[str]) -> None:
        self.files = frozenset(files)
        names = [folder.strip("/") for folder in folders]
        self._all = "" in names
        self._below = tuple(f"{name}/" for name in names if name)

    def has(self, path: str) -> bool:
        """Whether a path is one of them."""
        return self._all or path in self.files or path.startswith(self._below)
