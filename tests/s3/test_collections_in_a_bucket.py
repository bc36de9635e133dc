"""Collections in a bucket: what holds on local disk, and what a store can do to it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import deltalake
import pytest

from lakehouse_assets.collections import Repo, Schema
from lakehouse_assets.errors import Diverged, InvalidData, StorageError
from lakehouse_assets.storage.options import for_delta
from tests.s3.keys import KEY, SECRET
from tests.s3.store import Bucket

SCHEMA = Schema(time="int*", value="float")
ROWS = {"time": [1, 2, 3], "value": [1.0, 2.0, 3.0]}


@pytest.fixture
def repo(bucket: Bucket) -> Repo:
    return Repo(bucket.uri, bucket.options)


def test_collections_live_in_a_bucket(repo: Repo, bucket: Bucket, tmp_path: Path) -> None:
    made = repo.create_collection(SCHEMA, "a", "b/c")[0]
    with made.multi():
        for name in ("x", "y"):
            (made / name).write(ROWS)
    (made / "x").write({"time": [2], "value": [20.0]})
    assert Repo(bucket.location).ls() == ["a", "b/c"]
    found = Repo(bucket.location).get("a")
    assert (found / "x").frame(start=2)["value"].to_list() == [20.0, 3.0]
    assert (found / "x").frame(before=found.revisions()[-1])["value"].to_list() == [1.0, 2.0, 3.0]
    repo.rename("a", "d")
    repo.delete("b/c")
    assert repo.ls() == ["d"]
    assert found.trim(found.revisions()[0].at) == 1
    assert found.trim(found.revisions()[-1].at) == 0
    assert found.ls() == ["x", "y"]
    assert repo.export_collections(tmp_path) == {"d": 6}
    assert repo.export_collections(f"s3://{bucket.name}/out", file_type="parquet") == {"d": 6}
    other = Repo()
    for source, options in ((tmp_path, None), (f"s3://{bucket.name}/out", bucket.options)):
        other.import_collections(source, storage_options=options)
        assert (other.get("d") / "x").frame().rows() == (found / "x").frame().rows()
    assert len(other.get("d").revisions()) == 1


def test_others_read_what_lies_in_a_bucket(repo: Repo, bucket: Bucket) -> None:
    made = repo.create_collection(SCHEMA, "a")
    for value in range(3):
        (made / "s").write({"time": [1], "value": [float(value)]})
    assert made.table.log.checkpoint()
    table = deltalake.DeltaTable(made.location.uri, storage_options=for_delta(bucket.options))
    assert (table.version(), table.to_pyarrow_table().to_pylist()) == (
        3,
        [{"series": "s", "time": 1, "value": 2.0}],
    )
    assert (Repo(bucket.location).get("a") / "s").frame().rows() == [(1, 2.0)]


def test_many_who_write_at_once_all_get_through(repo: Repo, bucket: Bucket) -> None:
    repo.create_collection(SCHEMA, "a")

    def write(number: int) -> None:
        found = Repo(bucket.location).get("a")
        (found / "s").write({"time": [number], "value": [1.0]})

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(12)))
    assert (repo.get("a") / "s").frame()["time"].to_list() == list(range(12))


def test_a_cache_saves_reading_the_bucket_twice(repo: Repo, bucket: Bucket, tmp_path: Path) -> None:
    (repo.create_collection(SCHEMA, "a") / "s").write(ROWS)
    cached = Repo([tmp_path, bucket.uri], bucket.options)
    series = cached.get("a") / "s"
    assert series.frame().height == 3
    bucket.rule(methods=["GET"], contains=".parquet", status=503)
    assert series.frame().height == 3
    with pytest.raises(StorageError):
        (repo.get("a") / "s").frame()
    # what the collection has now only the bucket knows: nothing old is shown for it
    bucket.rule(status=503)
    with pytest.raises(StorageError):
        series.frame()
    with pytest.raises(StorageError):
        Repo([tmp_path, bucket.uri], bucket.options).ls()


def test_a_commit_whose_answer_is_lost_is_made_once(repo: Repo, bucket: Bucket) -> None:
    made = repo.create_collection(SCHEMA, "a")
    (made / "s").write(ROWS)
    bucket.rule(methods=["PUT"], contains="_delta_log", lose=True, status=500, code="InternalError", times=1)
    (made / "s").write({"time": [4], "value": [4.0]})
    bucket.heal()
    assert [each.version for each in made.revisions()] == [1, 2]
    assert (repo.get("a") / "s").frame()["time"].to_list() == [1, 2, 3, 4]


def test_a_store_that_refuses_changes_nothing(repo: Repo, bucket: Bucket) -> None:
    made = repo.create_collection(SCHEMA, "a")
    (made / "s").write(ROWS)
    before = bucket.keys()
    bucket.rule(methods=["PUT", "POST"], status=503)
    with pytest.raises(StorageError):
        (made / "s").write({"time": [4], "value": [4.0]})
    with pytest.raises(StorageError):
        repo.rename("a", "b")
    with pytest.raises(StorageError):
        repo.create_collection(SCHEMA, "c")
    bucket.heal()
    assert (Repo(bucket.location).ls(), bucket.keys()) == (["a"], before)
    assert (made / "s").frame().height == 3


def test_a_store_that_ignores_conditions_is_refused(bucket: Bucket) -> None:
    bucket.rule(ignore="If-None-Match")
    with pytest.raises(StorageError, match=r"condition|overwrit"):
        Repo(bucket.location).create_collection(SCHEMA, "a")
    bucket.heal()
    assert Repo(bucket.location).ls() == []


def test_collections_are_pushed_to_a_bucket_and_pulled_from_it(
    repo: Repo, bucket: Bucket, tmp_path: Path
) -> None:
    local = Repo(tmp_path / "one")
    made = local.create_collection(SCHEMA, "a")
    for value in (1.0, 2.0):
        (made / "s").write({"time": [1, 2], "value": [value, value]})
    assert local.push(repo).files == 2
    other = Repo(tmp_path / "two")
    assert (other.pull(repo, shallow=True).files, other.pull(repo).files, other.pull(repo).files) == (1, 1, 0)
    (other.get("a") / "s").write({"time": [3], "value": [3.0]})
    (made / "s").write({"time": [4], "value": [4.0]})
    other.push(repo)
    with pytest.raises(Diverged):
        local.push(repo)
    local.pull(repo, resolve="ours")
    assert (local.get("a") / "s").frame()["time"].to_list() == [1, 2, 3, 4]
    local.push(repo)
    assert (Repo(bucket.location).get("a") / "s").frame()["time"].to_list() == [1, 2, 3, 4]


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_remote_that_vanishes_leaves_nothing_half(
    repo: Repo, bucket: Bucket, tmp_path: Path, after: int
) -> None:
    made = repo.create_collection(SCHEMA, "a")
    for number in range(4):
        (made / "s").write({"time": [number], "value": [1.0]})
    here = Repo(tmp_path)
    bucket.rule(methods=["GET"], contains=".parquet", after=after, status=503)
    with pytest.raises(StorageError):
        here.pull(repo)
    bucket.heal()
    assert here.ls() == []
    here.pull(repo)
    assert (here.get("a") / "s").frame()["time"].to_list() == [0, 1, 2, 3]
    (here.get("a") / "s").write({"time": [9], "value": [9.0]})
    for requests in (0, 1):
        bucket.rule(methods=["PUT"], after=requests, status=503)
        with pytest.raises(StorageError):
            here.push(repo)
        bucket.heal()
        assert len(Repo(bucket.location).get("a") / "s") == 4
    here.push(repo)
    assert (Repo(bucket.location).get("a") / "s").frame()["time"].to_list() == [0, 1, 2, 3, 9]


def test_a_missing_bucket_is_no_empty_one(bucket: Bucket) -> None:
    repo = Repo("s3://no-such-bucket/lake", bucket.options)
    for act in (repo.ls, lambda: repo.create_collection(SCHEMA, "a")):
        with pytest.raises(StorageError, match=r"no-such-bucket.*make the bucket"):
            act()


def test_keys_are_in_nothing_that_is_written_or_shown(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "lakehouse_assets")
    options = {name: value for name, value in bucket.options.items() if name not in ("key", "secret")}
    repo = Repo(f"s3://{KEY}:{SECRET}@{bucket.name}/lake", options)
    made = repo.create_collection(SCHEMA, "a")
    (made / "s").write(ROWS)
    with pytest.raises(InvalidData) as caught:
        repo.create_collection(SCHEMA, "a")
    told = [
        caplog.text,
        repr(repo),
        repr(made),
        str(caught.value),
        repo.uri,
        json.dumps(vars(repo.entries()[0]), default=str),
    ]
    told += [
        bucket.location.read(key.removeprefix("lake/")).decode(errors="replace")
        for key in bucket.keys()  # noqa: SIM118
    ]
    assert not [text for text in told if SECRET in text]
