"""What a fork of a keeper does: a run, as Dagster's own command does it, or telling Dagster of a run that died."""

import socket
import sys
from contextlib import suppress

from lakehouse_assets.defs.warm.messages import BEGIN, DONE


def work(line: socket.socket, args: str) -> None:
    """
    Do a run when told to; nothing when the other end of the line is closed.

    `args` are those of Dagster's command `dagster api execute_run`.
    """
    from dagster._cli.api import execute_run_command

    with line:
        if line.recv(len(BEGIN)) != BEGIN:
            return
        sys.argv = ["dagster", "api", "execute_run", args]
        execute_run_command.main(args=[args], prog_name="dagster api execute_run", standalone_mode=False)
        # a keeper that was killed has nobody who waits for it
        with suppress(OSError):
            line.sendall(DONE)


def report_death(args: str, pid: int, code: int) -> None:
    """Tell Dagster that the process of a run ended before its work did, with this exit code; its retry follows."""
    import dagster as dg
    from dagster._grpc.types import ExecuteRunArgs
    from dagster._serdes import deserialize_value
    from dagster._utils import get_run_crash_explanation

    told = deserialize_value(args, ExecuteRunArgs)
    assert told.instance_ref is not None
    with dg.DagsterInstance.from_ref(told.instance_ref) as instance:
        run = instance.get_run_by_id(told.run_id)
        if run is None or run.is_finished:
            return
        message = get_run_crash_explanation(f"The process of the run (pid: {pid})", code)
        instance.report_engine_event(message, run)
        if run.status == dg.DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, message)
        else:
            instance.report_run_failed(run, message)
