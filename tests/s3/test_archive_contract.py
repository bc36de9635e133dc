"""What an archive promises, on local disk and on S3 alike."""

import hashlib
import io
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.archive import intake
from lakehouse_assets.archive.store import Archive
from lakehouse_assets.errors import InvalidData, NotFound, StorageError
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.tags import Tags
from tests.s3.store import Bucket

WHEN = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)
IN_MEMORY = 1 << 17
LARGE = bytes(range(256)) * (IN_MEMORY // 256 + 1000)


class Failing(io.RawIOBase):
    """A source that is lost after so many bytes."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        if not self._left:
            raise OSError(5, "the disk was pulled out")
        data = bytes(min(size, self._left))
        self._left -= len(data)
        return data


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less has to be sent for a file to count as large."""
    monkeypatch.setattr(intake, "IN_MEMORY", IN_MEMORY)


@pytest.fixture(params=["local", "s3"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "local":
        return Location(tmp_path / "lake" / "acme")
    bucket: Bucket = request.getfixturevalue("bucket")
    return bucket.location / "acme"


@pytest.fixture
def everything(location: Location, request: pytest.FixtureRequest) -> Callable[[], list[str]]:
    """Gives all that lies there: temp files and open uploads, too."""

    def look() -> list[str]:
        if location.path is not None:
            return [str(path) for path in location.path.rglob("*") if path.is_file()]
        bucket: Bucket = request.getfixturevalue("bucket")
        return bucket.keys() + bucket.uploads()

    return look


@pytest.fixture
def archive(location: Location) -> Archive:
    return Archive(location, dataset="acme", tags=Tags(location))


def put(archive: Archive, data: bytes, key: str, **options: object) -> str:
    return archive.put(io.BytesIO(data), key=key, **options).file.checksum  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"hello", LARGE], ids=["empty", "small", "large"])
def test_a_content_comes_back_by_its_checksum(archive: Archive, location: Location, data: bytes) -> None:
    stored = archive.put(io.BytesIO(data), key="a/b.bin", updated_at=WHEN)
    assert (stored.is_new_blob, stored.is_new_file) == (True, True)
    assert (stored.file.checksum, stored.file.size) == (sha256(data), len(data))
    with archive.open(stored.file.checksum) as stream:
        assert stream.read() == data
    with archive.local_path(stored.file.checksum) as path:
        assert path.read_bytes() == data
    assert list(location.keys()) == [
        layout.blob(stored.file.checksum),
        layout.file_meta(stored.file.checksum, stored.file.id),
    ]


def test_the_same_content_at_two_paths_is_one_content_with_two_files(
    archive: Archive, location: Location
) -> None:
    checksum = put(archive, b"same", "one.txt")
    second = archive.put(io.BytesIO(b"same"), key="two.txt")
    assert (second.is_new_blob, second.is_new_file) == (False, True)
    assert [file.key for file in archive.get_all_files(checksum)] == ["one.txt", "two.txt"]
    assert len(list(location.keys(layout.folder(checksum)))) == 3
    assert archive.get_file(checksum, "two.txt") == second.file


def test_the_same_file_again_changes_nothing(archive: Archive, location: Location) -> None:
    first = archive.put(io.BytesIO(b"a"), key="a", updated_at=WHEN, extra={"title": "A"})
    times = {key: location.modified(key) for key in location.keys("archive")}
    again = archive.put(io.BytesIO(b"a"), key="a", updated_at=WHEN)
    assert (again.is_new_blob, again.is_new_file, again.file) == (False, False, first.file)
    assert {key: location.modified(key) for key in location.keys("archive")} == times


def test_a_large_content_that_is_known_is_not_stored_twice(
    archive: Archive, location: Location, everything: Callable[[], list[str]]
) -> None:
    checksum = put(archive, LARGE, "one")
    changed = location.modified(layout.blob(checksum))
    assert not archive.put(io.BytesIO(LARGE), key="two").is_new_blob
    assert location.modified(layout.blob(checksum)) == changed
    assert len(everything()) == 3


@pytest.mark.parametrize("size", [1000, IN_MEMORY + 500_000])
def test_a_source_that_fails_leaves_nothing(
    archive: Archive, everything: Callable[[], list[str]], size: int
) -> None:
    with pytest.raises(OSError, match="pulled out"):
        archive.put(Failing(size), key="a")  # type: ignore[arg-type]
    assert everything() == []


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
def test_what_the_check_refuses_or_has_another_checksum_leaves_nothing(
    archive: Archive, everything: Callable[[], list[str]], data: bytes
) -> None:
    def changed(checksum: str) -> None:
        msg = f"the source of {checksum} changed"
        raise StorageError(msg)

    with pytest.raises(StorageError, match=f"the source of {sha256(data)} changed"):
        archive.put(io.BytesIO(data), key="a", check=changed)
    with pytest.raises(InvalidData, match=f"should be {'0' * 64}, but is {sha256(data)}"):
        archive.put(io.BytesIO(data), key="a", checksum="0" * 64)
    assert everything() == []


def test_a_file_that_another_program_gave_an_id_keeps_it(archive: Archive, location: Location) -> None:
    checksum = put(archive, b"x", "other")
    theirs = {
        "name": "x.txt",
        "created_at": "2026-11-21T04:07:56.769211Z",
        "updated_at": "2026-11-21T04:07:56Z",
        "size": 1,
        "store": "lakehouse://",
        "key": "sub/x.txt",
        "id": "0123abcd",
        "dataset": "acme",
        "checksum": checksum,
        "extra": {"title": "X"},
        "origin": "crawl",
        "unknown": [1],
    }
    text = json.dumps(theirs)[:-1] + ',"path":"x.txt","path":"sub/x.txt"}'
    location.write(layout.file_meta(checksum, "0123abcd"), text.encode())
    location.write(f"{layout.folder(checksum)}/default.txt", b"text that was extracted")
    stored = archive.put(io.BytesIO(b"x"), key="sub/x.txt", origin="crawl", updated_at=WHEN)
    assert (stored.is_new_file, stored.file.id, stored.file.extra) == (False, "0123abcd", {"title": "X"})
    assert [file.id for file in archive.get_all_files(checksum) if file.key == "sub/x.txt"] == ["0123abcd"]
    assert location.read(f"{layout.folder(checksum)}/default.txt") == b"text that was extracted"


def test_many_threads_store_the_same_and_different_files_at_once(
    archive: Archive, location: Location
) -> None:
    gate = threading.Barrier(8)
    troubles: list[BaseException] = []

    def work(number: int) -> None:
        gate.wait()
        try:
            for each in range(6):
                put(archive, f"content {each}".encode(), f"{number}/{each}")
        except BaseException as exc:
            troubles.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not troubles
    files = list(archive.files())
    assert sorted(file.key for file in files) == sorted(f"{n}/{each}" for n in range(8) for each in range(6))
    assert len({file.checksum for file in files}) == 6
    assert archive.verify().bad == []


def test_files_are_told_by_origin_and_without_those_that_cannot_be_read(
    archive: Archive, location: Location, caplog: pytest.LogCaptureFixture
) -> None:
    put(archive, b"1", "one", origin="crawl")
    put(archive, b"2", "two")
    bad = archive.put(io.BytesIO(b"3"), key="three", origin="crawl").file
    location.write(layout.file_meta(bad.checksum, bad.id), b"{torn")
    location.write("archive/readme.json", b"{}")
    assert [file.key for file in archive.files("crawl")] == ["one"]
    assert sorted(file.key for file in archive.files()) == ["one", "two"]
    assert f"{bad.id}.json does not tell of an archived file" in caplog.text
    assert archive.put(io.BytesIO(b"3"), key="three").is_new_file
    assert len(list(archive.files())) == 3


def test_a_deleted_file_is_forgotten_and_its_content_stays(archive: Archive) -> None:
    file = archive.put(io.BytesIO(b"x"), key="x").file
    assert archive.delete(file.id, file.checksum)
    assert not archive.delete(file.id, file.checksum)
    assert archive.exists(file.checksum)
    with pytest.raises(NotFound, match="lakehouse archive ls -d acme"):
        archive.get_file(file.checksum)
    with pytest.raises(NotFound, match="acme has no file 0000"):
        archive.open("0" * 64)
    with pytest.raises(NotFound, match="acme has no file 0000"), archive.local_path("0" * 64):
        pass


def test_a_checksum_may_be_cut_short(archive: Archive) -> None:
    checksum = put(archive, b"hello", "a")
    assert archive.find(checksum[:6]) == archive.find(checksum.upper()) == checksum
    with pytest.raises(NotFound):
        archive.find("000000")
    for wrong in ("2cf24", "2cf2../", "x" * 64, ""):
        with pytest.raises(InvalidData, match="at least six"):
            archive.find(wrong)


def test_what_is_no_checksum_or_id_is_refused_before_anything_is_looked_for(archive: Archive) -> None:
    for wrong in ("", "abc", "../" * 20 + "abcd", "A" * 64, "0" * 63 + "\n"):
        for ask in (archive.exists, archive.open, archive.get_file, archive.get_all_files):
            with pytest.raises(InvalidData, match="not a checksum"):
                ask(wrong)
    with pytest.raises(InvalidData, match="not the id of a file"):
        archive.delete("../../config", "0" * 64)


def test_a_damaged_content_goes_to_quarantine_and_comes_back_when_it_is_stored_again(
    archive: Archive, location: Location
) -> None:
    good, bad = put(archive, b"good", "good"), put(archive, b"bad", "bad")
    location.write(layout.blob(bad), b"BAD")
    heard: list[tuple[int, int, str]] = []
    report = archive.verify(lambda *told: heard.append(told))
    assert (report.blobs, report.bytes, report.quarantined) == (2, 7, 1)
    ((checksum, reason),) = report.bad
    assert (checksum, reason) == (bad, f"its bytes have the checksum {sha256(b'BAD')}")
    assert (heard[-1][:2], heard[-1][2]) == ((2, 0), "files")
    assert location.read(layout.quarantined_blob(bad)) == b"BAD"
    assert not archive.exists(bad)
    assert archive.get_file(bad).key == "bad"
    assert archive.verify().bad == [(bad, "it is gone")]
    stored = archive.put(io.BytesIO(b"bad"), key="bad")
    assert (stored.is_new_blob, stored.is_new_file) == (True, False)
    assert archive.verify().bad == []
    assert archive.exists(good)


def test_verifying_removes_what_dead_writers_left(archive: Archive, location: Location) -> None:
    checksum = put(archive, b"x", "x")
    location.write("archive/.tmp-0123", b"half a file")
    assert location.names("archive") == []
    assert list(location.sweep("archive", older=timedelta(days=1))) == []
    assert list(location.sweep("archive", older=timedelta(seconds=-5))) == ["archive/.tmp-0123"]
    assert archive.verify().bad == []
    assert archive.exists(checksum)


def test_the_version_is_another_one_when_a_file_comes_or_goes(archive: Archive) -> None:
    assert archive.version() == "empty"
    file = archive.put(io.BytesIO(b"x"), key="x").file
    one = archive.version()
    archive.put(io.BytesIO(b"x"), key="y")
    archive.touch()
    summary = archive.summary()
    two = archive.version()
    assert len({"empty", one, two}) == 3
    assert (summary.listing.files, summary.listing.contents, summary.bytes) == (2, 1, 1)
    archive.touch()
    assert archive.version() == two
    archive.delete(file.id, file.checksum)
    assert archive.version() not in (one, two)


def test_a_content_with_very_many_paths_is_found_at_each_of_them(
    archive: Archive, location: Location
) -> None:
    keys = [f"{number}/__init__.py" for number in range(40)]
    stored = [archive.put(io.BytesIO(b""), key=key, updated_at=WHEN) for key in keys]
    assert [each.is_new_file for each in stored] == [True] * 40
    again = Archive(location, dataset="acme", tags=Tags(location))
    # as another program names it
    odd = stored[7].file
    location.move(layout.file_meta(odd.checksum, odd.id), layout.file_meta(odd.checksum, "odd"))
    location.write(layout.file_meta(odd.checksum, "odd"), replace(odd, id="odd").to_json())
    for key in reversed(keys):
        found = again.put(io.BytesIO(b""), key=key, updated_at=WHEN)
        assert (found.is_new_blob, found.is_new_file) == (False, False)
    assert len(list(again.files())) == 40
    location.delete(layout.blob(odd.checksum))
    location.delete(layout.file_meta(odd.checksum, stored[3].file.id))
    back = again.put(io.BytesIO(b""), key=keys[3], updated_at=WHEN)
    assert (back.is_new_blob, back.is_new_file) == (True, True)
