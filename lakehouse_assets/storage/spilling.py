"""Temporary files, for what does not fit into memory."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from lakehouse_assets.errors import LakehouseError, StorageError


@contextmanager
def spilling(directory: str | None) -> Iterator[None]:
    """
    Say where temporary files lie, and what helps, when the block cannot write them.

    `directory` is the one of the settings, None the system's.
    """
    try:
        yield
    except LakehouseError:
        raise
    except OSError as exc:
        if exc.errno is None:
            # not the system's: what is read is damaged
            raise
        msg = (
            f"temporary files cannot be written to {directory or _of_system()}: {exc.strerror or exc}; "
            "make room there, or name another folder by LAKEHOUSE_TEMP_DIRECTORY"
        )
        raise StorageError(msg) from exc


def _of_system() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:
        return "the system's folder for them"
