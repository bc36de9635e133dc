"""Deleting what no collection needs any more."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse_assets.collections import Collection, Repo, Schema, registry
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.storage.garbage import Clock

SCHEMA = Schema(time="int*", value="float")


def write(collection: Collection, value: float, series: str = "s") -> None:
    (collection / series).write({"time": [1, 2], "value": [value, value]})


@pytest.fixture
def collection(repo: Repo) -> Collection:
    return repo.create_collection(SCHEMA, "c")


def files(repo: Repo) -> list[str]:
    return [
        key
        for key in repo.location.keys(".lakehouse/collections")
        if key.endswith(".parquet") and "_log" not in key
    ]


def test_what_was_trimmed_is_marked_and_then_deleted(repo: Repo, collection: Collection) -> None:
    assert repo.gc() == (0, 0)
    write(collection, 1.0)
    write(collection, 2.0)
    assert repo.gc(0) == repo.gc(0) == (0, 0)
    collection.trim(datetime(2999, 1, 1))
    assert len(repo.collect_garbage(dry_run=True).marked) == len(files(repo)) - 1 == 1
    assert [repo.gc(), repo.gc(), repo.gc(0), repo.gc(0)] == [(0, 1), (0, 0), (1, 0), (0, 0)]
    assert (len(files(repo)), (collection / "s").frame()["value"].to_list()) == (1, [2.0, 2.0])
    assert repo.location.names(".lakehouse/gc") == []


def test_versions_that_can_be_read_keep_their_files(repo: Repo, collection: Collection) -> None:
    for value in (1.0, 2.0, 3.0, 4.0):
        write(collection, value)
    revisions = collection.revisions()
    collection.defrag(1)
    collection.delete("s")
    collection.trim(revisions[1].at)
    assert [repo.gc(0), repo.gc(0)] == [(0, 2), (2, 0)]
    for revision, value in zip(revisions[2:], (3.0, 4.0), strict=True):
        assert (collection / "s").frame(version=revision.version)["value"].to_list() == [value, value]
    collection.restore(version=revisions[3].version)
    assert repo.gc(0) == repo.gc(0) == (0, 0)
    assert (collection / "s").frame()["value"].to_list() == [4.0, 4.0]


def test_what_is_needed_again_stays(repo: Repo, collection: Collection) -> None:
    write(collection, 1.0)
    repo.delete("c")
    assert repo.gc(0)[0] == 0
    repo.undelete("c")
    assert repo.gc(0) == (0, 0)
    assert (repo.get("c") / "s").frame().height == 2


def test_a_deleted_collection_goes_as_a_whole(repo: Repo, collection: Collection) -> None:
    write(collection, 1.0)
    other = repo.create_collection(SCHEMA, "other")
    write(other, 5.0)
    repo.delete("c")
    marked = repo.gc()[1]
    assert (repo.gc(), marked) == ((0, 0), 3)
    assert repo.gc(0) == (3, 0)
    assert (repo.entries(deleted=True), list(collection.location.keys())) == ([], [])
    with pytest.raises(InvalidData, match="removed it"):
        repo.undelete("c")
    assert (other / "s").frame().height == 2


def test_the_time_of_grace_counts_from_the_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = Repo(tmp_path)
    write(repo.create_collection(SCHEMA, "c"), 1.0)
    repo.delete("c")
    marked_at = datetime.now(UTC)
    assert repo.gc()[1] == 3
    monkeypatch.setattr(Clock, "now", marked_at + timedelta(days=6))
    assert repo.gc() == (0, 0)
    monkeypatch.setattr(Clock, "now", marked_at + timedelta(days=8))
    assert repo.collect_garbage(dry_run=True).bytes > 0
    assert (repo.gc(), repo.location.names(".lakehouse/gc")) == ((3, 0), [])


def test_what_a_writer_has_not_committed_yet_stays_for_a_day(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    collection = repo.create_collection(SCHEMA, "c")
    write(collection, 1.0)
    frame = next(collection.table.rows(collection.table.snapshot(), "s"))
    (file,) = collection.table.files.write([frame], "s")
    assert repo.gc(0) == repo.gc(0) == (0, 0)
    collection.table.log.commit(collection.table.log.snapshot(), add=[file])
    assert (collection / "s").frame().height == 4
    (left,) = collection.table.files.write([frame], "s")
    path = collection.location.local(left.key)
    assert path is not None
    os.utime(path, (0, 0))
    assert [repo.gc(0), repo.gc(0)] == [(0, 1), (1, 0)]
    assert (collection / "s").frame().height == 4


def test_files_of_others_are_named_and_stay(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    collection = repo.create_collection(SCHEMA, "c")
    write(collection, 1.0)
    own = [
        f".lakehouse/collections/{name}"
        for name in ("README.txt", "x/y", f"{collection.location.name}/my.parquet")
    ]
    for key in own:
        repo.location.write(key, b"mine")
        os.utime(tmp_path / key, (0, 0))
    assert repo.gc(0) == repo.gc(0) == (0, 0)
    assert set(repo.collect_garbage().unknown) == set(own[1:])
    assert all(repo.location.exists(key) for key in own)


def test_a_negative_time_of_grace_is_refused(repo: Repo) -> None:
    with pytest.raises(InvalidData, match="negative"):
        repo.gc(-1)


def test_early_versions_of_the_registry_are_forgotten_and_their_files_go(
    repo: Repo, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(collection, 1.0)
    for number in range(5):
        repo.rename("c" if number == 0 else str(number - 1), str(number))
    before = len(repo.registry.location.names())
    assert repo.gc(0) == repo.gc(0) == (0, 0)
    monkeypatch.setattr(registry, "now_utc", lambda: datetime.now(UTC) + timedelta(days=31))
    assert [repo.gc(0), repo.gc(0), repo.gc(0)] == [(0, 0), (0, before - 1), (before - 1, 0)]
    assert len(repo.registry.location.names()) == 1
    assert [name for name in repo.registry.location.names("_delta_log") if name.endswith(".json")][1:] == []
    assert (Repo(repo.location).ls(), (Repo(repo.location).get("4") / "s").frame().height) == (["4"], 2)
    monkeypatch.undo()
    repo.rename("4", "last")
    assert Repo(repo.location).ls() == ["last"]
