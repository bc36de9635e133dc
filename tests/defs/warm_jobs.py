"""A code location whose jobs say where they are, wait, or die."""

import atexit
import os
import threading
import time
from pathlib import Path
from typing import IO

import dagster as dg

PLACE = "WARM_JOBS"
"""The folder in which ops note what they do."""
left: list[IO[str]] = []


def place() -> Path:
    return Path(os.environ[PLACE])


@dg.op
def speak(context: dg.OpExecutionContext) -> None:
    print(f"this is {os.getpid()}, a child of {os.getppid()}")
    (place() / context.run_id).write_text(f"{os.getcwd()}\n")


@dg.op
def wait(context: dg.OpExecutionContext) -> None:
    """Until there is a file `go`."""
    (place() / context.run_id).touch()
    try:
        while not (place() / "go").exists():
            time.sleep(0.02)
    finally:
        (place() / f"{context.run_id}.left").touch()


@dg.op
def forget(context: dg.OpExecutionContext) -> None:
    """Leave to the end of the process what is to be done."""
    name = place() / context.run_id
    left.append(name.open("w"))
    left[0].write("not closed")
    atexit.register(name.with_suffix(".exit").touch)
    threading.Thread(target=lambda: (time.sleep(0.5), name.with_suffix(".thread").touch())).start()


@dg.op
def leave() -> None:
    """End without a word."""
    os._exit(0)


@dg.job(executor_def=dg.in_process_executor)
def speaking() -> None:
    speak()


@dg.job(executor_def=dg.in_process_executor)
def waiting() -> None:
    wait()


@dg.job(executor_def=dg.in_process_executor)
def forgetting() -> None:
    forget()


@dg.job(executor_def=dg.in_process_executor)
def leaving() -> None:
    leave()


@dg.job(executor_def=dg.multiprocess_executor)
def speaking_apart() -> None:
    speak()


defs = dg.Definitions(jobs=[speaking, waiting, forgetting, leaving, speaking_apart])
