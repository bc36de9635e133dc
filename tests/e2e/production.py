"""Dagster as on a server: Postgres, and its three programs each by itself, with the settings of examples/production."""

import os
import shutil
import signal
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lakehouse_assets.lake import Lake
from tests.e2e.conftest import (
    LOADED,
    LOCATION,
    ROOT,
    STARTS_WITHIN,
    Server,
    _free_port,
    _stop,
    eventually,
)
from tests.e2e.postgres import Postgres, running_postgres

SENSORS = """
query ($where: RepositorySelector!) {
  sensorsOrError(repositorySelector: $where) { ... on Sensors { results { id } } }
}
"""
STOP = "mutation ($id: String!) { stopSensor(id: $id) { __typename } }"

EXAMPLES = ROOT / "examples" / "production"


@dataclass(frozen=True)
class Production(Server):
    """The same as any running Dagster, with the address of its database and its processes."""

    database: Postgres
    processes: "dict[str, subprocess.Popen[bytes]]"

    def stop_sensors(self) -> None:
        """Launch nothing by itself any more."""
        where = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION}
        for sensor in self.query(SENSORS, where=where)["sensorsOrError"]["results"]:
            self.query(STOP, id=sensor["id"])

    def is_loaded(self) -> bool:
        """Whether the web server has reached the code server, which may be up later than it."""
        try:
            (entry,) = self.query(LOADED)["workspaceOrError"]["locationEntries"]
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return bool((entry["locationOrLoadError"] or {}).get("__typename") == "RepositoryLocation")


@contextmanager
def running_production(folder: Path, programs: Path, **settings: str) -> Iterator[Production]:
    """Code server, web server and daemon on a lake in a folder; `settings` replace lines of dagster.yaml."""
    home, lake = folder / "home", folder / "lake"
    home.mkdir()
    lake.mkdir()
    shutil.copy(EXAMPLES / "workspace.yaml", folder)
    text = (EXAMPLES / "dagster.yaml").read_text()
    for before, after in settings.items():
        assert before in text
        text = text.replace(before, after)
    (home / "dagster.yaml").write_text(text)
    code, web = _free_port(), _free_port()
    workspace = folder / "workspace.yaml"
    workspace.write_text(workspace.read_text().replace("port: 4000", f"port: {code}"))
    module = f"{LOCATION}.definitions"
    with running_postgres(programs) as database, ExitStack() as running:
        environment = {
            **os.environ,
            "DAGSTER_HOME": str(home),
            **database.environment(),
            "LAKEHOUSE_URI": str(lake),
            "PYTHONPATH": str(ROOT),
        }
        processes = {}
        for name, *command in (
            ("code", "dagster", "code-server", "start", "-m", module, "-p", str(code), "-h", "127.0.0.1"),
            ("web", "dagster_webserver", "-w", str(workspace), "-p", str(web), "-h", "127.0.0.1"),
            ("daemon", "dagster._daemon", "run", "-w", str(workspace)),
        ):
            with (folder / f"{name}.log").open("wb") as log:
                processes[name] = subprocess.Popen(
                    [sys.executable, "-m", *command],
                    cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            running.callback(_stop, processes[name])
        # all at once: some take a while to end
        running.callback(_ask_to_stop, list(processes.values()))
        found = Production(f"http://127.0.0.1:{web}", folder, Lake(lake), database, processes)
        eventually(
            found.is_loaded,
            within=STARTS_WITHIN,
            what="the code location",
        )
        yield found


def _ask_to_stop(processes: "list[subprocess.Popen[bytes]]") -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
