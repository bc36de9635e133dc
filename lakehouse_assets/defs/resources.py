"""The lake as a resource."""

from typing import Protocol

import dagster as dg
from pydantic import Field

from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.lake import Lake


class LakeResource(dg.ConfigurableResource[Lake]):
    """
    A lake: a folder or an object store's bucket that holds datasets.

    Example:
        >>> LakeResource(uri="data").open().datasets()  # doctest: +SKIP
        ['energy_owners', 'eu_bodies']
    """

    uri: str = Field(
        description="A folder, relative to where Dagster was started, or a URL like s3://bucket/lake."
    )

    def open(self) -> Lake:
        """The lake itself; what is asked of it is done here, whoever else is named as a Dagster to delegate to."""
        return Lake(self.uri, self.storage_options()).here()

    def storage_options(self) -> dict[str, str]:
        """Credentials and endpoint of an object store; empty when the environment says it all."""
        return {}


class _HasResources(Protocol):
    """A context of an asset, a check, an op, a sensor or a schedule."""

    @property
    def resources(self) -> object: ...


def open_lake(context: _HasResources, naming: Naming) -> Lake:
    """The lake that this part of the graph belongs to."""
    resource = getattr(context.resources, naming.resource)
    if not isinstance(resource, LakeResource):
        msg = f"the resource {naming.resource!r} must be a LakeResource, not {type(resource).__name__}"
        raise dg.DagsterInvalidDefinitionError(msg)
    return resource.open()


def not_mounted(lake: Lake) -> str | None:
    """Why there is no lake to look at, None where there is one: a disk that is not mounted is no empty lake."""
    path = lake.location.path
    return f"no folder {path}" if path is not None and not path.is_dir() else None


def makes(context: dg.AssetExecutionContext, naming: Naming, asset: str) -> bool:
    """Whether the run makes an asset, too."""
    return naming.key(asset) in context.job_def.asset_layer.executable_asset_keys
