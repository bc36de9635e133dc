"""What differences are made of, and which of it is not needed any more."""

from lakehouse_assets import layout
from lakehouse_assets.diffs.deltas import kept_differences
from lakehouse_assets.diffs.kinds import DiffKind
from lakehouse_assets.model.deltas import DiffState
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.records import Written


def unneeded_work(location: Location, kind: DiffKind, made: Written | None) -> list[str]:
    """Digests of exports that nothing will be compared with, given the last one, and what interrupted runs left."""
    state = DiffState.load(location.read_or_none(layout.record(kind.target)))
    # the draft of a run that was killed waits for the next one to put it into its place
    newest = {state.version} if state else set()
    needed = {
        "digests": {*([made.digest] if made else []), *([state.export] if state else [])},
        "drafts": newest,
        "changes": newest | {layout.stamp(at) for at, _ in kept_differences(location, kind)},
    }
    keys = []
    for key in location.keys(layout.diff_work(kind.target)):
        folder, name = key.split("/")[-2:]
        if name.partition(".")[0] not in needed.get(folder, ()):
            keys.append(key)
    return keys
