"""Whether a collection changed, told from outside: cheap enough to be asked of each of them twice a minute."""

from collections.abc import Iterable, Mapping
from functools import partial

from lakehouse_assets.collections.log_files import LOG
from lakehouse_assets.collections.registry import Entry
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel

# an object store takes its time for each answer, and gives many at once
_WORKERS = 16
_COMMIT = ".json"
_DIGITS = 8


def signs_of(root: Location, entries: Iterable[Entry]) -> Mapping[Entry, str]:
    """Of each collection a text that is another one when it got a new version, label or table; no log is read."""
    known = list(entries)
    look = partial(_sign, root)
    found = map(look, known) if root.path is not None else in_parallel(look, known, workers=_WORKERS)
    return dict(zip(known, found, strict=True))


def _sign(root: Location, entry: Entry) -> str:
    names = [name for name in root.names(f"{entry.path}/{LOG}") if name.endswith(_COMMIT)]
    newest = max(names, default="-")[: -len(_COMMIT)]
    return f"{entry.path[-_DIGITS:]} {entry.changes} {newest.lstrip('0') or '0'}"
