"""However files come, go, change and are needed again: they are deleted when they were marked for long enough."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets import layout
from lakehouse_assets.storage import garbage_marks
from lakehouse_assets.storage.files import Entry
from lakehouse_assets.storage.garbage import Clock, Look, collect, mark, sweep
from lakehouse_assets.storage.garbage_marks import Due
from lakehouse_assets.storage.location import Location

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FOLDERS = ["a", "b"]
FILES = [f"{folder}/{number}" for folder in FOLDERS for number in range(6)]

STEPS = st.tuples(
    st.sampled_from(["collect", "mark", "sweep", "dry"]),
    # what is needless, and when it was written, in days
    st.dictionaries(st.sampled_from(FILES), st.integers(0, 1)),
    st.sampled_from([None, *FOLDERS]),
    # what the heap keeps all the same
    st.frozensets(st.sampled_from(FILES), max_size=3),
    st.booleans(),
    st.none() | st.just(1),
)


class Box:
    """Files in memory that are deleted in an order of its own."""

    name = "box"

    def __init__(self, files: dict[str, int], scope: str | None, kept: frozenset[str], *, late: bool) -> None:
        self.files = {key: at for key, at in files.items() if scope is None or key.startswith(f"{scope}/")}
        self.scope = None if scope is None else (scope,)
        self.kept = kept
        self.late = late

    def look(self, clock: Clock) -> Look:
        needless = (Entry(key, 1, START + at * DAY) for key, at in sorted(self.files.items()))
        return Look(needless, scope=self.scope)

    def sweep(self, due: Due, check: Callable[[], None]) -> Iterator[Sequence[str]]:
        held = []
        for batch in due.batches():
            keys = [entry.key for entry in batch if entry.key not in self.kept]
            assert all(entry.modified == START + self.files[entry.key] * DAY for entry in batch)
            # every second one goes at the end, as the log of a table does
            held += keys[::2] if self.late else []
            yield keys[1::2] if self.late else keys
        yield held


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=6))
def test_what_is_marked_and_deleted(
    steps: list[tuple[str, dict[str, int], str | None, frozenset[str], bool, int | None]],
) -> None:
    marks: dict[str, tuple[datetime, int]] = {}
    with tempfile.TemporaryDirectory() as folder, patch.object(garbage_marks, "_BATCH", 2):
        root = Location(folder)
        for day, (verb, files, scope, kept, late, before) in enumerate(steps, 2):
            now = START + day * DAY
            box = Box(files, scope, kept, late=late)
            same = {key for key, at in box.files.items() if key in marks and marks[key][1] == at}
            due = {key for key in same if marks[key][0] <= now - 2 * DAY}
            due = {key for key in due if before is None or box.files[key] < before}
            fresh = set(box.files) - same
            since = START + before * DAY if before is not None else None
            with patch.object(Clock, "now", now), patch.object(Clock, "of", lambda _, when: when):
                if verb == "mark":
                    marked = mark(root, [box])
                    due, gone = set(), set()
                    assert marked.bytes == len(box.files)
                    assert marked.before == len(
                        marks.keys() - box.files.keys() - _covered(marks, scope)
                    ) + len(same)
                    assert set(marked.marked) == fresh
                elif verb == "sweep":
                    found, fresh = sweep(root, [box], grace=2 * DAY, before=since), set()
                    gone = due - kept
                else:
                    found = collect(root, [box], grace=2 * DAY, before=since, dry_run=verb == "dry")
                    gone = due - (kept if verb == "collect" else set())
                if verb != "mark":
                    assert set(found.deleted) == gone
                    assert (set(found.marked), found.bytes) == (fresh, len(gone))
            if verb != "dry":
                left = {key: mark for key, mark in marks.items() if key not in _covered(marks, scope)}
                left |= {key: marks[key] for key in same - gone}
                marks = left | {key: (now, box.files[key]) for key in fresh}
            assert root.exists(layout.gc_marks("box")) == bool(marks)


def _covered(keys: dict[str, tuple[datetime, int]], scope: str | None) -> set[str]:
    return {key for key in keys if scope is None or key.startswith(f"{scope}/")}
