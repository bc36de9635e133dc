"""The mappings of a dataset, one for each archived table."""

import hashlib
from dataclasses import dataclass

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.mapping.config import DatasetMapping, is_content_hash
from lakehouse_assets.mapping.loading import load_mapping
from lakehouse_assets.mapping.problems import check_mapping
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.versions import Versions


@dataclass(frozen=True)
class MappingFile:
    """A mapping as it lies there, with the SHA-256 and the size of its bytes."""

    mapping: DatasetMapping
    digest: str
    size: int


class Mappings:
    """
    The mappings of a dataset, named by the checksum of the file that each one reads.

    Example:
        >>> mapping = dataset.mappings.get(content_hash)
        >>> dataset.mappings.put(mapping.with_changes(queries=queries))
        True
    """

    def __init__(self, location: Location, versions: Versions, *, dataset: str) -> None:
        self._location = location
        self._versions = versions
        self._dataset = dataset

    def hashes(self) -> list[str]:
        """The checksums of all files that have a mapping, sorted."""
        names = filter(is_content_hash, self._location.folders(layout.MAPPINGS))
        return [name for name in names if self._location.exists(layout.mapping(name))]

    def has(self, content_hash: str) -> bool:
        """Whether a file has a mapping."""
        return self._location.exists(layout.mapping(self._checked(content_hash)))

    def list(self) -> list[DatasetMapping]:
        """All mappings, by checksum; InvalidData when one of them cannot be used."""
        return [self.get(content_hash) for content_hash in self.hashes()]

    def get(self, content_hash: str) -> DatasetMapping:
        """The mapping of a file; NotFound without one, InvalidData with the places of all that is wrong with it."""
        return self.read(content_hash).mapping

    def read(self, content_hash: str) -> MappingFile:
        """The same with what tells it from another."""
        key = layout.mapping(self._checked(content_hash))
        data = self._location.read_or_none(key)
        if data is None:
            raise self._not_found(content_hash)
        # the folder that it lies in says what it is for
        names = {"dataset": self._dataset, "content_hash": content_hash}
        mapping = load_mapping(data, self._location.url(key), **names)
        return MappingFile(mapping, hashlib.sha256(data).hexdigest(), len(data))

    def put(self, mapping: DatasetMapping) -> bool:
        """Keep a mapping, and a snapshot of it if it changed; whether it did. InvalidData when it cannot be run."""
        key = layout.mapping(mapping.content_hash)
        if mapping.dataset != self._dataset:
            msg = f"the mapping is for the dataset {mapping.dataset!r}, not for {self._dataset!r}; change it there"
            raise InvalidData(msg)
        check_mapping(mapping, self._location.url(key))
        return self._versions.write(key, mapping.to_yaml())

    def find(self, digits: str) -> str:
        """The checksum of a mapped file that begins with these digits; NotFound or InvalidData otherwise."""
        found = [name for name in self.hashes() if name.startswith(digits.lower())]
        if not found:
            raise self._not_found(digits)
        if len(found) > 1:
            msg = f"{len(found)} mappings begin with {digits}: {', '.join(found[:3])}; give more digits"
            raise InvalidData(msg)
        return found[0]

    def _checked(self, content_hash: str) -> str:
        if not is_content_hash(content_hash):
            msg = f"not the checksum of a file: {content_hash!r}; `lakehouse map ls -d {self._dataset}` lists them"
            raise InvalidData(msg)
        return content_hash

    def _not_found(self, content_hash: str) -> NotFound:
        name = self._dataset
        return NotFound(
            f"{name} has no mapping of {content_hash}; `lakehouse map ls -d {name}` lists those there are, "
            f"`lakehouse map add -d {name} MAPPING.yml --hash HASH` adds one"
        )
