"""The lake's index.json: the indexes of its datasets."""

import hashlib
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from lakehouse_assets import layout
from lakehouse_assets.exports.base import ExportResult
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.tags import Tags

NAME = "catalog"
TITLE = "Catalog"


def write_catalog(lake: Location, datasets: Sequence[str]) -> ExportResult:
    """
    Write the catalog of some datasets if it changed.

    `rows` is how many it lists; the notes name those that it cannot, for want of an index that can be read.
    """
    started = time.monotonic()
    data, rows, left_out = make_catalog(lake, datasets)
    if lake.read_or_none(layout.LAKE_INDEX) != data:
        lake.write(layout.LAKE_INDEX, data)
    digest = hashlib.sha256(data).hexdigest()
    seconds = time.monotonic() - started
    notes = {"without_index": left_out} if left_out else {}
    return ExportResult(layout.LAKE_INDEX, layout.LAKE_INDEX, rows, len(data), digest, seconds, notes)


def make_catalog(lake: Location, datasets: Sequence[str]) -> tuple[bytes, int, list[str]]:
    """The catalog's bytes, how many datasets it lists, and the names of those that it cannot."""
    listed: list[object] = []
    left_out: list[str] = []
    changes: list[datetime] = []
    for name in sorted(datasets):
        data = (lake / name).read_or_none(layout.INDEX)
        index = _object(data)
        if data is None or index is None:
            left_out.append(name)
            continue
        listed.append(index)
        changed = _changed(lake / name, data)
        changes += [changed] if changed else []
    catalog: dict[str, object] = {"name": NAME, "title": TITLE, "datasets": listed}
    if changes:
        # not the time of now: the same datasets give the same bytes
        catalog["updated_at"] = max(changes).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    text = json.dumps(catalog, ensure_ascii=False, separators=(",", ":"))
    return f"{text}\n".encode(), len(listed), left_out


def _object(data: bytes | None) -> dict[str, object] | None:
    if data is None:
        return None
    try:
        found = json.loads(data)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _changed(dataset: Location, index: bytes) -> datetime | None:
    """When an index came to be what it is; the file's time where no tag tells it."""
    tag = layout.digest_tag(layout.INDEX, hashlib.sha256(index).hexdigest())
    return Tags(dataset).get(tag) or dataset.modified(layout.INDEX)
