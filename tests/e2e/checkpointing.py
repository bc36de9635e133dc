"""A code location of a user: a lake, and a job of two steps whose second fails the first time."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl

from lakehouse_assets import build_definitions

WORK = "CHECKPOINTING_WORK"
RETRY = {"dagster/max_retries": "1", "dagster/retry_on_asset_or_op_failure": "true"}


def did(what: str) -> None:
    with open(Path(os.environ[WORK]) / "did", "a") as file:
        print(what, file=file)


@dg.op(out=dg.Out(io_manager_key="checkpoints"))
def load() -> pl.LazyFrame:
    did("load")
    return pl.LazyFrame({"id": [1, 2, 3]})


@dg.op
def total(frame: pl.LazyFrame) -> None:
    did("total")
    work = Path(os.environ[WORK])
    if not (work / "failed").exists():
        (work / "failed").touch()
        raise ZeroDivisionError("the first time it fails")
    (work / "total").write_text(str(frame.sum().collect().item()))


@dg.job(executor_def=dg.in_process_executor)
def own() -> None:
    total(load())


@dg.sensor(job=own, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def start_once() -> Iterator[dg.RunRequest]:
    yield dg.RunRequest(run_key="once", tags=RETRY)


defs = dg.Definitions.merge(build_definitions(), dg.Definitions(jobs=[own], sensors=[start_once]))
