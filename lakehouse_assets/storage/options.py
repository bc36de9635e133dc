"""Credentials and endpoints of an object store, in the words of fsspec and in those of delta-rs and polars."""

import os
from collections.abc import Mapping

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.storage.profiles import of_profile

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

TRIES = 4
"""How often a request is made before its failure counts; the pauses between grow up to four seconds."""

TIMEOUT = "timeout"
"""The option that says how long to wait for an answer, in seconds."""

CONNECT_TIMEOUT = "connect_timeout"
MAX_RETRIES = "max_retries"
"""The option that says how often a request is made again."""

_DEFAULTS = {TIMEOUT: 30.0, CONNECT_TIMEOUT: 10.0}


def for_s3fs(options: Mapping[str, str], environ: Mapping[str, str] | None = None) -> dict[str, object]:
    """
    The options as s3fs takes them; both vocabularies are understood.

    boto knows the AWS_* variables itself, all but AWS_REGION.
    """
    environ = os.environ if environ is None else environ
    named = {_TO_FSSPEC.get(name.lower(), name): value for name, value in options.items()}
    region = named.pop("region", None) or _region(environ)
    known: dict[str, object] = {
        name: value for name, value in named.items() if not _only_delta(name) and name not in _DEFAULTS
    }
    if region:
        known["client_kwargs"] = {"region_name": region}
    known["config_kwargs"] = {
        "connect_timeout": _seconds(options, CONNECT_TIMEOUT),
        "read_timeout": _seconds(options, TIMEOUT),
        "retries": {"mode": "standard", "total_max_attempts": _tries(environ, options)},
    }
    return known


def for_delta(options: Mapping[str, str], environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """
    The options as delta-rs takes them.

    It knows the AWS_* variables itself, but neither fsspec's variable for the endpoint, nor the files of AWS
    profiles, nor that a plain http endpoint is meant.

    Example:
        >>> found = for_delta({"key": "me", "endpoint_url": "http://store:9000"}, {})
        >>> found["AWS_ENDPOINT_URL"], found["AWS_ALLOW_HTTP"]
        ('http://store:9000', 'true')
    """
    given_none = environ is None
    environ = os.environ if environ is None else environ
    known = {_TO_DELTA.get(name, name): value for name, value in options.items()}
    known |= {name: f"{_seconds(options, name):g}s" for name in _DEFAULTS}
    # it makes one more try than there are retries
    known.setdefault(MAX_RETRIES, str(_tries(environ, options) - 1))
    # what s3fs prefers to the plain variable; delta-rs does not know them
    special = environ.get("FSSPEC_S3_ENDPOINT_URL") or environ.get("AWS_ENDPOINT_URL_S3")
    if special:
        known.setdefault("AWS_ENDPOINT_URL", special)
    if given_none:
        known |= of_profile(known)
    endpoint = known.get("AWS_ENDPOINT_URL") or environ.get("AWS_ENDPOINT_URL")
    if endpoint and endpoint.startswith("http://"):
        known.setdefault("AWS_ALLOW_HTTP", "true")
    return known


def for_polars(options: Mapping[str, str], environ: Mapping[str, str] | None = None) -> dict[str, str | int]:
    """
    The options as polars takes them: those of delta-rs, but the number of retries is one.

    Example:
        >>> for_polars({"key": "me"}, {})["max_retries"]
        3
    """
    known: dict[str, str | int] = {**for_delta(options, environ)}
    return known | {MAX_RETRIES: _retries(str(known[MAX_RETRIES]))}


def _seconds(options: Mapping[str, str], name: str) -> float:
    text = options.get(name)
    if text is None:
        return _DEFAULTS[name]
    try:
        return float(str(text).removesuffix("s"))
    except ValueError as exc:
        msg = f"the storage option {name}={text!r} is no number of seconds; write for example 30"
        raise InvalidData(msg) from exc


def _retries(text: str) -> int:
    if not text.isdigit():
        msg = f"the storage option {MAX_RETRIES}={text!r} is no number; write for example 3"
        raise InvalidData(msg)
    return int(text)


def _tries(environ: Mapping[str, str], options: Mapping[str, str]) -> int:
    given = options.get(MAX_RETRIES)
    if given is not None:
        return _retries(str(given)) + 1
    text = environ.get("AWS_MAX_ATTEMPTS", "")
    return max(1, int(text)) if text.isdigit() else TRIES


def _region(environ: Mapping[str, str]) -> str | None:
    return None if environ.get("AWS_DEFAULT_REGION") else environ.get("AWS_REGION")


def _only_delta(name: str) -> bool:
    return name.lower().startswith(("aws_", "allow_http", "max_retries", "retry_timeout"))
