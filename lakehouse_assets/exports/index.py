"""index.json: what a dataset is, how much of it there is, and which files of it can be had."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pydantic import ValidationError

from lakehouse_assets import layout
from lakehouse_assets.exports.base import DatasetView, ExportResult
from lakehouse_assets.model.dataset import DatasetConfig, Resource
from lakehouse_assets.model.statistics import Statistics
from lakehouse_assets.model.times import now_utc

CSV = "text/csv"
JSON = "application/json"
FTM = "application/json+ftm"

LISTED = {
    layout.EXPORT_STATEMENTS: CSV,
    layout.ENTITIES: FTM,
    layout.DOCUMENTS: CSV,
    layout.DOCUMENTS_CRAWL: CSV,
    layout.STATISTICS: JSON,
}
"""The files that the index lists when they exist, in this order, and what is in them."""

_COMPRESSED = (layout.EXPORT_STATEMENTS, layout.ENTITIES)
_BLOCK = 1 << 20


class IndexJson:
    """The dataset's own description, with its counts and its files; written when it changed."""

    name = "index"
    target = layout.INDEX
    asset = "index_json"
    targets = (layout.INDEX,)
    version = 1
    is_compressed = False
    is_published = True
    sources: Sequence[str] = (layout.CONFIG, *LISTED)

    def write(self, view: DatasetView) -> list[ExportResult]:
        """Write the file, and its snapshot when it changed."""
        started = time.monotonic()
        data = make_index(view).to_index()
        view.versions.write(self.target, data)
        seconds = time.monotonic() - started
        digest = hashlib.sha256(data).hexdigest()
        return [ExportResult(self.target, self.target, 1, len(data), digest, seconds)]


def make_index(view: DatasetView) -> DatasetConfig:
    """The config as the index has it: with counts and with the files that exist now."""
    ours = list(_resources(view))
    names = {path.rpartition("/")[2] for key in LISTED for path in _paths(key)}
    theirs = [resource for resource in view.config.resources if resource.name not in names]
    index = view.config.model_copy(update={"resources": [*ours, *theirs], "uri": view.location.uri})
    data = view.location.read_or_none(layout.STATISTICS)
    return index if data is None else index.with_statistics(Statistics.model_validate_json(data))


def _resources(view: DatasetView) -> Iterator[Resource]:
    before = {resource.name: resource for resource in _listed(view)}
    for key, mime_type in LISTED.items():
        path = _existing(view, key)
        if path is None:
            continue
        checksum, size, changed = _content(view, key, path)
        name = path.rpartition("/")[2]
        old = before.get(name)
        # a file that was written again with the same bytes did not change
        same = old is not None and old.checksum == checksum and old.timestamp is not None
        yield Resource(
            name=name,
            url=f"{view.public_prefix}/{path}" if view.public_prefix else None,
            checksum=checksum,
            timestamp=old.timestamp if old is not None and same else changed,
            mime_type=mime_type,
            size=size,
        )


def _listed(view: DatasetView) -> list[Resource]:
    """The files of the index as it is now."""
    data = view.location.read_or_none(layout.INDEX)
    if data is None:
        return []
    try:
        return DatasetConfig.model_validate(json.loads(data)).resources
    except (ValueError, ValidationError):
        # it is about to be written anew
        return []


def _existing(view: DatasetView, key: str) -> str | None:
    """The file of an artifact, the one that the config's compression says first."""
    wanted = layout.compressed(key, view.config.compression)
    paths = [path for path in _paths(key) if path != wanted]
    if wanted in _paths(key):
        paths.insert(0, wanted)
    return next((path for path in paths if view.location.exists(path)), None)


def _paths(key: str) -> list[str]:
    if key not in _COMPRESSED:
        return [key]
    return [key, layout.compressed(key, "gz"), layout.compressed(key, "zst")]


def _content(view: DatasetView, key: str, path: str) -> tuple[str, int, datetime]:
    """Digest, size and time of a file: as recorded, or read anew when somebody else wrote it."""
    size = view.location.size(path) or 0
    record = view.records.get(key)
    if record is not None and record.size == size and record.path in ("", path):
        return record.digest, size, _seconds(record.written_at)
    digest = hashlib.sha256()
    with view.location.open(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest(), size, _seconds(view.location.modified(path) or now_utc())


def _seconds(at: datetime) -> datetime:
    """As the index holds times: UTC, without a zone and without fractions of a second."""
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None)
