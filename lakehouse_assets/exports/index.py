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
from lakehouse_assets.model.deltas import Deltas
from lakehouse_assets.model.statistics import Statistics
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.digest import digest_of
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.records import Records

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
"""The files that the index lists when they exist, in this order, and what is in them; delta.json comes behind them."""

_COMPRESSED = (layout.EXPORT_STATEMENTS, layout.ENTITIES)


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
    names = {path.rpartition("/")[2] for key in (*LISTED, layout.DELTA_INDEX) for path in _paths(key)}
    theirs = [resource for resource in view.config.resources if resource.name not in names]
    index = view.config.model_copy(update={"resources": [*ours, *theirs], "uri": view.location.uri})
    data = view.location.read_or_none(layout.STATISTICS)
    return index if data is None else index.with_statistics(Statistics.model_validate_json(data))


def listed_deltas(location: Location, records: Records) -> bytes | None:
    """
    diffs/delta.json, as long as the differences that it lists lead to the exports that are there.

    None when there are none, or when an export was made without keeping them.
    """
    states = {export: records.get(diff) for export, diff in layout.DIFFS_OF.items()}
    for export, state in states.items():
        made = records.get(export)
        if state is not None and (made is None or state.source.get(export) != made.digest):
            return None
    if not any(states.values()):
        return None
    data = location.read_or_none(layout.DELTA_INDEX)
    deltas = Deltas.load(data)
    return data if deltas is not None and deltas.versions else None


def _resources(view: DatasetView) -> Iterator[Resource]:
    before = {resource.name: resource for resource in _listed(view)}
    for path, mime_type, (checksum, size, changed) in _files(view):
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


def _files(view: DatasetView) -> Iterator[tuple[str, str, tuple[str, int, datetime]]]:
    """The files that there are: path, type, and what is in them."""
    for key, mime_type in LISTED.items():
        path = _existing(view, key)
        if path is not None:
            yield path, mime_type, _content(view, key, path)
    deltas = listed_deltas(view.location, view.records)
    if deltas is not None:
        changed = _seconds(view.location.modified(layout.DELTA_INDEX) or now_utc())
        yield layout.DELTA_INDEX, JSON, (hashlib.sha256(deltas).hexdigest(), len(deltas), changed)


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
    with view.location.open(path) as file:
        digest, _ = digest_of(file)
    return digest, size, _seconds(view.location.modified(path) or now_utc())


def _seconds(at: datetime) -> datetime:
    """As the index holds times: UTC, without a zone and without fractions of a second."""
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None)
