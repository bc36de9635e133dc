"""
Where the Dagster instance of a lake is, found by a look at files: Dagster itself takes seconds to load.

That of DAGSTER_HOME, else that of a dagster.yaml in the current folder, else the one inside a local lake.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets import layout

if TYPE_CHECKING:
    from lakehouse_assets.lake import Lake

HOME = "DAGSTER_HOME"
INSTANCE_FILE = "dagster.yaml"


@dataclass(frozen=True)
class Home:
    """The folder with an instance's dagster.yaml; when `is_project`, it is the current one."""

    folder: Path
    is_project: bool = False

    @property
    def file(self) -> Path:
        """The instance's settings."""
        return self.folder / INSTANCE_FILE

    def exists(self) -> bool:
        """Whether there is anything of an instance yet; a yaml.YAMLError when its settings are no YAML."""
        if self.is_project:
            return _storage_exists(self.folder, self.file)
        return self.file.is_file() or (self.folder / "history").is_dir() or (self.folder / "storage").is_dir()


def find_home(lake: "Lake") -> Home | None:
    """Where the instance of a lake is, or would be; None for a lake on an object store without a setting."""
    if given := os.environ.get(HOME):
        return Home(Path(given).expanduser())
    if Path(INSTANCE_FILE).is_file():
        return Home(Path.cwd(), is_project=True)
    folder = lake.location.local(layout.LAKE_DAGSTER)
    return Home(folder) if folder is not None else None


def _storage_exists(folder: Path, file: Path) -> bool:
    """Whether what a dagster.yaml names as storage is there; without one, history ends with each process."""
    import yaml

    settings = yaml.safe_load(file.read_bytes()) or {}
    storage = settings.get("storage") if isinstance(settings, dict) else None
    if not isinstance(storage, dict):
        return False
    base = (storage.get("sqlite") or {}).get("base_dir")
    # a database server, or a folder that a variable names
    return not isinstance(base, str) or (folder / base).is_dir()
