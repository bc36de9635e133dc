"""What is to be brought of datasets, and what was."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Resolve = Literal["union", "ours", "theirs"]
"""What becomes of statements that both sides changed: all of both, or those of one side alone."""

Progress = Callable[[int, int, str], None]
"""Hears how many files are brought, how many are known to come, and what they are."""

State = Literal["new", "behind", "same", "ahead", "diverged", "deleted"]
"""How a dataset here stands to the one there; `deleted` was deleted there."""


@dataclass(frozen=True)
class DatasetStep:
    """
    What a pull does with one dataset, or did.

    `blobs` are archived contents to be brought and `blobs_there` those that are here already; `files` are data files
    of the statements, `versions` those of the table that come along; `bytes` counts blobs, data files and exports.
    `conflicts` names documents that both sides changed, `waiting` are statements in the journal there, which nobody
    sees before they are flushed. `exports` and `documents` name those that are brought.
    """

    name: str
    state: State
    blobs: int = 0
    blobs_there: int = 0
    files: int = 0
    versions: int = 0
    bytes: int = 0
    conflicts: tuple[str, ...] = ()
    waiting: int = 0
    exports: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()

    @property
    def brings(self) -> bool:
        """Whether anything is brought."""
        return self.state in ("new", "deleted", "diverged") or bool(
            self.blobs or self.files or self.versions or self.exports or self.documents
        )


@dataclass(frozen=True)
class Pulled:
    """
    What a pull brought, and the datasets that were `same`: they needed nothing.

    `quarantined` names archived contents that are damaged there, as `DATASET/SHA256`: their bytes lie in the
    quarantine here, and everything else was brought.
    """

    datasets: tuple[str, ...] = ()
    blobs_moved: int = 0
    blobs_skipped: int = 0
    files: int = 0
    versions: int = 0
    bytes: int = 0
    quarantined: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    steps: tuple[DatasetStep, ...] = field(default=(), repr=False)


def silent(done: int, pending: int, unit: str) -> None:
    """Tell nobody how far a pull is."""
