"""Handing frames from step to step by checkpoints, so that a re-execution goes on where the last run failed."""

from abc import abstractmethod
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from lakehouse_assets.checkpoints import CheckpointScope, CheckpointStore, PolarsBackend, encoded
from lakehouse_assets.checkpoints.polars_backend import Compression
from lakehouse_assets.defs.correlation import correlation_id
from lakehouse_assets.defs.failures import explained
from lakehouse_assets.defs.resources import LakeResource
from lakehouse_assets.errors import InvalidData, NotFound

if TYPE_CHECKING:
    import polars as pl


class Checkpoints(dg.ConfigurableIOManager):
    """Keeps what steps return as checkpoints of their run and its re-executions."""

    @abstractmethod
    def store(self) -> "CheckpointStore[pl.LazyFrame]":
        """Where they are kept."""

    def handle_output(self, context: dg.OutputContext, obj: "pl.LazyFrame") -> None:
        """Keep the frame that a step returns; this is where it is computed."""
        run = context.step_context.dagster_run
        with explained():
            self.store().put(
                _name(context),
                run_id=run.run_id,
                correlation_id=correlation_id(run),
                scope=CheckpointScope.CORRELATION,
                data=obj,
            )

    def load_input(self, context: dg.InputContext) -> "pl.LazyFrame":
        """The frame that an earlier step returned, in this run or in one that this one re-executes."""
        run = context.step_context.dagster_run
        with explained():
            try:
                return self.store().get(_name(context), run_id=run.run_id, correlation_id=correlation_id(run))
            except NotFound as exc:
                raise NotFound(_explain(context, exc)) from exc


class CheckpointIOManager(Checkpoints):
    """
    Hands LazyFrames of polars from step to step by checkpoints in a folder.

    A run that is re-executed from failure reads what its earlier steps returned. For the steps of one job, and for
    assets that are always made together: what is to be read on its own later needs an IO manager that keeps it.

    Example:
        >>> @dg.op(out=dg.Out(io_manager_key="checkpoints"))
        ... def load() -> pl.LazyFrame:
        ...     return pl.scan_parquet("orders/*.parquet")
        >>> dg.Definitions(jobs=[...], resources={"checkpoints": CheckpointIOManager(root="data/checkpoints")})
    """

    root: str = Field(description="A folder, or a URL like s3://bucket/checkpoints.")
    storage_options: dict[str, str] = Field(
        default={},
        description="Credentials and endpoint of an object store; by default those of the environment.",
    )
    compression: Compression = Field(
        default="uncompressed", description="lz4 pays where the way to the store is slow."
    )

    def store(self) -> "CheckpointStore[pl.LazyFrame]":
        """The checkpoints in that folder."""
        return CheckpointStore(self.root, PolarsBackend(self.storage_options, compression=self.compression))


class LakeCheckpoints(Checkpoints):
    """Hands LazyFrames of polars from step to step by checkpoints in a lake."""

    lake: dg.ResourceDependency[LakeResource]

    def store(self) -> "CheckpointStore[pl.LazyFrame]":
        """The checkpoints of the lake."""
        return self.lake.open().checkpoints


def _name(context: dg.OutputContext | dg.InputContext) -> str:
    """The name of a checkpoint: the asset's and its partitions', or the step's and its output's."""
    if context.has_asset_key:
        partitions = context.asset_partition_keys if context.has_asset_partitions else ()
        # no step is called "", so that none is taken for an asset
        return encoded("", *context.asset_key.path, "", *partitions)
    output = context if isinstance(context, dg.OutputContext) else context.upstream_output
    if output is None:
        msg = f"the input {context.name!r} is the output of no step: give it an IO manager that can read it"
        raise InvalidData(msg)
    names = [output.step_key, output.name]
    return encoded(*names) if output.mapping_key is None else encoded(*names, output.mapping_key)


def _explain(context: dg.InputContext, exc: NotFound) -> str:
    """What to do about an input that is not there."""
    if not context.has_asset_key:
        return str(exc)
    asset = context.asset_key.to_user_string()
    return f"{exc}; checkpoints last for one run and its retries: materialise {asset} in the same run"
