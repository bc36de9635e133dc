"""diffs/delta.json: every difference that is kept, for programs that take only what changed."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from lakehouse_assets import layout
from lakehouse_assets.diffs.kinds import ADD, DEL, KINDS, MOD, DiffKind
from lakehouse_assets.errors import Conflict
from lakehouse_assets.exports.base import DatasetView
from lakehouse_assets.model import deltas
from lakehouse_assets.model.deltas import Deltas, Difference, DiffState
from lakehouse_assets.storage.compression import decompressing
from lakehouse_assets.storage.digest import digest_of
from lakehouse_assets.storage.location import Location

_TRIES = 20


def kept_differences(location: Location, kind: DiffKind) -> list[tuple[datetime, str]]:
    """The times and paths of the differences that lie there, the oldest first."""
    found = []
    for path in location.keys(kind.target):
        try:
            found.append((layout.parse_stamp(path.rpartition("/")[2].partition(".")[0]), path))
        except ValueError:
            # somebody else's file
            continue
    return sorted(found)


def update_deltas(view: DatasetView) -> bool:
    """Write delta.json if it has to say something else; whether it had to. Without differences there is none."""
    for _ in range(_TRIES):
        data = view.location.read_or_none(layout.DELTA_INDEX)
        found = make_deltas(view, Deltas.load(data))
        if data is None and not found.versions:
            return False
        new = found.to_bytes()
        if new == data:
            return False
        if data is None:
            written = view.location.create(layout.DELTA_INDEX, new)
        else:
            written = view.location.swap(layout.DELTA_INDEX, data, new)
        if written:
            return True
    msg = f"{view.location.url(layout.DELTA_INDEX)} is written by others all the time; run it again"
    raise Conflict(msg)


def make_deltas(view: DatasetView, before: Deltas | None) -> Deltas:
    """Every difference that lies there; those that nobody knows are counted."""
    known = {version.path: version for version in before.versions} if before else {}
    versions: list[Difference] = []
    since: dict[deltas.Kind, str] = {}
    for kind in KINDS:
        state = DiffState.load(view.location.read_or_none(layout.record(kind.target)))
        if state is not None:
            since[kind.name] = state.since
            if state.last is not None:
                known.setdefault(state.last.path, state.last)
        versions += [_listed(view, kind, path, known) for _, path in kept_differences(view.location, kind)]
    versions.sort(key=lambda version: (version.version, version.path), reverse=True)
    return Deltas(name=view.dataset, since=since, versions=versions)


def _listed(view: DatasetView, kind: DiffKind, path: str, known: Mapping[str, Difference]) -> Difference:
    found = known.get(path) or _counted(view.location, kind, path)
    return found.model_copy(update={"url": f"{view.public_prefix}/{path}" if view.public_prefix else None})


def _counted(location: Location, kind: DiffKind, path: str) -> Difference:
    """A difference that another program wrote, as it is found to be."""
    with location.open(path) as file:
        counts = Counter(entry.op for entry in kind.form.read(decompressing(file, path)))
    with location.open(path) as file:
        checksum, size = digest_of(file)
    return Difference(
        version=path.rpartition("/")[2].partition(".")[0],
        kind=kind.name,
        added=counts[ADD],
        modified=counts[MOD],
        deleted=counts[DEL],
        path=path,
        mime_type=kind.mime_type,
        size=size,
        checksum=checksum,
    )
