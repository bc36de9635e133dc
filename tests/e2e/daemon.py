"""Dagster's daemon on a lake, without a web server, as a process that can be killed at any moment."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import dagster as dg

import lakehouse_assets
from lakehouse_assets.lake import Lake

DATA = Path(lakehouse_assets.__file__).parent / "defs" / "data"
ENDS_WITHIN = 30.0


class Daemon:
    """
    The daemon, its code server and the processes of its runs: one group, which is stopped as one.

    It reads the settings that `lakehouse up` writes for a new lake.
    """

    def __init__(self, folder: Path, lake: Lake, *, workspace: Path = DATA / "workspace.yaml") -> None:
        self.home = folder / "dagster"
        self.log = folder / "daemon.log"
        self.home.mkdir()
        shutil.copy(DATA / "dagster.yaml", self.home)
        # made by two processes at once, the databases would not be whole
        self.instance().dispose()
        self._lake = lake
        self._workspace = workspace
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; what it has to say is appended to the log."""
        environment = {
            **os.environ,
            "DAGSTER_HOME": str(self.home),
            "LAKEHOUSE_URI": str(self._lake.location.path),
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }
        command = [
            str(Path(sys.executable).with_name("dagster-daemon")),
            "run",
            "-w",
            str(self._workspace),
        ]
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                command,
                # where our package is found first
                cwd=Path(lakehouse_assets.__file__).parents[1],
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End it with all that it started."""
        self._end(signal.SIGINT)
        self._end(signal.SIGKILL)

    def kill(self) -> None:
        """Kill it and all that it started, as a power cut does."""
        self._end(signal.SIGKILL)

    def interrupt(self) -> None:
        """Press Ctrl-C: the daemon and all that it started are told to end."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGINT)

    def processes(self) -> dict[int, str]:
        """The daemon and all that it started, as far as they have not ended: their numbers and commands."""
        assert self._process is not None
        self._process.poll()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(FileNotFoundError, ProcessLookupError):
                state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
                if int(session) == self._process.pid and state != "Z":
                    found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        return found

    def kill_daemon(self) -> None:
        """Kill the daemon alone; its code server and its runs find out by themselves."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=ENDS_WITHIN)

    def kill_worker(self, run_id: str) -> bool:
        """Kill the process of a run; False when there is none any more."""
        for pid in self._workers(run_id):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                return False
            return True
        return False

    def instance(self) -> dg.DagsterInstance:
        """The instance that it works for."""
        return dg.DagsterInstance.from_config(str(self.home))

    def _workers(self, run_id: str) -> Iterator[int]:
        """The processes that do a run; its log names them."""
        with self.instance() as instance:
            for entry in instance.all_logs(run_id):
                event = entry.dagster_event
                if event is not None and event.is_engine_event:
                    pid = event.engine_event_data.metadata.get("pid")
                    if pid is not None:
                        yield int(str(pid.value))

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, number)
            self._process.wait(timeout=ENDS_WITHIN)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            return
