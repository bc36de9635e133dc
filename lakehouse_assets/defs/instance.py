"""
Which Dagster instance belongs to a lake.

That of DAGSTER_HOME, else that of a dagster.yaml in the current folder, else the one inside a local lake.
"""

import logging
import os
import shutil
import sys
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import dagster as dg
import yaml

from lakehouse_assets import layout
from lakehouse_assets.defs.foreground import run_in_foreground
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.lake import Lake

log = logging.getLogger(__name__)

HOME = "DAGSTER_HOME"
INSTANCE_FILE = "dagster.yaml"
WORKSPACE_FILE = "workspace.yaml"

_DATA = files("lakehouse_assets.defs") / "data"


@dataclass(frozen=True)
class Home:
    """The folder with an instance's dagster.yaml; when `is_project`, it is the current one."""

    folder: Path
    is_project: bool = False

    def exists(self) -> bool:
        """Whether there is anything of an instance yet."""
        file = self.folder / INSTANCE_FILE
        if self.is_project:
            return _storage_exists(self.folder, file)
        return file.is_file() or (self.folder / "history").is_dir() or (self.folder / "storage").is_dir()

    def open(self) -> dg.DagsterInstance:
        """The instance, made if it is not there yet."""
        if not self.is_project:
            self._prepare()
        return dg.DagsterInstance.from_config(str(self.folder))

    def _prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / INSTANCE_FILE
        if not file.exists() and not self.exists():
            with as_file(_DATA / INSTANCE_FILE) as shipped:
                shutil.copyfile(shipped, file)


def find_home(lake: Lake) -> Home | None:
    """Where the instance of a lake is, or would be; None for a lake on an object store without a setting."""
    if given := os.environ.get(HOME):
        return Home(Path(given).expanduser())
    if Path(INSTANCE_FILE).is_file():
        return Home(Path.cwd(), is_project=True)
    folder = lake.location.local(layout.LAKE_DAGSTER)
    return Home(folder) if folder is not None else None


def existing_instance(lake: Lake) -> dg.DagsterInstance | None:
    """
    The instance of a lake if there is one already; never makes one.

    Example:
        >>> if instance := existing_instance(lake):
        ...     with instance:
        ...         report_dataset(instance, lake.dataset("acme"))
    """
    home = find_home(lake)
    return home.open() if home is not None and home.exists() else None


def open_instance(lake: Lake) -> dg.DagsterInstance:
    """The instance of a lake, made if it is not there yet."""
    home = find_home(lake)
    if home is None:
        msg = f"{lake.uri} has no place for Dagster's history: set {HOME} to a folder of your own"
        raise InvalidData(msg)
    return home.open()


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
        home.open().dispose()
        told[HOME] = str(home.folder.resolve())
    return told


def _storage_exists(folder: Path, file: Path) -> bool:
    """Whether what a dagster.yaml names as storage is there; without one, history ends with each process."""
    settings = yaml.safe_load(file.read_text()) or {}
    storage = settings.get("storage") if isinstance(settings, dict) else None
    if not isinstance(storage, dict):
        return False
    base = (storage.get("sqlite") or {}).get("base_dir")
    # a database server, or a folder that a variable names
    return not isinstance(base, str) or (folder / base).is_dir()
