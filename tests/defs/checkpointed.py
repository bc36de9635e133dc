"""Jobs whose steps hand on frames by checkpoints; what they do is set by files in the folder WORK names."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl

from lakehouse_assets.defs.checkpoint_io import CheckpointIOManager

WORK = "CHECKPOINTED_WORK"
PARTITIONS = dg.StaticPartitionsDefinition(["eu", "u/s"])


def work() -> Path:
    return Path(os.environ[WORK])


def did(what: str) -> None:
    """Note that a step was at work."""
    with open(work() / "did", "a") as file:
        print(what, file=file)


def fail_if_told() -> None:
    if (work() / "die").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if (work() / "fail").exists():
        raise ZeroDivisionError("told to fail")


def checkpoints() -> CheckpointIOManager:
    return CheckpointIOManager(root=str(work() / "checkpoints"))


@dg.op
def load() -> pl.LazyFrame:
    did("load")
    return pl.LazyFrame({"id": [1, 2, 3]})


@dg.op
def double(frame: pl.LazyFrame) -> pl.LazyFrame:
    did("double")
    return frame.with_columns(pl.col("id") * 2)


@dg.op
def total(frame: pl.LazyFrame) -> None:
    did("total")
    fail_if_told()
    (work() / "total").write_text(str(frame.sum().collect().item()))


@dg.op(out=dg.DynamicOut())
def split() -> Iterator[dg.DynamicOutput[pl.LazyFrame]]:
    did("split")
    for key in ("a", "b"):
        yield dg.DynamicOutput(pl.LazyFrame({"id": [ord(key)]}), mapping_key=key)


@dg.op
def total_of_all(frames: list[pl.LazyFrame]) -> None:
    total_of = pl.concat(frames).sum()
    did("total")
    fail_if_told()
    (work() / "total").write_text(str(total_of.collect().item()))


@dg.op
def no_frame() -> int:
    return 1


@dg.op
def wants_one(number: int) -> None:
    did("wants_one")


def chain() -> dg.JobDefinition:
    @dg.job(resource_defs={"io_manager": checkpoints()}, executor_def=dg.in_process_executor)
    def chain() -> None:
        total(double(load()))

    return chain


def in_processes() -> dg.JobDefinition:
    @dg.job(resource_defs={"io_manager": checkpoints()}, executor_def=dg.multiprocess_executor)
    def in_processes() -> None:
        total(double(load()))

    return in_processes


def fan() -> dg.JobDefinition:
    @dg.job(resource_defs={"io_manager": checkpoints()}, executor_def=dg.in_process_executor)
    def fan() -> None:
        total_of_all(split().map(double).collect())

    return fan


def wrong() -> dg.JobDefinition:
    @dg.job(resource_defs={"io_manager": checkpoints()}, executor_def=dg.in_process_executor)
    def wrong() -> None:
        wants_one(no_frame())

    return wrong


@dg.asset(partitions_def=PARTITIONS)
def orders(context: dg.AssetExecutionContext) -> pl.LazyFrame:
    did("orders")
    return pl.LazyFrame({"id": [len(context.partition_key)]})


@dg.asset(partitions_def=PARTITIONS)
def summary(orders: pl.LazyFrame) -> pl.LazyFrame:
    did("summary")
    fail_if_told()
    return orders.sum()


def assets() -> dg.JobDefinition:
    defs = dg.Definitions(
        assets=[orders, summary],
        jobs=[dg.define_asset_job("assets", selection="*", partitions_def=PARTITIONS)],
        resources={"io_manager": checkpoints()},
        executor=dg.in_process_executor,
    )
    return defs.resolve_job_def("assets")
