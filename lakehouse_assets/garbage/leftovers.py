"""
What is left over in a dataset: exports in a form that nobody makes any more, what differences were made of, rows of the
journal that no segment makes visible, and snapshots that are too many.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import timedelta

from lakehouse_assets import layout
from lakehouse_assets.diffs.kinds import KINDS
from lakehouse_assets.diffs.work import unneeded_work
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.model.dataset import DatasetConfig
from lakehouse_assets.statements.journal import Journal
from lakehouse_assets.storage.files import Entry
from lakehouse_assets.storage.garbage import UNFINISHED, Clock
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.records import Records
from lakehouse_assets.storage.tags import Tags
from lakehouse_assets.storage.versions import Version, Versions

log = logging.getLogger(__name__)

NEWEST_KEPT = 10
"""So many snapshots of a document stay, however old they are."""

# what a program makes anew with each change; what people write is kept for ever
_MADE = (layout.INDEX, layout.STATISTICS)

_FILES = {layout.CONFIG, layout.PIPELINE, layout.LOCK}
_EXPORTS = "exports"


def unneeded(dataset: Location, clock: Clock, *, versions_days: int) -> Iterator[str]:
    """The keys of all these, whatever their age."""
    yield from other_forms(dataset)
    yield from unneeded_differences(dataset)
    yield from unconfirmed_rows(dataset, clock)
    if versions_days:
        yield from old_snapshots(dataset, clock, timedelta(days=versions_days))


def other_forms(dataset: Location) -> list[str]:
    """Exports in another compression than that of the config, where the one in that is there."""
    try:
        config = DatasetConfig.load(dataset.read(layout.CONFIG), dataset.url(layout.CONFIG), uri=dataset.uri)
    except LakehouseError as exc:
        log.warning("%s", exc)
        return []
    found, there = [], set(_files(dataset))
    for export in EXPORTS.values():
        for target in export.targets:
            path = layout.compressed(target, config.compression if export.is_compressed else None)
            if path in there:
                found += [form for form in layout.forms(target) if form != path and form in there]
    return found


def unneeded_differences(dataset: Location) -> list[str]:
    """What differences were made of that nothing will be compared with."""
    records = Records(dataset)
    return [key for kind in KINDS for key in unneeded_work(dataset, kind, records.get(kind.export))]


def unconfirmed_rows(dataset: Location, clock: Clock) -> list[str]:
    """Rows in the journal of writers that died before they confirmed them."""
    tokens = Journal(dataset).left_over(clock.now - UNFINISHED)
    return [key for token in tokens for key in dataset.keys(layout.journal_rows(token))]


def old_snapshots(dataset: Location, clock: Clock, age: timedelta) -> list[str]:
    """Snapshots of what exports write, older than that, but for the newest ones."""
    found: dict[str, list[Version]] = {key: [] for key in _MADE}
    for version in Versions(dataset, Tags(dataset)).list():
        if version.key in found:
            found[version.key].append(version)
    earlier = [version for versions in found.values() for version in versions[:-NEWEST_KEPT]]
    return [version.path for version in earlier if clock.now - version.at >= age]


def unknown_files(dataset: Location) -> list[str]:
    """Files at the top of a dataset and among its exports that nobody knows."""
    targets = [target for export in EXPORTS.values() for target in export.targets]
    known = _FILES | {form for target in targets for form in layout.forms(target)}
    return [key for key in _files(dataset) if key not in known]


def _files(dataset: Location) -> list[str]:
    return [*dataset.names(), *(f"{_EXPORTS}/{name}" for name in dataset.names(_EXPORTS))]


def entries_of(dataset: Location, keys: Iterable[str]) -> Iterator[Entry]:
    """Files with their sizes and times, without those that are gone."""
    for key in keys:
        size, modified = dataset.size(key), dataset.modified(key)
        if size is not None and modified is not None:
            yield Entry(key, size, modified)
