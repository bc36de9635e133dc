"""The building block for a Dagster project of one's own: `type: lakehouse_assets.LakehouseComponent` in a defs.yaml."""

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from lakehouse_assets.defs.build import build_definitions

if TYPE_CHECKING:
    from dagster_aws.s3 import S3Resource


class S3Access(dg.Model, dg.Resolvable):
    """How to get at a lake in a bucket; what is left out boto3 finds by itself."""

    region_name: str | None = Field(default=None, description="The bucket's region.")
    endpoint_url: str | None = Field(default=None, description="Of a store that is not Amazon's.")
    key_variable: str | None = Field(
        default=None, description="The environment variable that holds the access key's id."
    )
    secret_variable: str | None = Field(
        default=None, description="The environment variable that holds the secret key."
    )

    def resource(self) -> "S3Resource":
        """The same for Dagster, which shows the variables' names and not what they hold."""
        # takes seconds to load, and only lakes on S3 need it
        from dagster_aws.s3 import S3Resource

        key, secret = self.key_variable, self.secret_variable
        return S3Resource(
            region_name=self.region_name,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=dg.EnvVar(key) if key else None,
            aws_secret_access_key=dg.EnvVar(secret) if secret else None,
        )


class LakehouseComponent(dg.Component, dg.Model, dg.Resolvable):
    """
    A FollowTheMoney lake: archive, mappings, statements, exports and index of each dataset as assets.

    Checks, jobs, schedules and sensors come along; sensors and schedules run by default.

    Example:
        >>> LakehouseComponent(uri="s3://bucket/leaks", key_prefix=["leaks"])  # doctest: +SKIP
    """

    uri: str | None = Field(
        default=None,
        description="A folder, relative to the project's, or a URL like s3://bucket/lake. LAKEHOUSE_URI by default.",
    )
    key_prefix: list[str] = Field(
        default=[],
        description="What the keys of all assets begin with. Each lake of a project needs one of its own.",
    )
    s3: S3Access | None = Field(default=None, description="How to get at a lake in a bucket.")
    in_process: bool = Field(
        default=True,
        description="Run the steps of a run in one process, also those of the project's other assets: a process for "
        "each takes seconds to start. Off where the project has an executor of its own.",
    )
    stages: list[str] | None = Field(
        default=None,
        description="Names of modules with the stages of jobs, like my_project.stages. LAKEHOUSE_STAGES by default.",
    )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Everything Dagster shows of the lake."""
        uri = self.uri
        if uri is not None and "://" not in uri:
            uri = str(context.project_root / Path(uri).expanduser())
        s3 = self.s3.resource() if self.s3 is not None else None
        return build_definitions(
            uri, key_prefix=self.key_prefix, s3=s3, in_process=self.in_process, stages=self.stages
        )
