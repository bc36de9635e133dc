"""Mappings go over to the newer file of their path, once one was archived."""

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from lakehouse_assets.archive.files import ArchivedFile
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.mapping.config import DatasetMapping
from lakehouse_assets.mapping.run import look_at
from lakehouse_assets.mapping.store import Mappings
from lakehouse_assets.operations.mapping_states import file_names, readable
from lakehouse_assets.operations.repositories import Repositories
from lakehouse_assets.storage.records import Written

log = logging.getLogger(__name__)

_RECORD = "mappings/followed"
"""Where it is kept which state of the archive was looked through."""


@dataclass(frozen=True)
class Followed:
    """A mapping that goes over from an earlier file to a newer one of the same path."""

    path: str
    earlier: str
    newer: str


def follow(mappings: Mappings, parts: Repositories) -> list[Followed]:
    """
    Give newer files the mappings of those before them at the same path.

    Left alone are mappings that are `pinned`, newer files that have one of their own, and those that lack a column
    which the earlier one has: they are told in the log. The archive is looked through only when it changed.
    """
    followers = [mapping for mapping in _current(mappings) if not mapping.pinned]
    version = parts.archive.version()
    record = parts.records.get(_RECORD)
    state = f"{version} {' '.join(mapping.content_hash for mapping in followers)}"
    if not followers or (record is not None and record.digest == state):
        return []
    names = {each.content_hash: file_names(parts.archive, each.content_hash) for each in followers}
    newest = _newest(parts, {name for found in names.values() for name in found})
    followed = []
    for mapping in followers:
        paths = names[mapping.content_hash]
        for path in paths:
            newer = newest[path].checksum
            if (
                newer != mapping.content_hash
                and not mappings.has(newer)
                and _fits(mapping, newer, path, parts)
            ):
                stays = any(newest[other].checksum == mapping.content_hash for other in paths)
                earlier = [] if stays else [mapping.content_hash, *mapping.replaces]
                mappings.put(mapping.with_changes(content_hash=newer, replaces=earlier))
                log.info("the mapping of %s goes over to its newer content %s", path, newer)
                followed.append(Followed(path, mapping.content_hash, newer))
    parts.records.put(_RECORD, Written(digest=state, size=0, rows=len(followed)))
    return followed


def _current(mappings: Mappings) -> Iterator[DatasetMapping]:
    """The mappings that can be read and were not replaced."""
    found = list(readable(mappings))
    replaced = {earlier for mapping in found for earlier in mapping.replaces}
    return (mapping for mapping in found if mapping.content_hash not in replaced)


def _newest(parts: Repositories, paths: Collection[str]) -> dict[str, ArchivedFile]:
    """The newest content of each path, by what its source said of its time."""
    newest: dict[str, ArchivedFile] = {}
    for file in parts.archive.files():
        known = newest.get(file.key)
        if file.key in paths and (known is None or _age(file) > _age(known)):
            newest[file.key] = file
    return newest


def _age(file: ArchivedFile) -> tuple[object, ...]:
    return file.updated_at, file.created_at, file.checksum


def _fits(mapping: DatasetMapping, newer: str, path: str, parts: Repositories) -> bool:
    """Whether a newer file can be read, and has all columns that the earlier one has."""
    try:
        missing = []
        for checksum in (mapping.content_hash, newer):
            with parts.archive.local_path(checksum) as local:
                missing.append({column.name for column in look_at(mapping, local, name=path)[1]})
    except LakehouseError as exc:
        log.warning("the mapping of %s stays with its earlier content: %s", path, exc)
        return False
    lacking = missing[1] - missing[0]
    if lacking:
        log.warning(
            "%s changed and has no column %s; its mapping stays behind", path, ", ".join(sorted(lacking))
        )
    return not lacking
