"""An instance whose runs are warm, and what tests ask of it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import dagster as dg
from dagster._core.code_pointer import FileCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

import lakehouse_assets
from lakehouse_assets.defs.warm import WarmRunLauncher
from lakehouse_assets.defs.warm.processes import RunProcess
from tests.defs import warm_jobs

T = TypeVar("T")
ROOT = Path(lakehouse_assets.__file__).parents[1]
FILE = Path(warm_jobs.__file__)
LOCATION = "warm_jobs"
WITHIN = 30.0


def eventually(look: Callable[[], T], *, what: str) -> T:
    """What the look gives as soon as it gives something."""
    until = time.monotonic() + WITHIN
    while time.monotonic() < until:
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {WITHIN:.0f} s")


def settings(home: Path) -> None:
    """A dagster.yaml with warm runs that are tried again."""
    (home / "dagster.yaml").write_text(
        "run_launcher: {module: lakehouse_assets.defs.warm, class: WarmRunLauncher}\n"
        "run_retries: {enabled: true, max_retries: 2, retry_on_asset_or_op_failure: false}\n"
        "telemetry: {enabled: false}\n"
    )


def is_there(pid: int) -> bool:
    """Whether there is a process of this number that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@dataclass(frozen=True)
class Warm:
    """An instance, and the folder in which its jobs note what they do."""

    instance: dg.DagsterInstance
    place: Path

    @property
    def launcher(self) -> WarmRunLauncher:
        found = self.instance.run_launcher
        assert isinstance(found, WarmRunLauncher)
        return found

    def create(self, job: str, *, executable: str = sys.executable, **where: object) -> dg.DagsterRun:
        """A run that is not launched; `where` is the address of the code server, by default one of Dagster's own."""
        code = RepositoryPythonOrigin(executable, FileCodePointer(str(FILE), "defs", str(ROOT)))
        location = (
            GrpcServerCodeLocationOrigin(location_name=LOCATION, **where)  # type: ignore[arg-type]
            if where
            else ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(python_file=str(FILE)), LOCATION)
        )
        return self.instance.create_run_for_job(
            warm_jobs.defs.resolve_job_def(job),
            remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job),
            job_code_origin=JobPythonOrigin(job, code),
        )

    def launch(self, job: str) -> str:
        """The id of a run that has begun."""
        run = self.create(job)
        self.instance.launch_run(run.run_id, None)  # type: ignore[arg-type]
        return run.run_id

    def launch_waiting(self) -> str:
        """The id of a run whose op is at work, until there is a file `go`."""
        run_id = self.launch("waiting")
        eventually((self.place / run_id).exists, what="the op")
        return run_id

    def run(self, run_id: str) -> dg.DagsterRun:
        found = self.instance.get_run_by_id(run_id)
        assert found is not None
        return found

    def process(self, run_id: str) -> RunProcess:
        found = RunProcess.read(self.run(run_id))
        assert found is not None, "the run is not a warm one"
        return found

    def end(self, run_id: str) -> dg.DagsterRunStatus:
        """The status of a run when it has ended."""
        eventually(lambda: self.run(run_id).is_finished, what="the end of the run")
        return self.run(run_id).status

    def messages(self, run_id: str) -> str:
        return "\n".join(entry.message for entry in self.instance.all_logs(run_id))


def elsewhere(home: Path, code: str) -> str:
    """What a process of its own prints that has opened the same instance."""
    text = (
        f"import dagster as dg\nwith dg.DagsterInstance.from_config({str(home)!r}) as instance:\n    {code}\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, env=environment, timeout=60, check=True
    )
    return ran.stdout
