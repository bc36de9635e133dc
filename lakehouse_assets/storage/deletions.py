"""
Deleted datasets: a line in their pipeline.yml says since when, and nothing else of them is changed.

They can be brought back until their files are collected as garbage. That begins with a second line; both are put there
by an exchange of the whole file for what was read, so either it is brought back, or its files go.
"""

import logging
import re
from datetime import datetime

from lakehouse_assets import layout
from lakehouse_assets.errors import Conflict, InvalidData, NotFound
from lakehouse_assets.model.pipeline import PipelineConfig
from lakehouse_assets.model.times import iso_z, now_utc
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

_TRIES = 20
_LINE = re.compile(rb"^deleted_at:.*\n?", re.MULTILINE)


def deleted_at(lake: Location, name: str) -> datetime | None:
    """Since when a dataset is deleted, None when it is not, or when its pipeline.yml cannot be read."""
    data = lake.read_or_none(f"{name}/{layout.PIPELINE}")
    # sensors ask often, and YAML takes its time
    if not data or b"deleted_at" not in data:
        return None
    try:
        return _load(lake, name, data).deleted_at
    except InvalidData as exc:
        log.warning("%s", exc)
        return None


def is_being_removed(lake: Location, name: str) -> bool:
    """Whether the files of a deleted dataset are going, so that it cannot be brought back."""
    data = lake.read_or_none(f"{name}/{layout.PIPELINE}")
    return bool(data and b"deleted_at" in data and _load(lake, name, data).removed)


def delete_dataset(lake: Location, name: str) -> datetime:
    """Delete a dataset, so that it can be brought back; gives since when it is. NotFound when there is none."""
    at = now_utc()
    for _ in range(_TRIES):
        if not lake.exists(f"{name}/{layout.CONFIG}"):
            raise NotFound(f"no dataset {name!r} in {lake.uri}; `lakehouse dataset ls` lists them")
        data = lake.read_or_none(f"{name}/{layout.PIPELINE}")
        found = _load(lake, name, data or b"")
        if found.deleted_at is not None:
            return found.deleted_at
        if _exchange(lake, name, data, _with(found, data or b"", deleted_at=at)):
            log.info("deleted %s in %s", name, lake.uri)
            return at
    raise _busy(lake, name)


def undelete_dataset(lake: Location, name: str) -> None:
    """Bring back a deleted dataset; InvalidData when it is not deleted, or its files are going already."""
    for _ in range(_TRIES):
        data = lake.read_or_none(f"{name}/{layout.PIPELINE}")
        found = _load(lake, name, data or b"")
        if data is None or found.deleted_at is None:
            msg = f"no dataset {name!r} was deleted in {lake.uri}, or `gc` has removed it"
            raise InvalidData(msg)
        if found.removed:
            msg = f"the files of {name!r} are being removed by `gc`; it cannot be brought back any more"
            raise InvalidData(msg)
        rest = _without(found, data)
        key = f"{name}/{layout.PIPELINE}"
        if lake.swap(key, data, rest) if rest else lake.remove(key, data):
            log.info("brought back %s in %s", name, lake.uri)
            return
    raise _busy(lake, name)


def begin_removal(lake: Location, name: str) -> bool:
    """Make up one's mind that the files of a deleted dataset go; False when it is not deleted any more."""
    for _ in range(_TRIES):
        data = lake.read_or_none(f"{name}/{layout.PIPELINE}")
        found = _load(lake, name, data or b"")
        if data is None or found.deleted_at is None:
            return False
        if found.removed or _exchange(lake, name, data, found.model_copy(update={"removed": True}).to_yaml()):
            return True
    raise _busy(lake, name)


def _load(lake: Location, name: str, data: bytes) -> PipelineConfig:
    return PipelineConfig.load(data, lake.url(f"{name}/{layout.PIPELINE}"))


def _exchange(lake: Location, name: str, old: bytes | None, new: bytes) -> bool:
    key = f"{name}/{layout.PIPELINE}"
    return lake.create(key, new) if old is None else lake.swap(key, old, new)


def _with(config: PipelineConfig, data: bytes, *, deleted_at: datetime) -> bytes:
    """The file with one more line; made anew where that cannot be, as in `{crawl: []}`."""
    wanted = config.model_copy(update={"deleted_at": deleted_at})
    end = b"" if not data or data.endswith(b"\n") else b"\n"
    return _same(data + end + f"deleted_at: '{iso_z(deleted_at)}'\n".encode(), wanted)


def _without(config: PipelineConfig, data: bytes) -> bytes:
    rest = _LINE.sub(b"", data)
    return rest if not rest.strip() else _same(rest, config.model_copy(update={"deleted_at": None}))


def _same(data: bytes, wanted: PipelineConfig) -> bytes:
    """What was edited by hand, if it says what is wanted."""
    try:
        said = PipelineConfig.load(data, "")
    except InvalidData:
        return wanted.to_yaml()
    return data if said == wanted else wanted.to_yaml()


def _busy(lake: Location, name: str) -> Conflict:
    return Conflict(f"{lake.url(f'{name}/{layout.PIPELINE}')} is changed by others all the time; try again")
