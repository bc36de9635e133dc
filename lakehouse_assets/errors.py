"""
Every exception of this package.

LakehouseError
├── InvalidData   (also a ValueError)
├── NotFound      (also a FileNotFoundError)
├── Conflict
│   └── LeaseLost
├── Locked
├── AssertionFailed
├── StorageError  (also an OSError)
└── Unconfirmed   (also an OSError)

Catch `LakehouseError` to catch them all; each message ends with what to do next.
"""

from collections.abc import Sequence


class LakehouseError(Exception):
    """The base of everything that this package raises on purpose."""


class InvalidData(LakehouseError, ValueError):
    """An input, a name, a setting or a file that cannot be used as it is."""


class NotFound(LakehouseError, FileNotFoundError):
    """A dataset, an entity or a file that is not there."""


class Conflict(LakehouseError):
    """Another writer was faster. Nothing was changed; try again."""


class LeaseLost(Conflict):
    """A lease that was held was broken or taken over by somebody else."""


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


class StorageError(LakehouseError, OSError):
    """The disk or the object store refused: full, forbidden or out of reach."""


class Unconfirmed(LakehouseError, OSError):
    """The store was lost at the moment of a commit: whether it got in is to be seen when the store is back."""
