"""Opening the Dagster instance of a lake, and serving Dagster on it."""

import logging
import os
import shutil
import sys
from importlib.resources import as_file, files
from pathlib import Path

import dagster as dg

from lakehouse_assets.defs.foreground import run_in_foreground
from lakehouse_assets.defs.home import HOME, INSTANCE_FILE, Home, find_home
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.lake import Lake

log = logging.getLogger(__name__)

WORKSPACE_FILE = "workspace.yaml"

_DATA = files("lakehouse_assets.defs") / "data"


def existing_instance(lake: Lake) -> dg.DagsterInstance | None:
    """
    The instance of a lake if there is one already; never makes one.

    Example:
        >>> if instance := existing_instance(lake):
        ...     with instance:
        ...         report_dataset(instance, lake.dataset("acme"))
    """
    home = find_home(lake)
    return _open(home) if home is not None and home.exists() else None


def open_instance(lake: Lake) -> dg.DagsterInstance:
    """The instance of a lake, made if it is not there yet."""
    home = find_home(lake)
    if home is None:
        msg = f"{lake.uri} has no place for Dagster's history: set {HOME} to a folder of your own"
        raise InvalidData(msg)
    return _open(home)


def up(lake: Lake, *, port: int = 3000) -> int:
    """
    Run Dagster's web server and daemon on a lake until they are stopped; returns the exit code.

    A workspace.yaml in the current folder counts if there is a dagster.yaml, too; else the shipped one does.
    """
    own = Path(WORKSPACE_FILE).is_file() and Path(INSTANCE_FILE).is_file()
    with as_file(_DATA / WORKSPACE_FILE) as shipped:
        workspace = Path(WORKSPACE_FILE).resolve() if own else shipped
        command = [sys.executable, "-m", "dagster", "dev", "-w", str(workspace), "-p", str(port)]
        return run_in_foreground(command, {**os.environ, **_environment(lake)})


def _environment(lake: Lake) -> dict[str, str]:
    """What Dagster's processes are told besides what the environment says already."""
    path = lake.location.path
    told = {"LAKEHOUSE_URI": str(path.resolve()) if path is not None else lake.uri}
    home = find_home(lake)
    if home is None:
        log.warning(
            "%s is on an object store: set %s, or the history of runs ends with this process", lake.uri, HOME
        )
    elif not home.is_project:
        # makes the folder and its dagster.yaml
        _open(home).dispose()
        told[HOME] = str(home.folder.resolve())
    return told


def _open(home: Home) -> dg.DagsterInstance:
    """The instance there, made if it is not there yet."""
    if not home.is_project:
        home.folder.mkdir(parents=True, exist_ok=True)
        if not home.exists():
            with as_file(_DATA / INSTANCE_FILE) as shipped:
                shutil.copyfile(shipped, home.file)
    return dg.DagsterInstance.from_config(str(home.folder))
