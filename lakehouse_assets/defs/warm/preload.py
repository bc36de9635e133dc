"""
What a keeper loads before it forks: what every run needs, and nothing that a fork could break.

Left out are polars, duckdb, pyarrow, deltalake and grpc, which start threads, and all modules of a user, which may
change from one run to the next.
"""

import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path

MODULES = (
    # the command that a run is, and what it loads when it needs it
    "dagster._cli.api",
    "dagster._core.definitions.external_asset",
    "dagster._core.definitions.repository_definition.repository_data_builder",
    "dagster._core.execution.plan.active",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.storage.fs_io_manager",
    "dagster._core.storage.migration.utils",
    "dagster._core.workspace.autodiscovery",
    "dagster._utils.test.definitions",
    # SQLAlchemy loads it at its first connection
    "sqlalchemy.dialects.sqlite",
    "sqlite3",
    # each database of an instance is compared with its migrations
    "alembic.command",
    "alembic.script",
    # files of an instance
    "fsspec.implementations.local",
    "upath.implementations.local",
    # the definitions of a lake, and what they load when they are built and when jobs are worked
    "lakehouse_assets.defs.build",
    "lakehouse_assets.jobs.worker",
    "zstandard",
)
OWNERS = ("dagster.", "dagster_", "lakehouse_assets.")
"""Of the modules that an instance names, only those that begin like this are loaded; others are a user's."""

UNSAFE = ("polars", "duckdb", "pyarrow", "deltalake", "grpc")

Signs = Mapping[str, tuple[int, int]]
"""Of each file its size and when it was changed (ns)."""


def load(more: Iterable[str] = ()) -> None:
    """Load what every run needs, and these modules besides as far as they are Dagster's or ours."""
    for name in MODULES:
        try:
            import_module(name)
        except ModuleNotFoundError as exc:
            # another release of Dagster may have it elsewhere; a run loads what it needs
            if exc.name is None or not exc.name.startswith(OWNERS[:1]):
                raise
    for name in more:
        if name.startswith(OWNERS):
            import_module(name)


def unsafe() -> str | None:
    """Why a fork of this process could break; None when it cannot."""
    if loaded := [name for name in UNSAFE if name in sys.modules]:
        return f"{', '.join(loaded)} came along with what was loaded, and cannot be forked"
    threads = len(list(Path("/proc/self/task").iterdir()))
    return f"what was loaded started {threads - 1} threads" if threads > 1 else None


def signs() -> Signs:
    """What the files of all loaded modules look like."""
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return {file: found for file in files if file and (found := _sign(file))}


def changed(before: Signs) -> str | None:
    """A file that is not what it was, because something was updated or edited; None when all are."""
    return next((file for file, sign in before.items() if _sign(file) != sign), None)


def _sign(file: str) -> tuple[int, int] | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
