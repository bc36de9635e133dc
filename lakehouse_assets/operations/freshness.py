"""Whether an artifact is fresh, and why not: by content first, by tags only where nothing was recorded."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lakehouse_assets import layout
from lakehouse_assets.exports.base import Export
from lakehouse_assets.exports.index import listed_deltas
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.operations.findings import Row
from lakehouse_assets.operations.repositories import Repositories
from lakehouse_assets.storage.records import Written

# SHA-256 digests, and the ids of tables
_LONG = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b")
_DIGITS = 8

STATEMENT_TAGS = (
    layout.TAG_STATEMENTS_UPDATED,
    layout.TAG_JOURNAL_UPDATED,
    layout.TAG_STATEMENTS_OPTIMIZED,
)
"""What an export of the statements must be newer than, for programs that go by tags."""

INDEX_TAGS = (
    layout.CONFIG,
    layout.STATISTICS,
    layout.ENTITIES,
    layout.DOCUMENTS,
    layout.EXPORT_STATEMENTS,
)


@dataclass(frozen=True)
class Freshness:
    """
    The state of an artifact.

    `made_from` and `current` name its sources with their versions, as recorded and as they are now; `rows`, `bytes`
    and `digest` are those of the file, `why` is one sentence for people. `version` tells one content of the file from
    another: the digest, and where another program wrote it, its size and time; None without a file.
    """

    artifact: str
    fresh: bool
    why: str
    made_from: Mapping[str, str]
    current: Mapping[str, str]
    path: str
    written_at: datetime | None = None
    rows: int | None = None
    bytes: int | None = None
    digest: str | None = None
    version: str | None = None

    def compared(self) -> list[Row]:
        """Each source: what the artifact was made from, and what is there now."""
        return [
            {
                "source": name,
                "made from": _short(self.made_from.get(name)),
                "now": _short(self.current.get(name)),
                "changed": "yes" if self.made_from.get(name) != self.current.get(name) else "no",
            }
            for name in dict.fromkeys([*self.current, *self.made_from])
        ]


def freshness_of(
    export: Export,
    parts: Repositories,
    *,
    content_version: str | None = None,
    public_url_prefix: str | None = None,
) -> Freshness:
    """The state of one export; nothing of it is read but its size."""
    path = path_of(export, parts)
    current = sources_of(export, parts, content_version=content_version, public_url_prefix=public_url_prefix)
    record = parts.records.get(export.target)
    size = parts.location.size(path)
    fresh, why = _verdict(export, parts, record, size, current, path)
    return Freshness(
        artifact=export.name,
        fresh=fresh,
        why=why,
        made_from=dict(record.source) if record else {},
        current=current,
        path=path,
        written_at=record.written_at if record else parts.tags.get(export.target),
        rows=record.rows if record and size is not None else None,
        bytes=size,
        digest=record.digest if record and size is not None else None,
        version=_version(parts, path, record, size),
    )


def sources_of(
    export: Export,
    parts: Repositories,
    *,
    content_version: str | None = None,
    public_url_prefix: str | None = None,
) -> dict[str, str]:
    """What an export would be made from now, with versions and digests."""
    sources = {"format": str(export.version)}
    if export.name == "index":
        sources["config"] = config_digest(parts)
        sources.update(listed_files(parts))
    else:
        sources["statements"] = content_version or parts.store.content_version()
    if export.is_published:
        view = parts.view(public_url_prefix=public_url_prefix)
        sources["public_url_prefix"] = view.public_url_prefix or ""
    return sources


def config_digest(parts: Repositories) -> str:
    """The SHA-256 of config.yml."""
    return hashlib.sha256(parts.location.read(layout.CONFIG)).hexdigest()


def listed_files(parts: Repositories) -> dict[str, str]:
    """The files that the index lists, each with its recorded digest; with size and time where others wrote it."""
    found = {}
    for export in EXPORTS.values():
        if export.name == "index":
            continue
        for target in export.targets:
            path = layout.compressed(target, parts.config().compression if export.is_compressed else None)
            size = parts.location.size(path)
            if size is None:
                continue
            found[target] = str(_version(parts, path, parts.records.get(target), size))
    deltas = listed_deltas(parts.location, parts.records)
    if deltas is not None:
        found[layout.DELTA_INDEX] = hashlib.sha256(deltas).hexdigest()
    return found


def _version(parts: Repositories, path: str, record: Written | None, size: int | None) -> str | None:
    """The digest of a file as it was recorded; of one that somebody else wrote its size and time, None without it."""
    if size is None:
        return None
    if record is not None and record.size == size and record.path == path:
        return record.digest
    return f"{size} bytes of {parts.location.modified(path)}"


def path_of(export: Export, parts: Repositories) -> str:
    """The file of an export, with the suffix of its compression."""
    return layout.compressed(export.target, parts.config().compression if export.is_compressed else None)


def tags_of(export: Export) -> Sequence[str]:
    """The tags that an export's tag must be newer than."""
    return INDEX_TAGS if export.name == "index" else STATEMENT_TAGS


def _short(value: str | None) -> str:
    """A version as people tell it from another: of ids and digests the first characters are enough."""
    if value is None:
        return "-"
    return _LONG.sub(lambda found: f"{found[0][:_DIGITS]}…", value) or "none"


def _verdict(
    export: Export,
    parts: Repositories,
    record: Written | None,
    size: int | None,
    current: Mapping[str, str],
    path: str,
) -> tuple[bool, str]:
    if record is None:
        if size is None:
            return False, "it was never made"
        if parts.tags.is_latest(export.target, tags_of(export)):
            return True, "another program made it, and its tag is newer than all that it depends on"
        return False, "another program made it, and its tag is older than what it depends on"
    if record.path != path:
        return False, f"it was written as {record.path}, and is wanted as {path}"
    if size is None:
        return False, f"the file {path} is gone"
    if record.size != size:
        return False, f"the file has {size} bytes, and {record.size} were written"
    changed = [name for name in current if record.source.get(name) != current[name]]
    changed += [name for name in record.source if name not in current]
    if changed:
        return False, f"{', '.join(changed)} changed since it was made"
    return True, "made from what is there now"
