import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.errors import InvalidData, NotFound, StorageError
from lakehouse_assets.storage.digest import DigestWriter
from lakehouse_assets.storage.files import TEMP_PREFIX
from lakehouse_assets.storage.location import Location, checked
from lakehouse_assets.storage.options import for_delta, for_s3fs


@pytest.fixture(params=["local", "memory"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "local":
        return Location(tmp_path / "lake")
    return Location(f"memory://{tmp_path.name}/lake")


def test_a_relative_path_becomes_an_absolute_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Location("data/").uri == f"file://{tmp_path}/data"
    assert Location("data/../other").path == tmp_path / "other"
    assert Location(f"file://{tmp_path}/data/") == Location(tmp_path / "data")


def test_addresses_of_object_stores_are_normalised() -> None:
    location = Location("s3://bucket//lake/", {"key": "me"})
    assert location.uri == "s3://bucket/lake"
    assert (location.path, location.local("a")) == (None, None)
    assert location.url("a/b") == "s3://bucket/lake/a/b"
    assert (location / "acme").storage_options == {"key": "me"}
    assert (location / "acme").name == "acme"
    assert Location("s3a://bucket/lake") == location


@pytest.mark.parametrize("uri", ["", " ", "s3://", "s3://bucket/../x", "a\0b", "memory://a/./b"])
def test_a_place_that_can_be_no_lake_is_refused(uri: str) -> None:
    with pytest.raises(InvalidData, match="not a place"):
        Location(uri)


def test_a_lake_at_a_web_server_is_refused_with_a_hint() -> None:
    with pytest.raises(InvalidData, match="LAKEHOUSE_DAGSTER_URL"):
        Location("https://example.org/lake")


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/../b", "a/..", ".", "a\0b"])
def test_a_key_that_leaves_its_folder_is_refused(lake: Location, key: str) -> None:
    with pytest.raises(InvalidData):
        lake.read(key)
    with pytest.raises(InvalidData):
        lake.write(key, b"")


@given(st.text())
def test_a_checked_key_stays_below_its_folder(key: str) -> None:
    try:
        checked(key)
    except InvalidData:
        return
    path = os.path.normpath(f"/lake/{key}")
    assert path == f"/lake/{key}"
    assert "\0" not in key


KEYS = st.from_regex(r"[a-zA-Z0-9 äß*\[\]%@#?+~.-]{1,8}(/[a-z*\[%]{1,5}){0,2}", fullmatch=True).filter(
    lambda key: not any(part.strip(".") == "" or part.startswith(".") for part in key.split("/"))
)


@given(st.dictionaries(KEYS, st.binary(max_size=20), max_size=5))
def test_what_is_written_is_read_and_listed(files: dict[str, bytes]) -> None:
    # a file cannot be a folder, too
    files = {key: data for key, data in files.items() if not any(key.startswith(f"{o}/") for o in files)}
    lake = Location("memory://property") / os.urandom(8).hex()
    for key, data in files.items():
        lake.write(key, data)
    assert list(lake.keys()) == sorted(files)
    assert {key: lake.read(key) for key in files} == files
    assert lake.folders() == sorted({key.split("/")[0] for key in files if "/" in key})
    for key in files:
        assert lake.delete(key)
    assert list(lake.keys()) == []


def test_a_missing_file_is_named(lake: Location) -> None:
    assert lake.read_or_none("a/b") is None
    assert (lake.exists("a/b"), lake.size("a/b"), lake.modified("a/b")) == (False, None, None)
    assert not lake.delete("a/b")
    for read in (lake.read, lake.open):
        with pytest.raises(NotFound, match="a/b does not exist"):
            read("a/b")
    assert list(lake.keys("a")) == []
    assert lake.folders("a") == []


def test_a_folder_is_no_file(lake: Location) -> None:
    lake.write("a/b", b"1")
    assert not lake.exists("a")
    assert lake.size("a") is None
    assert lake.modified("a") is None


def test_size_and_time_of_a_file(lake: Location) -> None:
    lake.write("a", b"12")
    modified = lake.modified("a")
    assert lake.size("a") == 2
    assert modified is not None
    assert abs(modified - datetime.now(UTC)) < timedelta(seconds=10)
    with lake.open("a") as file:
        assert file.read() == b"12"


def test_create_keeps_what_is_there(lake: Location) -> None:
    assert lake.create("a/b", b"1")
    assert not lake.create("a/b", b"2")
    assert lake.read("a/b") == b"1"


def test_only_one_of_many_creates(lake: Location) -> None:
    results: list[bool] = []
    gate = threading.Barrier(8)

    def create() -> None:
        gate.wait()
        results.append(lake.create("a", b"1"))

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 7 + [True]


def test_swap_changes_only_what_it_expects(lake: Location) -> None:
    assert not lake.swap("a", b"1", b"2")
    lake.write("a", b"1")
    assert not lake.swap("a", b"0", b"2")
    assert lake.swap("a", b"1", b"2")
    assert not lake.clear("a", b"1")
    assert lake.clear("a", b"2")
    assert not lake.read_or_none("a")


def test_delete_tree_takes_names_literally(lake: Location) -> None:
    for key in ("a/*/x", "a/b/x", "ab/x"):
        lake.write(key, b"")
    lake.delete_tree("a/*")
    assert list(lake.keys()) == ["a/b/x", "ab/x"]
    lake.delete_tree("a")
    lake.delete_tree("never")
    assert list(lake.keys()) == ["ab/x"]


def test_a_writer_knows_digest_and_size_after_its_block(lake: Location) -> None:
    with lake.writer("exports/a.csv") as writer:
        writer.write(b"hel")
        writer.write(memoryview(b"lo"))
    assert lake.read("exports/a.csv") == b"hello"
    assert writer.size == 5
    assert writer.digest == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def test_a_failed_writer_leaves_the_old_file_and_nothing_else(lake: Location) -> None:
    lake.write("a", b"old")

    def work(writer: DigestWriter) -> None:
        writer.write(b"new")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), lake.writer("a") as writer:
        work(writer)
    assert lake.read("a") == b"old"
    if lake.path:
        assert os.listdir(lake.path) == ["a"]


def test_nobody_sees_a_file_before_its_writer_ended(lake: Location) -> None:
    with lake.writer("a") as writer:
        writer.write(b"half")
        assert not lake.exists("a")
        assert list(lake.keys()) == []
    assert lake.exists("a")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        writer = DigestWriter(full, place="exports/a.csv")
        with pytest.raises(StorageError, match=r"exports/a.csv: No space left"):
            writer.write(b"1")
    assert writer.size == 0


def test_a_file_where_a_folder_must_be_is_named(tmp_path: Path) -> None:
    lake = Location(tmp_path)
    lake.write("a", b"")
    assert lake.read_or_none("a/b") is None
    with pytest.raises(StorageError, match=str(tmp_path / "a")):
        lake.write("a/b", b"")


def test_temp_files_of_the_dead_are_swept_when_they_are_old(tmp_path: Path) -> None:
    lake = Location(tmp_path)
    left = tmp_path / "exports" / f"{TEMP_PREFIX}1"
    left.parent.mkdir()
    left.touch()
    assert list(lake.keys()) == []
    assert lake.sweep(older=timedelta(hours=1)) == []
    os.utime(left, (0, 0))
    assert lake.sweep(older=timedelta(hours=1)) == [f"exports/{TEMP_PREFIX}1"]
    assert not left.exists()


# fsspec's own destructor trips over what it could not open
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_unknown_kind_of_storage_is_named() -> None:
    with pytest.raises(InvalidData, match="nope://a/b cannot be opened"):
        Location("nope://a/b").exists("c")
    with pytest.raises(InvalidData, match=r"ftp://a/b cannot be opened.*folder or on S3"):
        Location("ftp://a/b").exists("c")


def test_a_local_lake_loads_no_heavy_package() -> None:
    code = (
        "import sys, lakehouse_assets.settings\n"
        "from lakehouse_assets.model import dataset, job, pipeline\n"
        "from lakehouse_assets.storage import jobs, leases, location, records, tags, versions, compression\n"
        "location.Location('x').exists('a')\n"
        "heavy = {'followthemoney', 'dagster', 'polars', 'duckdb', 's3fs', 'fsspec', 'deltalake'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_options_are_understood_in_both_vocabularies() -> None:
    fsspec = {"key": "k", "secret": "s", "endpoint_url": "http://store:9000", "region": "eu"}
    delta = {
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_ENDPOINT_URL": "http://store:9000",
        "AWS_REGION": "eu",
    }
    assert for_delta(fsspec, {}) == for_delta(delta, {})
    assert delta.items() <= for_delta(fsspec, {}).items()
    assert for_delta(fsspec, {})["AWS_ALLOW_HTTP"] == "true"
    assert for_s3fs(fsspec, {}) == for_s3fs({**delta, "AWS_ALLOW_HTTP": "true"}, {})
    assert for_s3fs(fsspec, {})["client_kwargs"] == {"region_name": "eu"}


def test_a_region_of_delta_alone_is_told_to_boto() -> None:
    assert for_s3fs({}, {"AWS_REGION": "eu"})["client_kwargs"] == {"region_name": "eu"}
    assert "client_kwargs" not in for_s3fs({}, {"AWS_REGION": "eu", "AWS_DEFAULT_REGION": "us"})


@pytest.mark.parametrize("name", ["FSSPEC_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_an_endpoint_that_delta_does_not_know_is_told_to_it(name: str) -> None:
    found = for_delta({}, {name: "http://store:9000", "AWS_ENDPOINT_URL": "https://other"})
    assert (found["AWS_ENDPOINT_URL"], found["AWS_ALLOW_HTTP"]) == ("http://store:9000", "true")
    assert "AWS_ENDPOINT_URL" not in for_delta({}, {})


def test_time_limits_and_tries_hold_for_both() -> None:
    options = {"timeout": "5", "connect_timeout": "2s"}
    boto = for_s3fs(options, {"AWS_MAX_ATTEMPTS": "2"})["config_kwargs"]
    assert boto == {
        "connect_timeout": 2.0,
        "read_timeout": 5.0,
        "retries": {"mode": "standard", "total_max_attempts": 2},
    }
    delta = for_delta(options, {"AWS_MAX_ATTEMPTS": "2"})
    assert (delta["timeout"], delta["connect_timeout"], delta["max_retries"]) == ("5s", "2s", "1")
    with pytest.raises(InvalidData, match="timeout='soon' is no number of seconds"):
        for_s3fs({"timeout": "soon"})


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidData, match="do not belong") as caught:
        Location("s3://me:hush@bucket/lake")
    assert "hush" not in str(caught.value)


def test_names_are_those_of_the_files_directly_in_a_folder(lake: Location) -> None:
    for key in ("a/2", "a/1", "a/b/3", "c"):
        lake.write(key, b"")
    lake.write(f"a/{TEMP_PREFIX}0", b"")
    assert lake.names("a") == ["1", "2"]
    assert lake.names() == ["c"]
    assert lake.names("nowhere") == lake.names("c") == []


def test_a_file_moves_into_a_new_folder_and_in_place_of_another(lake: Location) -> None:
    lake.write("a", b"1")
    lake.move("a", "b/c/d")
    assert list(lake.keys()) == ["b/c/d"]
    lake.write("a", b"2")
    lake.move("a", "b/c/d")
    assert (lake.read("b/c/d"), lake.exists("a")) == (b"2", False)
    with pytest.raises(NotFound, match="a does not exist"):
        lake.move("a", "b/c/d")
    assert lake.read("b/c/d") == b"2"


def test_where_no_folder_can_be_made_that_is_said() -> None:
    with pytest.raises(StorageError, match="/proc/lake: no folder can be made there"):
        Location("/proc/lake").write("a/b", b"")
