"""A lake on S3, with credentials from Dagster. Importing this takes 5 s: only lakes on S3 do."""

from dagster_aws.s3 import S3Resource
from pydantic import Field

from lakehouse_assets.defs.resources import LakeResource


class S3LakeResource(LakeResource):
    """A lake in a bucket; what `s3` leaves open is taken from the environment, as boto3 does."""

    s3: S3Resource = Field(description="Region, endpoint and credentials.")

    def storage_options(self) -> dict[str, str]:
        """Credentials and endpoint in the words that fsspec and delta-rs are given."""
        named = {
            "key": self.s3.aws_access_key_id,
            "secret": self.s3.aws_secret_access_key,
            "token": self.s3.aws_session_token,
            "endpoint_url": self.s3.endpoint_url,
            "region": self.s3.region_name,
        }
        return {name: value for name, value in named.items() if value}
