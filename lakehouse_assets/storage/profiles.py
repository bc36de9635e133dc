"""What the files of AWS profiles say. boto reads them by itself, delta-rs does not."""

import os
from collections.abc import Container
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets.errors import StorageError
from lakehouse_assets.storage.answers import explain

# botocore takes 0.2 s to import: only where there are such files
if TYPE_CHECKING:
    from botocore.session import Session

_KEY, _SECRET, _TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
_ENDPOINT = "AWS_ENDPOINT_URL"
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_FILES = {"AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials", "AWS_CONFIG_FILE": "~/.aws/config"}
# delta-rs asks these machines by itself, and again when an answer expires
_MACHINES = ("container-role", "iam-role")


def of_profile(given: Container[str]) -> dict[str, str]:
    """
    Credentials, endpoint and region of the profile in use (AWS_PROFILE), in the words of delta-rs.

    Left out is what is `given` or stands in the environment. Keys of a role or a login are those of the moment.
    """
    files = tuple(os.environ.get(name, default) for name, default in _FILES.items())
    if not any(Path(file).expanduser().is_file() for file in files):
        return {}
    from botocore.exceptions import BotoCoreError

    try:
        session = _session(os.environ.get("AWS_PROFILE"), files)
        return {**_keys(session, given), **_place(session, given)}
    except BotoCoreError as exc:
        msg = f"the AWS profile cannot be used: {explain(exc)}"
        raise StorageError(msg) from exc


@lru_cache(maxsize=4)
def _session(_profile: str | None, _files: tuple[str, ...]) -> "Session":
    """Kept, because it renews what expires; another profile needs another one."""
    import botocore.session

    session = botocore.session.Session()
    for name in _MACHINES:
        session.get_component("credential_provider").remove(name)
    return session


def _keys(session: "Session", given: Container[str]) -> dict[str, str]:
    if _KEY in given or os.environ.get(_KEY):
        return {}
    credentials = session.get_credentials()
    if credentials is None:
        return {}
    keys = credentials.get_frozen_credentials()
    return {_KEY: keys.access_key, _SECRET: keys.secret_key} | ({_TOKEN: keys.token} if keys.token else {})


def _place(session: "Session", given: Container[str]) -> dict[str, str]:
    profile = session.get_scoped_config()
    found = {}
    if not any(name in given or os.environ.get(name) for name in _REGIONS):
        found["AWS_REGION"] = profile.get("region")
    if _ENDPOINT not in given and not os.environ.get(_ENDPOINT):
        services = session.full_config.get("services", {}).get(profile.get("services"), {})
        found[_ENDPOINT] = services.get("s3", {}).get("endpoint_url") or profile.get("endpoint_url")
    return {name: value for name, value in found.items() if value}
