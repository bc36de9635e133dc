"""A content that is stored again while it is deleted is never lost, in whichever order things happen."""

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from lakehouse_assets import layout
from lakehouse_assets.archive.store import Archive
from lakehouse_assets.garbage.blobs import find_orphans, remove_contents, restore
from lakehouse_assets.lake import Dataset
from lakehouse_assets.storage.garbage import Clock
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.spool import Spool
from lakehouse_assets.storage.tags import Tags
from tests.dying import counted, death
from tests.factories import entity, make_dataset

TEXT = b"the same bytes"
CHECKSUM = hashlib.sha256(TEXT).hexdigest()
STEPS = 7


class Turns:
    """Lets two threads do what they do to an archive one step at a time, in an order that is given."""

    def __init__(self, order: str) -> None:
        self._order = list(order)
        self._moved = threading.Condition()
        self._done: set[str] = set()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Wait until it is the turn of this thread, which the block takes."""
        name = threading.current_thread().name
        if name not in "ab":
            yield
            return
        with self._moved:
            assert self._moved.wait_for(lambda: self._next() in (name, None), timeout=10)
        try:
            yield
        finally:
            with self._moved:
                if self._order:
                    self._order.pop(0)
                self._moved.notify_all()

    def _next(self) -> str | None:
        while self._order and self._order[0] in self._done:
            self._order.pop(0)
        return self._order[0] if self._order else None

    def run(self, **works: Callable[[], object]) -> None:
        """Both at once."""
        threads = [threading.Thread(target=self._run, args=each, name=each[0]) for each in works.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _run(self, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            with self._moved:
                self._done.add(name)
                self._moved.notify_all()


def orders() -> Iterator[str]:
    for places in combinations(range(2 * STEPS), STEPS):
        # one that is done early leaves its turns to the other
        yield "".join("a" if place in places else "b" for place in range(2 * STEPS))


def archive_of(location: Location) -> Archive:
    return Archive(location, dataset="acme", tags=Tags(location))


def orphan(location: Location) -> dict[str, list[str]]:
    location.write(layout.blob(CHECKSUM), TEXT)
    return {CHECKSUM: [layout.blob(CHECKSUM)]}


def remove(location: Location, orphans: dict[str, list[str]]) -> list[str]:
    leases = Leases(location, timeout=1, lease_seconds=60)
    return remove_contents(location, orphans, leases=leases, needed=lambda _: set(), check=lambda: None)


def test_no_order_of_the_steps_of_both_loses_a_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[Turns] = []

    def in_turns(name: str) -> None:
        plain: Callable[..., Any] = getattr(Location, name)

        def run(self: Location, key: Any, *args: Any, **options: Any) -> Any:
            if not turns or "archive" not in str(key):
                return plain(self, key, *args, **options)
            with turns[-1].one():
                return plain(self, key, *args, **options)

        monkeypatch.setattr(Location, name, run)

    for name in ("names", "move", "write", "exists", "delete_all"):
        in_turns(name)
    seen = set()
    for number, order in enumerate(orders()):
        if number % 7:
            continue
        location = Location(tmp_path / str(number))
        orphans = orphan(location)
        turns.append(Turns(order))
        archive = archive_of(location)
        told: dict[str, Any] = {}
        turns[-1].run(
            a=lambda archive=archive, told=told: told.update(put=archive.put(io.BytesIO(TEXT), key="a.txt")),
            b=lambda location=location, orphans=orphans, told=told: told.update(
                gone=remove(location, orphans)
            ),
        )
        turns.clear()
        assert set(told) == {"put", "gone"}, order
        seen.add((told["put"].is_new_blob, bool(told["gone"])))
        assert location.read_or_none(layout.blob(CHECKSUM)) == TEXT, order
        assert not location.exists(layout.put_aside(CHECKSUM)), order
    # stored before it was put aside, in between, and when it was gone
    assert seen == {(False, False), (False, True), (True, False), (True, True)}


def test_a_death_at_any_step_loses_nothing_that_is_needed(tmp_path: Path) -> None:
    with counted() as changes:
        remove(Location(tmp_path / "count"), orphan(Location(tmp_path / "count")))
        most = changes()
    assert most >= 2
    for number in range(1, most + 1):
        dataset = make_dataset(tmp_path / str(number))
        orphans = orphan(dataset.location)
        with death(number):
            remove(dataset.location, orphans)
        # what is aside can be read, and counts as there
        gone = not dataset.archive.exists(CHECKSUM)
        assert gone or dataset.archive.open(CHECKSUM).read() == TEXT
        again = dataset.archive.put(io.BytesIO(TEXT), key="a.txt")
        assert again.is_new_blob or dataset.archive.exists(CHECKSUM)
        dataset.lake.gc(0)
        assert dataset.location.read(layout.blob(CHECKSUM)) == TEXT
        assert not dataset.location.exists(layout.put_aside(CHECKSUM))


def test_what_was_left_aside_is_put_back_when_something_names_it(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path)
    orphan(dataset.location)
    dataset.location.move(layout.blob(CHECKSUM), layout.put_aside(CHECKSUM))
    with dataset.archive.local_path(CHECKSUM) as path:
        assert path.read_bytes() == TEXT
    dataset.import_entities([entity("d", "Document", contentHash=[CHECKSUM])])
    assert (dataset.lake.gc(0).marked, dataset.archive.exists(CHECKSUM)) == ((), True)
    assert dataset.location.exists(layout.blob(CHECKSUM))


def test_what_was_left_aside_is_compared_with_its_name_like_the_rest(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path)
    dataset.archive.put(io.BytesIO(TEXT), key="a.txt")
    dataset.location.move(layout.blob(CHECKSUM), layout.put_aside(CHECKSUM))
    report = dataset.archive.verify()
    assert (report.blobs, report.bytes, report.bad) == (1, len(TEXT), [])
    assert dataset.archive.listing().missing == []
    dataset.location.write(layout.put_aside(CHECKSUM), b"other bytes")
    report = dataset.archive.verify()
    assert ([bad.checksum for bad in report.bad], report.quarantined) == ([CHECKSUM], 1)
    assert dataset.location.read(layout.quarantined_blob(CHECKSUM)) == b"other bytes"
    assert dataset.archive.listing().missing == [CHECKSUM]


def test_what_was_left_aside_and_is_needless_goes_like_the_rest(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path)
    orphan(dataset.location)
    dataset.location.move(layout.blob(CHECKSUM), layout.put_aside(CHECKSUM))
    path = dataset.location.local(layout.put_aside(CHECKSUM))
    assert path is not None
    os.utime(path, (0, 0))
    key = f"acme/{layout.put_aside(CHECKSUM)}"
    assert [dataset.lake.gc(0).marked, dataset.lake.gc(0).deleted] == [(key,), (key,)]
    assert not dataset.archive.exists(CHECKSUM)


def test_nothing_goes_from_an_archive_while_somebody_imports(tmp_path: Path) -> None:
    dataset: Dataset = make_dataset(tmp_path)
    orphans = orphan(dataset.location)
    with dataset.leases.mark(layout.STAGING, {}):
        assert remove(dataset.location, orphans) == []
    named: list[int] = []

    def needed(_: object) -> set[str]:
        # an import begins after the first look
        named.append(len(list(dataset.location.keys(layout.ARCHIVE))))
        dataset.location.write(f"{layout.STAGING}/x.json", stuck)
        return set()

    with dataset.leases.mark(layout.STAGING, {}):
        stuck = dataset.location.read(next(dataset.location.keys(layout.STAGING)))
    done = remove_contents(
        dataset.location, orphans, leases=dataset.leases, needed=needed, check=lambda: None
    )
    assert (done, named, dataset.location.exists(layout.blob(CHECKSUM))) == ([], [1], True)


def test_what_is_not_there_any_more_is_no_error(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path)
    restore(dataset.location, [CHECKSUM])
    with closing(Spool(None)) as spool:
        found = find_orphans(dataset.lake.location, "acme", Clock(dataset.lake.location), spool)
        assert list(found.files) == []
