"""What a location promises, on local disk and on S3 alike."""

import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse_assets.errors import Conflict, Damaged, InvalidData, Locked, NotFound, StorageError
from lakehouse_assets.storage import local
from lakehouse_assets.storage.digest import DigestWriter
from lakehouse_assets.storage.leases import Leases
from lakehouse_assets.storage.location import Location
from tests.s3.store import ROOT, Bucket

MB = 1 << 20
ODD = ["ä ö/ß", "a+b", "a%20b", "a*b[c]?", "#x", "a@b=c&d", "日本/語", "a'b\"c", "~x", "shard=0/origin=a%2Fb"]


@pytest.fixture(params=["local", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "local":
        return Location(tmp_path / "lake")
    return request.getfixturevalue("bucket").location


def in_threads(count: int, work: Callable[[int], object]) -> list[object]:
    results: list[object] = []
    gate = threading.Barrier(count)

    def run(number: int) -> None:
        gate.wait()
        results.append(work(number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_what_is_written_is_there_whole(lake: Location) -> None:
    for data in (b"", b"1", bytes(range(256)) * 1000):
        lake.write("a/b", data)
        assert (lake.read("a/b"), lake.size("a/b"), lake.exists("a/b")) == (data, len(data), True)
    modified = lake.modified("a/b")
    assert modified is not None
    assert abs(modified - datetime.now(UTC)) < timedelta(seconds=10)


def test_what_is_missing_is_missing(lake: Location) -> None:
    assert (lake.read_or_none("a"), lake.size("a"), lake.modified("a")) == (None, None, None)
    assert not lake.exists("a")
    assert not lake.delete("a")
    lake.delete_tree("a")
    for read in (lake.read, lake.open, lake.open_ranges):
        with pytest.raises(NotFound, match="a does not exist"):
            read("a")


def test_odd_names_are_taken_literally(lake: Location) -> None:
    for key in ODD:
        lake.write(key, key.encode())
        assert lake.create(f"made/{key}", b"")
    assert list(lake.keys()) == sorted([*ODD, *(f"made/{key}" for key in ODD)])
    assert [entry.key for entry in lake.entries()] == list(lake.keys())
    assert {key: lake.read(key).decode() for key in ODD} == {key: key for key in ODD}
    assert lake.folders() == sorted({key.split("/")[0] for key in ODD if "/" in key} | {"made"})
    with lake.writer("a*b[c]?") as writer:
        writer.write(b"new")
    with lake.open("a*b[c]?") as file:
        assert file.read() == b"new"
    lake.delete_tree("made")
    assert all(lake.delete(key) for key in ODD)
    assert list(lake.keys()) == []


def test_keys_and_folders_are_those_below_and_no_others(lake: Location) -> None:
    for key in ("a/x", "a/b/y", "ab/x", "c"):
        lake.write(key, b"")
    assert list(lake.keys()) == ["a/b/y", "a/x", "ab/x", "c"]
    assert list(lake.keys("a")) == ["a/b/y", "a/x"]
    assert (lake.folders(), lake.folders("a"), lake.folders("c")) == (["a", "ab"], ["b"], [])
    assert list((lake / "a").keys()) == ["b/y", "x"]
    assert not lake.exists("a")


def test_more_files_are_listed_and_deleted_than_one_answer_has(bucket: Bucket) -> None:
    lake = bucket.location
    bucket.fill([f"a/{number:04}" for number in range(2100)])
    assert list(lake.keys()) == [f"a/{number:04}" for number in range(2100)]
    lake.delete_tree("a")
    assert bucket.keys() == []


def test_only_one_of_many_threads_creates(lake: Location) -> None:
    made = in_threads(8, lambda n: lake.create("a", str(n).encode()) and n)
    winners = [number for number in made if number is not False]
    assert [str(number).encode() for number in winners] == [lake.read("a")]


def test_only_one_of_many_processes_creates(lake: Location) -> None:
    code = (
        "import json, sys; from lakehouse_assets.storage.location import Location\n"
        "lake = Location(sys.argv[1], json.loads(sys.argv[2])); lake.exists('x')\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(sum(lake.create(f'k{n}', b'1') for n in range(20)))"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, lake.uri, json.dumps(lake.storage_options)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    assert sum(int(worker.communicate()[0]) for worker in workers) == 20


def test_swaps_lose_no_count(lake: Location) -> None:
    lake.write("n", b"0")

    def add(_: int) -> None:
        for _ in range(5):
            while True:
                old = lake.read("n")
                if lake.swap("n", old, str(int(old) + 1).encode()):
                    break

    in_threads(4, add)
    assert lake.read("n") == b"20"


def test_swap_and_clear_change_only_what_they_expect(lake: Location) -> None:
    assert not lake.swap("a", b"1", b"2")
    lake.write("a", b"1")
    assert not lake.swap("a", b"0", b"2")
    assert lake.swap("a", b"1", b"2")
    assert not lake.clear("a", b"1")
    assert lake.clear("a", b"2")
    assert not lake.read_or_none("a")
    lake.write("b", b"1")
    assert not lake.remove("b", b"0")
    assert (lake.remove("b", b"1"), lake.exists("b")) == (True, False)
    assert not lake.remove("b", b"1")


def test_what_is_written_while_it_should_be_removed_stays(bucket: Bucket) -> None:
    lake = bucket.location
    lake.write("a", b"old")
    # the request is held up, and made again
    bucket.rule(methods=["DELETE"], times=1, hang=2)
    removal = threading.Thread(target=lambda: removed.append(lake.remove("a", b"old")))
    removed: list[bool] = []
    removal.start()
    time.sleep(0.2)
    lake.write("a", b"new")
    removal.join()
    assert (removed, lake.read("a")) == ([False], b"new")


@pytest.mark.parametrize("size", [0, 5, 33 * MB])
def test_a_writer_shows_its_file_at_the_end_of_its_block(lake: Location, size: int) -> None:
    block = bytes(range(256)) * 4096
    with lake.writer("a") as writer:
        for start in range(0, size, MB):
            writer.write(block[: min(MB, size - start)])
        assert not lake.exists("a")
    assert (lake.size("a"), writer.size) == (size, size)
    with lake.open("a") as file:
        first = file.read(10)
        file.seek(max(0, size - 10))
        last = file.read()
    assert (first, last) == (block[: min(10, size)], lake.read("a")[max(0, size - 10) :])


@pytest.mark.parametrize("size", [0, 5, 33 * MB])
def test_a_writer_whose_block_raises_leaves_the_old_file(lake: Location, size: int) -> None:
    lake.write("a", b"old")

    def work(writer: DigestWriter) -> None:
        writer.write(bytes(size))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), lake.writer("a") as writer:
        work(writer)
    assert lake.read("a") == b"old"
    assert list(lake.keys()) == ["a"]


def test_a_writer_whose_block_raises_leaves_no_open_upload(bucket: Bucket) -> None:
    def work(writer: DigestWriter) -> None:
        writer.write(bytes(33 * MB))
        assert bucket.uploads() == ["lake/a"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), bucket.location.writer("a") as writer:
        work(writer)
    assert (bucket.keys(), bucket.uploads()) == ([], [])


def test_old_uploads_are_swept_and_young_ones_live(bucket: Bucket) -> None:
    for key in ("lake/exports/a", "lake2/b"):
        bucket.server.ask("POST", f"{bucket.name}/{key}?uploads", b"")
    lake = bucket.location
    # moto says of every upload that it began in 2010
    assert lake.sweep(older=timedelta(days=36500)) == []
    assert (lake / "other").sweep(older=timedelta(days=1)) == []
    assert lake.sweep(older=timedelta(days=1)) == ["exports/a"]
    assert bucket.uploads() == ["lake2/b"]


def test_an_upload_that_somebody_swept_away_fails_and_says_so(bucket: Bucket) -> None:
    bucket.rule(methods=["POST"], contains="uploadId", status=404, code="NoSuchUpload")
    with (
        pytest.raises(StorageError, match=f"s3://{bucket.name}/lake/a was aborted by somebody else"),
        bucket.location.writer("a") as writer,
    ):
        writer.write(bytes(33 * MB))
    assert bucket.keys() == []


def test_ranges_are_read_to_the_byte(lake: Location) -> None:
    lake.write("a", bytes(range(256)))
    with lake.open_ranges("a") as file:
        file.seek(100)
        assert file.read(3) == bytes([100, 101, 102])
        file.seek(-2, 2)
        assert file.read() == bytes([254, 255])


def test_a_text_is_read_in_few_requests(bucket: Bucket) -> None:
    lake, lines = bucket.location, [f"line {number}\n" for number in range(200_000)]
    lake.write("a", "".join(lines).encode())
    bucket.rule(methods=["GET"], after=3)
    with lake.open("a") as file:
        assert list(io.TextIOWrapper(file, encoding="utf-8")) == lines


def leases(lake: Location, *, timeout: float = 0.3, seconds: float = 60) -> Leases:
    return Leases(lake / "acme", timeout=timeout, lease_seconds=seconds)


def test_an_exclusive_lease_is_held_by_one(lake: Location) -> None:
    def hold(_: int) -> int:
        with leases(lake, timeout=30).exclusive("merge") as lease:
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            lease.check()
            inside.pop()
        return 1

    inside: list[int] = []
    most: list[int] = []
    assert in_threads(4, hold) == [1] * 4
    assert max(most) == 1
    assert leases(lake).holders() == []


def test_an_expired_lease_is_taken_over_and_its_holder_notices(lake: Location) -> None:
    with leases(lake, seconds=2).exclusive("merge") as lost:
        # it stands still: nobody renews
        lost._done.set()
        with pytest.raises(Locked, match="is locked by"), leases(lake, timeout=0).exclusive("other"):
            pass
        with leases(lake, timeout=10).exclusive("other") as lease:
            lease.check()
            with pytest.raises(Conflict, match="was lost"):
                lost.check()
    assert leases(lake).holders() == []


def test_files_are_named_by_folder_and_move_whole(lake: Location) -> None:
    for key in ("a/ä*[1]", "a/1", "a/b/3", "ab/c"):
        lake.write(key, key.encode())
    assert lake.names("a") == ["1", "ä*[1]"]
    assert lake.names("nowhere") == lake.names("a/1") == []
    lake.move("a/ä*[1]", "new/d/e?")
    lake.move("a/1", "a/b/3")
    assert list(lake.keys()) == ["a/b/3", "ab/c", "new/d/e?"]
    assert (lake.read("new/d/e?").decode(), lake.read("a/b/3")) == ("a/ä*[1]", b"a/1")
    with pytest.raises(NotFound, match="a/1 does not exist"):
        lake.move("a/1", "a/b/3")


def test_the_stamp_of_a_file_changes_with_the_file_and_with_no_other(lake: Location) -> None:
    for key in ("a", "folder/b", "folder/deep/c"):
        lake.write(key, b"one")
    before = lake.stamps("folder", deep=True)
    assert [stamp.split(" ")[0] for stamp in before] == ["b", "deep/c"]
    assert [stamp.split(" ")[0] for stamp in lake.stamps("folder")] == ["b"]
    assert lake.stamps("folder", deep=True) == before
    lake.write("a", b"two")
    assert lake.stamps("folder", deep=True) == before
    lake.write("folder/deep/c", b"two")
    after = lake.stamps("folder", deep=True)
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert lake.stamps("nowhere") == lake.stamps("nowhere", deep=True) == []


def test_temp_files_are_not_listed_and_swept_when_they_are_old(lake: Location) -> None:
    lake.write("archive/.tmp-1", b"half")
    lake.write("archive/a", b"")
    assert list(lake.keys()) == ["archive/a"]
    assert lake.names("archive") == ["a"]
    assert lake.sweep("archive", older=timedelta(minutes=5)) == []
    assert lake.sweep("archive", older=timedelta(seconds=-5)) == ["archive/.tmp-1"]
    assert lake.sweep("archive", older=timedelta(seconds=-5)) == []


def test_many_files_are_put_in_place_together(lake: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_OPEN", 2)
    files = {f"table/{number}": bytes(range(number)) * 1000 for number in range(5)}
    lake.write("table/3", b"an older one")
    lake.write_unseen(iter(files.items()))
    assert {entry.key: lake.read(entry.key) for entry in lake.entries()} == files
    with pytest.raises(InvalidData, match="not a key"):
        lake.write_unseen([("../up", b"")])


def test_none_of_many_files_is_left_half_written_when_it_fails(lake: Location) -> None:
    def files() -> Iterator[tuple[str, bytes]]:
        yield "table/1", b"one" * 1000
        yield "table/2", b"two" * 1000
        raise Damaged("the third")

    with pytest.raises(Damaged, match="the third"):
        lake.write_unseen(files())
    # those before it may be there, as a next call looks for them
    assert {lake.read(entry.key) for entry in lake.entries()} <= {b"one" * 1000, b"two" * 1000}


def test_entries_tell_size_and_time_of_every_file_below(lake: Location) -> None:
    # a dot stands before a slash
    for key in ("a/b/1", "a/2", "ab/3", "4", "a.txt"):
        lake.write(key, key.encode())
    assert [(entry.key, entry.size) for entry in lake.entries("a")] == [("a/2", 3), ("a/b/1", 5)]
    assert [entry.key for entry in lake.entries()] == ["4", "a.txt", "a/2", "a/b/1", "ab/3"]
    assert list(lake.entries("none")) == []
    for entry in lake.entries():
        assert abs(entry.modified - datetime.now(UTC)) < timedelta(seconds=10)


def test_a_file_that_a_program_writes_by_itself_appears_when_it_is_whole(tmp_path: Path) -> None:
    lake = Location(tmp_path / "lake")
    with lake.placing("a/b") as path:
        path.write_bytes(b"new")
        assert list(lake.keys()) == []
    assert lake.read("a/b") == b"new"

    def fail() -> None:
        with lake.placing("a/b") as path:
            path.write_bytes(b"torn")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (lake.read("a/b"), [file.name for file in (tmp_path / "lake" / "a").iterdir()]) == (b"new", ["b"])


def test_only_a_local_disk_has_paths_for_programs(bucket: Bucket) -> None:
    with pytest.raises(InvalidData, match="not on local disk"), bucket.location.placing("a"):
        pass
