"""Collections of other lakes as assets: a run brings one from there, or there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.collection_assets import GROUP
from lakehouse_assets.defs.declaring import Result
from lakehouse_assets.defs.failures import RETRY, explained
from lakehouse_assets.defs.metadata import Metadata
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.numbers import human_size
from lakehouse_assets.defs.report import report_dataset, report_removal
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.defs.shared_names import at_remote
from lakehouse_assets.defs.sync_work import Direction, Moved, Resolve, move
from lakehouse_assets.errors import Diverged, NotFound
from lakehouse_assets.lake import Lake

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

PULL = "sync_pull"
PUSH = "sync_push"
PULL_JOB = "pull"
PUSH_JOB = "push"

_WHAT: dict[Direction, str] = {
    "pull": "**What other lakes have, brought here:** a partition for each collection of each lake that "
    "LAKEHOUSE_REMOTES names.",
    "push": "**What is here, brought to other lakes:** a partition for each collection of this lake, to each lake that "
    "LAKEHOUSE_REMOTES names.",
}
_HOW = (
    " Files are brought that are missing, each compared with its digest, then versions, and last what makes them seen; "
    "a run that was killed is gone on with by the next one. Only what is ahead is brought: where both sides changed, "
    "the run fails and nothing is changed, until `resolve` in the run config says what is to count.\n\nThe data "
    "version is that of the copy.\n\nLies at `.lakehouse/collections/<id>`, or `<dataset>`, in "
)


class SyncConfig(dg.Config):
    """How to bring it."""

    resolve: Resolve = Field(
        default="refuse",
        description="What is to become of what both sides changed. refuse: fail. ours, theirs: keep both sides' "
        "changes, and the rows of this lake (or of the other one) where both changed the same. union: of datasets, all "
        "statements of both.",
    )
    shallow: bool = Field(default=False, description="Bring the newest version alone.")


def sync_assets(naming: Naming) -> list[dg.AssetsDefinition]:
    """Pulls and pushes."""
    return [
        _sync(naming, PULL, naming.pulls, "pull", "the lake"),
        _sync(naming, PUSH, naming.pushes, "push", "the other lake"),
    ]


def sync_jobs(naming: Naming) -> "list[UnresolvedAssetJobDefinition]":
    """Pulls and pushes as jobs of their own, without the checks."""
    return [
        dg.define_asset_job(
            naming.name(name),
            selection=dg.AssetSelection.assets(naming.key(asset)).without_checks(),
            partitions_def=partitions,
            description=description,
            tags={"kind": "sync"},
        )
        for name, asset, partitions, description in (
            (PULL_JOB, PULL, naming.pulls, "Brings a collection of another lake here."),
            (PUSH_JOB, PUSH, naming.pushes, "Brings a collection of this lake to another one."),
        )
    ]


def _sync(
    naming: Naming, asset: str, partitions: dg.DynamicPartitionsDefinition, direction: Direction, place: str
) -> dg.AssetsDefinition:
    @dg.asset(
        key=naming.key(asset),
        partitions_def=partitions,
        required_resource_keys={naming.resource},
        description=f"{_WHAT[direction]}{_HOW}{place}.",
        group_name=GROUP,
        kinds={"deltalake", "file"},
        owners=artifacts.OWNERS,
        tags={"kind": "sync"},
        code_version="1",
        retry_policy=RETRY,
    )
    def sync(context: dg.AssetExecutionContext, config: SyncConfig) -> Result:
        remote, shared = at_remote(context.partition_key)
        with explained(), _resolvable(naming.op(asset), "union" if shared.is_dataset else "ours"):
            lake = open_lake(context, naming)
            moved = move(
                lake,
                lake.remote(remote),
                shared,
                direction=direction,
                resolve=config.resolve,
                shallow=config.shallow,
            )
            if direction == "pull" and shared.is_dataset:
                _tell(context.instance, lake, shared.label, naming)
        for name in moved.quarantined:
            context.log.warning(
                f"{name} is damaged {'there' if direction == 'pull' else 'here'}; it is in quarantine"
            )
        context.log.info(
            f"{shared.label}: {moved.why}; {moved.blobs_moved:,} files, {human_size(moved.bytes_moved)}"
        )
        return dg.MaterializeResult(data_version=dg.DataVersion(moved.version), metadata=of_moved(moved))

    return sync


def _tell(instance: dg.DagsterInstance, lake: Lake, name: str, naming: Naming) -> None:
    """Show a dataset that was brought here as it is now."""
    try:
        dataset = lake.dataset(name)
    except NotFound:
        report_removal(instance, name, naming=naming)
    else:
        report_dataset(instance, dataset, naming=naming)


@contextmanager
def _resolvable(op: str, how: Resolve) -> Iterator[None]:
    """Of what both sides changed, fail with the run config that resolves it; a retry would not help."""
    try:
        yield
    except Diverged as exc:
        config = f"ops:\n  {op}:\n    config:\n      resolve: {how}"
        raise dg.Failure(
            description=f"{exc}. In Dagster: launch this partition again with `resolve: {how}` in the config of {op}",
            metadata={
                "error": dg.MetadataValue.text(type(exc).__name__),
                "collections": dg.MetadataValue.json(list(exc.labels)),
                "run_config": dg.MetadataValue.md(
                    f"```yaml\n{config}\n```\n\nor `theirs`; of datasets, `union`, too"
                ),
            },
            allow_retries=False,
        ) from exc


def of_moved(moved: Moved) -> Metadata:
    """What was brought."""
    found: Metadata = {
        "state": dg.MetadataValue.text(moved.state),
        "why": dg.MetadataValue.text(moved.why),
        "blobs_moved": dg.MetadataValue.int(moved.blobs_moved),
        "blobs_skipped": dg.MetadataValue.int(moved.blobs_skipped),
        "bytes_moved": dg.MetadataValue.int(moved.bytes_moved),
        "size": dg.MetadataValue.text(human_size(moved.bytes_moved)),
        "versions": dg.MetadataValue.int(moved.versions),
        "seconds": dg.MetadataValue.float(round(moved.seconds, 3)),
    }
    if moved.quarantined:
        found["quarantined"] = dg.MetadataValue.json(list(moved.quarantined))
    return found
