"""What Dagster calls to have a run begun and ended: in a warm process where it can be, else as it always does."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import dagster as dg
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, ManagedGrpcPythonEnvCodeLocationOrigin
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClassData, serialize_value

from lakehouse_assets.defs.warm.keeping import Keeper, NoProcess
from lakehouse_assets.defs.warm.processes import TAG, Life, RunProcess

log = logging.getLogger(__name__)

_HERE = ("localhost", "127.0.0.1", "::1", None)
# an executable without this package will not have it a second later
_PAUSE = 300.0


class WarmRunLauncher(DefaultRunLauncher):
    """
    Forks each run from a keeper that has loaded Dagster already, on Linux.

    What no keeper can do is done as by Dagster's own launcher, by the code server: runs of code servers on other
    machines or in containers, of a Python without this package, and all of them on other systems, as macOS, where
    libraries break in a process that is only forked. A keeper that does not come up is warned of, and costs no run.

    A run has the folder and the environment of the process that launches it, which is Dagster's daemon.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._lock = threading.Lock()
        self._keepers: dict[str, Keeper] = {}
        self._failed: dict[str, float] = {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, object]) -> Self:
        """As dagster.yaml names it; there is nothing to set."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Have a run begun; returns when its process is known."""
        run = context.dagster_run
        executable = executable_here(run)
        if executable is not None and self._may_try(executable):
            try:
                self._launch(run, executable)
            except NoProcess as exc:
                why = f"No warm process for the run: {exc}. A new one is started for it."
                log.warning("%s (%s)", why, run.run_id)
                self._instance.report_engine_event(why, run, cls=type(self))
                if exc.is_old:
                    self._failed[executable] = time.monotonic()
            else:
                return
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Ask a run to end; False when it has, or when its process cannot be reached from here."""
        run = self._instance.get_run_by_id(run_id) if self.has_instance else None
        process = None if run is None else RunProcess.read(run)
        if run is None or process is None or run.is_finished:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        self._instance.report_run_canceling(run)
        if process.signal(signal.SIGTERM):
            return True
        why = "is on another machine" if process.life() is Life.ELSEWHERE else "is gone"
        self._instance.report_engine_event(
            f"The process of the run (pid: {process.pid}, {process.machine.host}) {why}.", run, cls=type(self)
        )
        return False

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether the processes of runs can be looked after."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process of a run is there; those of which nothing is known here count as if."""
        process = RunProcess.read(run)
        if process is None or process.life() is not Life.GONE:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        current = self._instance.get_run_by_id(run.run_id)
        if current is None or current.is_finished:
            return CheckRunHealthResult(WorkerStatus.SUCCESS)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"Its process (pid: {process.pid}) is gone.")

    def dispose(self) -> None:
        """Let the keepers end, each when its last run has."""
        with self._lock:
            while self._keepers:
                self._keepers.popitem()[1].close()
        super().dispose()

    def _may_try(self, executable: str) -> bool:
        return time.monotonic() - self._failed.get(executable, -_PAUSE) >= _PAUSE

    def _launch(self, run: dg.DagsterRun, executable: str) -> None:
        origin = run.job_code_origin
        assert origin is not None
        args = serialize_value(ExecuteRunArgs(origin, run.run_id, self._instance.get_ref()))
        folder = getattr(origin.get_repo_pointer(), "working_directory", None)
        with self._lock:
            keeper, pid = self._fork(executable, args, folder)
            try:
                process = RunProcess.of(run.run_id, pid)
                # before it begins: it writes the run's status, and neither may write over the other
                self._instance.add_run_tags(run.run_id, {TAG: process.write()})
                keeper.begin(pid)
            except BaseException:
                # without a keeper it has ended by itself
                with suppress(NoProcess):
                    keeper.drop(pid)
                raise
        self._run_ids.add(run.run_id)

    def _fork(self, executable: str, args: str, folder: str | None) -> tuple[Keeper, int]:
        """A process that waits, of the keeper that there is or of a new one."""
        keeper = self._keepers.get(executable)
        if keeper is not None:
            try:
                return keeper, keeper.fork(args, folder)
            except NoProcess as exc:
                if not exc.is_old:
                    raise
                log.warning("a new keeper of warm processes is started: %s", exc)
                self._keepers.pop(executable).close()
        keeper = self._keepers[executable] = Keeper(executable, self._modules())
        return keeper, keeper.fork(args, folder)

    def _modules(self) -> list[str]:
        """Those that the instance's settings name."""
        named = self._instance.get_ref()
        return sorted({data.module_name for data in named if isinstance(data, ConfigurableClassData)})


def executable_here(run: dg.DagsterRun) -> str | None:
    """The Python whose fork can do a run; None when Dagster itself has to have it begun."""
    code, remote = run.job_code_origin, run.remote_job_origin
    if sys.platform != "linux" or code is None or remote is None:
        return None
    location = remote.repository_origin.code_location_origin
    is_here = isinstance(location, ManagedGrpcPythonEnvCodeLocationOrigin) or (
        isinstance(location, GrpcServerCodeLocationOrigin) and (location.socket or location.host in _HERE)
    )
    if not is_here or code.repository_origin.container_image:
        return None
    executable = code.executable_path
    return executable if Path(executable).is_file() and os.access(executable, os.X_OK) else None
