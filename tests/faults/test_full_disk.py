"""A full disk: the work fails with the place in its message, nothing changes, and with room again it goes on."""

import hashlib
import io
import os
import subprocess
import uuid
from contextlib import suppress

import pytest

from lakehouse_assets.errors import LakehouseError, StorageError
from lakehouse_assets.statements import sorting, store
from tests.factories import company, make_dataset, rows_of, tree, write_lines

SIZE = 20 << 20
# what is left: nothing at all, the room for some small files, that for a part of the data
ROOMS = [0, 16 << 10, 150 << 10]


@pytest.fixture
def disk(tmp_path):
    """A file system of a few MB; needs the right to mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        if os.environ.get("CI"):
            pytest.fail(f"cannot mount a file system: {mounted.stderr.decode()}")
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def acme(disk, monkeypatch):
    """A made dataset on the small disk, with something to import, to merge and to export."""
    monkeypatch.setenv("LAKEHOUSE_LOCK_TIMEOUT", "5")
    dataset = make_dataset(disk / "lake")
    dataset.entities.add_many(noise("base", 300))
    dataset.make()
    dataset.entities.add_many(noise("base", 300))
    return dataset


def noise(name, count):
    """Companies whose names do not compress."""
    for number in range(count):
        text = hashlib.shake_256(f"{name} {number}".encode()).hexdigest(400)
        yield company(f"{name}-{number}", name=[text]) | {"last_seen": "2024"}


class Full:
    """Fills the disk but for some bytes while the block runs."""

    def __init__(self, place, room):
        self._file, self._room = place / "filler", room

    def __enter__(self):
        stat = os.statvfs(self._file.parent)
        size = stat.f_bavail * stat.f_frsize - self._room
        with open(self._file, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, size)

    def __exit__(self, *_):
        self._file.unlink()


WORK = {
    "import": lambda acme, file: acme.import_files([file]),
    "delete": lambda acme, file: acme.delete([f"base-{number}" for number in range(300)]),
    "merge": lambda acme, file: acme.merge(force=True),
    "statements": lambda acme, file: acme.export("statements", force=True),
    "entities": lambda acme, file: acme.export("entities", force=True),
    "make": lambda acme, file: acme.make(force=True),
}


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("what", WORK)
def test_work_on_a_full_disk_names_the_place_changes_nothing_and_succeeds_later(
    tmp_path, disk, acme, what, room
):
    file = write_lines(tmp_path / "in.json", noise("more", 2000))
    rows, version = rows_of(acme), acme.content_version()
    exports = {
        key: digest
        for key, digest in tree(disk).items()
        if key.startswith(("lake/acme/exports", "lake/acme/ent"))
    }
    with Full(disk, room):
        with pytest.raises(LakehouseError) as caught:
            WORK[what](acme, file)
        assert str(disk) in str(caught.value)
        assert "No space left" in str(caught.value)
        assert rows_of(acme).equals(rows)
        assert acme.content_version() == version
        found = tree(disk)
        assert {key: found[key] for key in exports} == exports
    assert rows_of(acme).equals(rows)
    assert not [key for key in tree(disk) if ".tmp-" in key]
    assert acme.holders() == []
    WORK[what](acme, file)
    acme.make()
    assert acme.make().skipped
    assert all(result.passed for result in acme.checks())


def without_tags(disk):
    """All files but the tags, which say a little too early that there is something to merge."""
    return {key: digest for key, digest in tree(disk).items() if "tags/lakehouse/statements" not in key}


@pytest.mark.parametrize("room", ROOMS)
def test_a_failed_import_leaves_no_files_behind(tmp_path, disk, acme, room):
    file = write_lines(tmp_path / "in.json", noise("more", 2000))
    before = without_tags(disk)
    with Full(disk, room), pytest.raises(LakehouseError):
        acme.import_files([file])
    assert without_tags(disk) == before


def test_with_a_little_more_room_each_time_an_import_fails_whole_until_it_lands_whole(disk, acme):
    landed = []
    for number, room in enumerate(range(0, 120 << 10, 4 << 10)):
        before, version = set(rows_of(acme)["entity_id"]), acme.content_version()
        added = {f"small{number}"}
        with Full(disk, room):
            with suppress(StorageError):
                acme.entities.add_many([company(*added)])
                landed.append(number)
            changed = acme.content_version() != version
        assert set(rows_of(acme)["entity_id"]) == before | (added if changed else set())
        assert acme.holders() == []
    assert 0 < len(landed) < 30
    # a commit that got in before the disk was full counts, and so do its tags once there is room
    acme.merge()
    acme.make()
    assert all(result.passed for result in acme.checks())


@pytest.fixture
def elsewhere(tmp_path, disk, monkeypatch):
    """A dataset with all the room it needs, whose temporary files go to the small disk: there are some at once."""
    monkeypatch.setenv("LAKEHOUSE_TEMP_DIRECTORY", str(disk))
    monkeypatch.setenv("LAKEHOUSE_MEMORY_LIMIT", "1KB")
    monkeypatch.setattr(store, "RANGE_ROWS", 1000)
    monkeypatch.setattr(sorting, "RUN_BYTES", 300 << 10)
    dataset = make_dataset(tmp_path / "lake")
    for _ in range(2):
        dataset.entities.add_many(noise("base", 300))
    return dataset


def parquet_from_a_pipe(acme, file, monkeypatch):
    parquet = io.BytesIO()
    with monkeypatch.context() as roomy:
        roomy.delenv("LAKEHOUSE_TEMP_DIRECTORY")
        other = make_dataset(file.parent / uuid.uuid4().hex)
        other.import_files([file])
        other.statements_parquet(parquet)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(parquet.getvalue())))
    return lambda: acme.import_files(["-"])


SPILLING = {
    "import": lambda acme, file, _: lambda: acme.import_files([file]),
    "import of parquet from a pipe": parquet_from_a_pipe,
    "merge": lambda acme, file, _: lambda: acme.merge(force=True),
    "export": lambda acme, file, _: lambda: acme.export("statements"),
}


@pytest.mark.parametrize("what", SPILLING)
def test_a_full_disk_for_temporary_files_is_named_with_what_helps(
    tmp_path, disk, elsewhere, what, monkeypatch
):
    file = write_lines(tmp_path / "in.json", noise("more", 2000))
    rows, before = rows_of(elsewhere), tree(tmp_path / "lake")
    work = SPILLING[what](elsewhere, file, monkeypatch)
    with Full(disk, 16 << 10), pytest.raises(StorageError) as caught:
        work()
    assert f"temporary files cannot be written to {disk}: " in str(caught.value)
    assert "No space left" in str(caught.value)
    assert "name another folder by LAKEHOUSE_TEMP_DIRECTORY" in str(caught.value)
    assert tree(tmp_path / "lake") == before
    assert rows_of(elsewhere).equals(rows)
    assert list(disk.iterdir()) == []
    assert elsewhere.holders() == []
    SPILLING[what](elsewhere, file, monkeypatch)()
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize("place", ["missing/folder", "file"])
def test_a_place_for_temporary_files_that_is_none_is_named(tmp_path, monkeypatch, place):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("LAKEHOUSE_TEMP_DIRECTORY", str(tmp_path / place))
    monkeypatch.setattr(sorting, "RUN_BYTES", 1)
    dataset = make_dataset(tmp_path / "lake")
    with pytest.raises(StorageError, match=f"cannot be written to {tmp_path / place}: "):
        dataset.import_files([write_lines(tmp_path / "in.json", noise("more", 10))])
    assert rows_of(dataset).is_empty()
