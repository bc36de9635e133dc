"""Snapshots of small documents, taken when they change."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from lakehouse_assets import layout
from lakehouse_assets.errors import NotFound
from lakehouse_assets.model.documents import to_json, to_yaml
from lakehouse_assets.model.times import iso_z, now_utc, to_utc
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.tags import Tags


@dataclass(frozen=True)
class Version:
    """A snapshot: of which document, taken when, and where it lies."""

    key: str
    at: datetime
    path: str


class Versions:
    """
    The versioned documents of a dataset.

    A write that changes nothing leaves no trace. Going back to an earlier content is a change.

    Example:
        >>> [version.at.year for version in dataset.versions.list("config.yml")]
        [2025, 2026]
        >>> dataset.versions.read("config.yml", datetime(2025, 12, 31))
        b'name: acme'
    """

    def __init__(self, location: Location, tags: Tags) -> None:
        self._location = location
        self._tags = tags

    def write(self, key: str, data: bytes, at: datetime | None = None) -> bool:
        """Write a document and its snapshot if it changed; whether it did."""
        at = to_utc(at or now_utc())
        digest_tag = layout.digest_tag(key, hashlib.sha256(data).hexdigest())
        changed = self._location.read_or_none(key) != data
        if changed:
            self._location.write(layout.snapshot(key, at), data)
            self._location.write(key, data)
        # the tags come last: where a crash left the document without them they are made up for here
        if changed or not self._tags.exists(digest_tag):
            self._tags.set(key, at)
            self._tags.set(digest_tag, at)
        return changed

    def make(self, path: str, model: BaseModel) -> bool:
        """Write a model as the YAML or JSON that the path says; whether it changed."""
        return self.write(path, to_json(model) if path.endswith(".json") else to_yaml(model))

    def list(self, key: str | None = None) -> list[Version]:
        """The snapshots of a document, or of all, the oldest first."""
        found = (version for version in self._all() if key in (None, version.key))
        return sorted(found, key=lambda version: (version.at, version.key))

    def at(self, key: str, when: datetime) -> Version:
        """The snapshot that was the newest at a time; NotFound names what there is instead."""
        found = self.of(key)
        earlier = [version for version in found if version.at <= to_utc(when)]
        if not earlier:
            url, first = self._location.url(key), iso_z(found[0].at)
            msg = f"{url} has no version as early as {iso_z(when)}; the first is of {first}"
            raise NotFound(msg)
        return earlier[-1]

    def of(self, key: str) -> Sequence[Version]:
        """The snapshots of one document, the oldest first; NotFound when there are none."""
        found = self.list()
        keys = sorted({version.key for version in found})
        if key not in keys:
            has = f"there are versions of {', '.join(keys)}" if keys else "none has been taken yet"
            msg = f"{self._location.url(key)} has no versions; {has}"
            raise NotFound(msg)
        return [version for version in found if version.key == key]

    def read(self, key: str, at: datetime) -> bytes:
        """The document as it was at a time; NotFound when it is younger than that."""
        # the path of a snapshot says its time: who knows it need not look through all
        data = self._location.read_or_none(layout.snapshot(key, to_utc(at)))
        return self._location.read(self.at(key, at).path) if data is None else data

    def size(self, version: Version) -> int:
        """The bytes of a snapshot."""
        size = self._location.size(version.path)
        if size is None:
            msg = f"{self._location.url(version.path)} is gone; `lakehouse versions` lists what is there"
            raise NotFound(msg)
        return size

    def _all(self) -> Iterator[Version]:
        for path in self._location.keys(layout.VERSIONS):
            yield from _parse(path, owner="", rest=path.removeprefix(f"{layout.VERSIONS}/"))
        # an older layout kept the versions of a mapping in the mapping's own folder
        between = f"/{layout.VERSIONS}/"
        for path in self._location.keys(layout.MAPPINGS):
            owner, found, rest = path.partition(between)
            if found:
                yield from _parse(path, owner=f"{owner}/", rest=rest)


def _parse(path: str, *, owner: str, rest: str) -> Iterator[Version]:
    """The version that a path below a versions folder is; none when it is something else."""
    parts = rest.split("/", 3)
    if len(parts) != 4:
        return
    try:
        yield Version(key=owner + parts[3], at=layout.parse_stamp(parts[2]), path=path)
    except ValueError:
        return
