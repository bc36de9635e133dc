"""States in Dagster: an asset goes on where its last run got to, and a check tells of one that was left half done."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from lakehouse_assets.defs.failures import explained
from lakehouse_assets.defs.resources import LakeResource
from lakehouse_assets.errors import StateCorrupt
from lakehouse_assets.state import StateData, StateStore

Metadata = dict[str, dg.MetadataValue]

UNFINISHED = "unfinished_state"
"""The name of the check."""


@dataclass(frozen=True)
class StateSession:
    """The state of a job while an asset does it."""

    store: StateStore
    state: StateData

    def update(self) -> None:
        """Write how far it got; call it after the data up to here is committed."""
        self.store.update(self.state)

    @property
    def metadata(self) -> Metadata:
        """Which state it is, for the asset's page."""
        return {
            "state_job": dg.MetadataValue.text(self.state.job),
            "state_generation": dg.MetadataValue.int(self.state.generation),
            "state_hash": dg.MetadataValue.text(self.state.hash),
        }


class StateResource(dg.ConfigurableResource[StateStore]):
    """
    How far jobs got, kept beside the data they make: in the dataset that an asset's partition names, else in the lake.

    Example:
        >>> @dg.asset(partitions_def=dg.DynamicPartitionsDefinition(name="dataset"))
        ... def orders(context: dg.AssetExecutionContext, states: StateResource) -> dg.MaterializeResult:
        ...     with states.session(context, "orders") as session:
        ...         for rows, last_id in read_after(session.state.get("last_id", 0)):
        ...             commit(rows)
        ...             session.state["last_id"] = last_id
        ...             session.update()
        ...     return dg.MaterializeResult(metadata=session.metadata)
    """

    lake: dg.ResourceDependency[LakeResource]

    def store(self, dataset: str | None = None) -> StateStore:
        """The states of a dataset, those of the lake itself without one."""
        lake = self.lake.open()
        return lake.dataset(dataset).states if dataset is not None else lake.states

    @contextmanager
    def session(
        self,
        context: dg.AssetExecutionContext | dg.OpExecutionContext,
        job: str,
        *,
        dataset: str | None = None,
        commit: bool = True,
    ) -> Iterator[StateSession]:
        """
        The state of a job, which is completed when the block ends well, unless `commit` is off.

        When the block fails, what it wrote by `update` stays, and the next run goes on from there. `dataset` is that of
        the run's partition, if it has one.
        """
        with explained():
            if dataset is None and context.has_partition_key:
                dataset = context.partition_key
            store = self.store(dataset)
            with store.session(job, commit, run_id=context.run_id) as state:
                yield StateSession(store, state)


def build_state_check(
    asset: dg.AssetsDefinition | dg.AssetKey | str,
    *,
    job: str,
    partitions_def: dg.PartitionsDefinition[str] | None = None,
    resource: str = "states",
) -> dg.AssetChecksDefinition:
    """
    A check that warns of a state that was left half done by a run that is over.

    Args:
        asset: The asset that does the job.
        job: The name of the job, as its asset opens the session.
        partitions_def: The asset's partitions, by dataset; None when its state is the lake's.
        resource: The key of the StateResource.
    """

    @dg.asset_check(
        asset=asset,
        name=UNFINISHED,
        description="Did the last run that wrote the job's state complete it? The next run goes on where it was left.",
        partitions_def=partitions_def,
        required_resource_keys={resource},
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        states: StateResource = getattr(context.resources, resource)
        with explained():
            store = states.store(context.partition_key if context.has_partition_key else None)
            return _look(store, job, context.instance)

    return check


def _look(store: StateStore, job: str, instance: dg.DagsterInstance) -> dg.AssetCheckResult:
    try:
        state = store.get_or_create(job)
    except StateCorrupt as exc:
        return dg.AssetCheckResult(passed=False, description=str(exc))
    run = instance.get_run_by_id(state.run_id) if state.run_id else None
    works = run is not None and not run.is_finished
    left = state.interrupted and not works
    return dg.AssetCheckResult(
        passed=not left,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{job} was left half done at {state.updated_at}; run it again" if left else None,
        metadata={
            **StateSession(store, state).metadata,
            "status": state.status,
            "updated_at": state.updated_at,
            "written_by": dg.MetadataValue.dagster_run(state.run_id) if run is not None else state.run_id,
        },
    )
