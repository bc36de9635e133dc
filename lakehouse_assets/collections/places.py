"""Where collections lie, and how to get there."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.storage.location import Location

Uri = str | Path | Location | Sequence[str | Path]
"""A folder, a URL, or two of them: a cache, and where everything lies."""

# what a URL may say behind a question mark, in the words of lakota and of boto
_OPTIONS = {
    "key": "key", "secret": "secret", "token": "token", "endpoint_url": "endpoint_url", "region": "region",
    "region_name": "region", "aws_access_key_id": "key", "aws_secret_access_key": "secret",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A folder, and a nearer one where what is read of it is kept."""

    location: Location
    cache: Location | None = None

    def __truediv__(self, key: str) -> "Place":
        return Place(self.location / key, self.cache / key if self.cache is not None else None)


def place_of(uri: Uri | None, storage_options: Mapping[str, str] | None = None) -> Place:
    """
    The place that is meant; without one, a new one in memory.

    Of a list the first is a cache and the second where everything lies. Keys and secrets in a URL become options.
    """
    if uri is None:
        return Place(Location(f"memory://collections-{uuid.uuid4().hex}"))
    if isinstance(uri, Location):
        return Place(uri)
    if isinstance(uri, str | Path):
        return Place(_location(str(uri), storage_options))
    if len(uri) == 1:
        return place_of(uri[0], storage_options)
    if len(uri) != 2:
        msg = f"give one place, or two: a cache, and where everything lies; not {len(uri)}"
        raise InvalidData(msg)
    cache, origin = (_location(str(each), storage_options) for each in uri)
    if cache == origin:
        msg = f"the cache lies where everything lies, at {origin.uri}; give it a folder of its own"
        raise InvalidData(msg)
    return Place(origin, cache)


def _location(uri: str, storage_options: Mapping[str, str] | None) -> Location:
    plain, told = _apart(uri)
    return Location(plain, {**(storage_options or {}), **told})


def _apart(uri: str) -> tuple[str, dict[str, str]]:
    """The URL without what is secret in it, and that as options."""
    if not uri.startswith(("s3://", "s3a://")):
        return uri, {}
    parts = urlsplit(uri)
    user, _, host = parts.netloc.rpartition("@")
    told = {}
    if user:
        key, _, secret = user.partition(":")
        told = {"key": unquote(key), "secret": unquote(secret)}
    for name, value in parse_qsl(parts.query):
        if name not in _OPTIONS:
            # the value may be a secret
            msg = f"an address takes no {name!r}; give it by storage_options"
            raise InvalidData(msg)
        told[_OPTIONS[name]] = value
    return f"s3://{f'{host}{parts.path}'.strip('/')}", told
