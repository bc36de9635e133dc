"""
Every exception of this package.

LakehouseError
├── InvalidData   (also a ValueError)
│   ├── ColumnMissing (also a KeyError)
│   ├── Damaged
│   ├── NotJson       (also a TypeError)
│   ├── EndlessLoop
│   └── StateCorrupt
├── WrongType     (also a TypeError)
├── NotFound      (also a FileNotFoundError)
│   ├── EntityNotFound
│   ├── ArchiveFileNotFound
│   └── TaskNotFound
├── Conflict
│   ├── Diverged
│   ├── LeaseLost
│   └── StateConflict
├── ElementExists (also a KeyError)
├── Locked
├── AssertionFailed
├── WorkerDied
├── RemoteError
│   └── Unreachable
├── StorageError  (also an OSError)
└── Unconfirmed   (also an OSError)

Catch `LakehouseError` to catch them all; each message ends with what to do next.
"""

from collections.abc import Sequence


class LakehouseError(Exception):
    """The base of everything that this package raises on purpose."""


class InvalidData(LakehouseError, ValueError):
    """An input, a name, a setting or a file that cannot be used as it is."""


class ColumnMissing(InvalidData, KeyError):
    """A frame or a file that lacks a column; the message names it."""

    # a KeyError would show the message in quotes
    __str__ = Exception.__str__


class Damaged(InvalidData):
    """A file whose bytes are not what its name, its record or the log of its table says."""


class NotJson(InvalidData, TypeError):
    """A value that JSON cannot hold; the message says where in the value it stands."""


class EndlessLoop(InvalidData):
    """A job that its stage hands on to itself, unchanged."""


class StateCorrupt(InvalidData):
    """A state's file that cannot be read, so that nobody knows how far its job got. `path` names the file."""

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path


class WrongType(LakehouseError, TypeError):
    """A value of a kind that is not taken here; the message names the kind that is."""


class NotFound(LakehouseError, FileNotFoundError):
    """A dataset, an entity or a file that is not there."""


class EntityNotFound(NotFound):
    """An entity that a dataset does not have, or not any more."""


class ArchiveFileNotFound(NotFound):
    """A file that is not archived."""


class TaskNotFound(NotFound):
    """A job's task that no stage is known for."""


class Conflict(LakehouseError):
    """Another writer was faster. Nothing was changed; try again."""


class Diverged(Conflict):
    """
    Two copies were both changed since they were the same, so that none is a later state of the other.

    Nothing was changed. `labels` names them.
    """

    def __init__(self, message: str, *, labels: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.labels = tuple(labels)


class LeaseLost(Conflict):
    """A lease that was held was broken or taken over by somebody else."""


class StateConflict(Conflict):
    """
    A state was changed by somebody else since it was loaded. Nothing was written.

    `expected` is the generation that was loaded, `found` the one that is there now.
    """

    def __init__(self, message: str, *, expected: int, found: int) -> None:
        super().__init__(message)
        self.expected = expected
        self.found = found


class ElementExists(LakehouseError, KeyError):
    """A key that a state has already, where it was not to be replaced."""

    # a KeyError would show the message in quotes
    __str__ = Exception.__str__


class Locked(LakehouseError):
    """
    Somebody else holds the lease, longer than we were willing to wait.

    `holder` says who (owner, host and process, or "another program"), `age_seconds` for how long, if known.
    """

    def __init__(self, message: str, *, holder: str = "unknown", age_seconds: float | None = None) -> None:
        super().__init__(message)
        self.holder = holder
        self.age_seconds = age_seconds


class AssertionFailed(LakehouseError):
    """
    The statements are not what pipeline.yml asserts, so nothing was published.

    `failures` has a sentence with both numbers for each assertion that does not hold.
    """

    def __init__(self, message: str, *, failures: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.failures = tuple(failures)


class WorkerDied(LakehouseError):
    """A job that a worker died with, each time: out of memory, or by a crash of the interpreter."""

    def __init__(self, times: int) -> None:
        super().__init__(
            f"its worker died with it, {times} times; look at its memory, or at native code that it calls"
        )
        self.times = times


class RemoteError(LakehouseError):
    """
    The Dagster that work was delegated to is out of reach, refuses it, or failed at it.

    `url` is its address, `run_id` the run that it was asked for, if it took it on.
    """

    def __init__(self, message: str, *, url: str, run_id: str | None = None) -> None:
        super().__init__(message)
        self.url = url
        self.run_id = run_id


class Unreachable(RemoteError):
    """No answer came from the Dagster; the same question may be answered later."""


class StorageError(LakehouseError, OSError):
    """The disk or the object store refused: full, forbidden or out of reach."""


class Unconfirmed(LakehouseError, OSError):
    """The store was lost at the moment of a commit: whether it got in is to be seen when the store is back."""
