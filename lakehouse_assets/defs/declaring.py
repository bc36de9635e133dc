"""What all assets have in common."""

from collections.abc import Callable

import dagster as dg

from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.artifacts import Artifact
from lakehouse_assets.defs.automation import Condition, keep_latest
from lakehouse_assets.defs.failures import RETRY
from lakehouse_assets.defs.naming import Naming

Result = dg.MaterializeResult[None]
"""What an asset gives back: a data version and metadata. What it made lies in the lake already."""


def asset_of(
    naming: Naming, artifact: Artifact, *, kind: str, by_itself: Condition | None = None
) -> Callable[[Callable[..., Result]], dg.AssetsDefinition]:
    """
    Make the function below the asset of an artifact, with a partition for each dataset; `kind` is its tag.

    `by_itself` says when it is made without being asked for, by default when it is not the latest.
    """
    return dg.asset(
        key=naming.key(artifact.asset),
        deps=naming.keys(artifact.deps),
        partitions_def=naming.datasets,
        required_resource_keys={naming.resource},
        description=artifact.description,
        metadata=artifact.metadata,
        group_name=artifact.group,
        kinds=set(artifact.kinds),
        owners=artifacts.OWNERS,
        tags={"kind": kind},
        code_version=artifact.code_version,
        automation_condition=by_itself or keep_latest(naming),
        retry_policy=RETRY,
    )
