"""Whether mappings ran as they are now, on which files, and which of them took the place of others."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lakehouse_assets import layout
from lakehouse_assets.archive.store import Archive
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.mapping.config import DatasetMapping, is_content_hash
from lakehouse_assets.mapping.store import Mappings
from lakehouse_assets.operations.repositories import Repositories

ORIGIN = "mapping:"
"""What the origin of mapped statements begins with; the checksum of the file follows."""

_FORMAT = "1"
"""Another one makes every mapping stale."""


@dataclass(frozen=True)
class MappingState:
    """
    The state of a mapping: whether it is `fresh`, and `why` in a sentence.

    `rows` are the statements that its last run made. `replaced_by` is the file whose mapping took its place; such a
    one is not run any more. `problem` says why a mapping cannot be read.
    """

    content_hash: str
    files: Sequence[str]
    fresh: bool
    why: str
    schemata: Sequence[str] = ()
    ran_at: datetime | None = None
    rows: int | None = None
    replaced_by: str | None = None
    problem: str | None = None


def origin_of(content_hash: str) -> str:
    """The origin of what the mapping of a file says."""
    return f"{ORIGIN}{content_hash}"


def sources_of(digest: str) -> dict[str, str]:
    """What a mapping with this digest makes its entities from; its file never changes."""
    return {"mapping": digest, "format": _FORMAT}


def mapping_state(parts: Repositories, content_hash: str) -> MappingState:
    """Whether a mapping is the one that last ran, by what was recorded; by tags where another program ran it."""
    target, key = layout.mapping_tag(content_hash), layout.mapping(content_hash)
    record, ran_at = parts.records.get(target), parts.tags.get(target)
    data = parts.location.read_or_none(key)
    if data is None:
        fresh, why = False, f"{key} is gone"
    elif record is not None:
        fresh = dict(record.source) == sources_of(hashlib.sha256(data).hexdigest())
        why = "it ran as it is now" if fresh else "it changed since it ran"
    elif ran_at is None:
        fresh, why = False, "it never ran"
    else:
        fresh = parts.tags.is_latest(target, [key])
        why = f"another program ran it, {'after' if fresh else 'before'} it changed"
    return MappingState(
        content_hash,
        file_names(parts.archive, content_hash),
        fresh,
        why,
        ran_at=record.written_at if record else ran_at,
        rows=record.rows if record else None,
    )


def file_names(archive: Archive, content_hash: str) -> list[str]:
    """The paths under which a file is archived; none for what is no checksum of one."""
    return [file.key for file in archive.get_all_files(content_hash)] if is_content_hash(content_hash) else []


def readable(mappings: Mappings) -> Iterator[DatasetMapping]:
    """The mappings that can be read; what is wrong with the others is told when they are run."""
    for content_hash in mappings.hashes():
        try:
            yield mappings.get(content_hash)
        except InvalidData:
            continue


def check_not_replaced(mappings: Mappings, mapping: DatasetMapping) -> None:
    """Refuse to run a mapping whose place another one took: InvalidData."""
    mine = mapping.content_hash
    for other in readable(mappings):
        if other.content_hash != mine and mine in other.replaces:
            msg = (
                f"the mapping of {mine} was replaced by that of {other.content_hash}, a newer file of the same path; "
                f"`lakehouse map add -d {mapping.dataset} MAPPING.yml --hash {mine}` takes it back"
            )
            raise InvalidData(msg)
