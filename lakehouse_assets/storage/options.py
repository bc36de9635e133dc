"""Credentials and endpoints of an object store, in the words of fsspec and in those of delta-rs."""

import os
from collections.abc import Mapping

# fsspec's word, delta-rs's word
_WORDS = (
    ("key", "AWS_ACCESS_KEY_ID"),
    ("secret", "AWS_SECRET_ACCESS_KEY"),
    ("token", "AWS_SESSION_TOKEN"),
    ("endpoint_url", "AWS_ENDPOINT_URL"),
    ("region", "AWS_REGION"),
)
_TO_FSSPEC = {delta.lower(): fsspec for fsspec, delta in _WORDS} | {"aws_default_region": "region"}
_TO_DELTA = dict(_WORDS)


def for_s3fs(options: Mapping[str, str]) -> dict[str, object]:
    """The options as s3fs takes them; both vocabularies are understood."""
    named = {_TO_FSSPEC.get(name.lower(), name): value for name, value in options.items()}
    region = named.pop("region", None)
    known: dict[str, object] = {name: value for name, value in named.items() if not _only_delta(name)}
    if region:
        known["client_kwargs"] = {"region_name": region}
    return known


def for_delta(options: Mapping[str, str], environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    The options as delta-rs takes them.

    It knows the AWS_* variables itself, but neither fsspec's variable for the endpoint nor that a plain http
    endpoint is meant.

    Example:
        >>> for_delta({"key": "me", "endpoint_url": "http://store:9000"}, {})
        {'AWS_ACCESS_KEY_ID': 'me', 'AWS_ENDPOINT_URL': 'http://store:9000', 'AWS_ALLOW_HTTP': 'true'}
    """
    environ = os.environ if environ is None else environ
    known = {_TO_DELTA.get(name, name): value for name, value in options.items()}
    endpoint = known.get("AWS_ENDPOINT_URL") or environ.get("AWS_ENDPOINT_URL")
    if not endpoint and (endpoint := environ.get("FSSPEC_S3_ENDPOINT_URL")):
        known["AWS_ENDPOINT_URL"] = endpoint
    if endpoint and endpoint.startswith("http://"):
        known.setdefault("AWS_ALLOW_HTTP", "true")
    return known


def _only_delta(name: str) -> bool:
    return name.lower().startswith(("aws_", "allow_http"))
