"""Addresses of collections."""

from pathlib import Path

import pytest

from lakehouse_assets.collections import Repo, Schema
from lakehouse_assets.collections.places import place_of
from lakehouse_assets.errors import InvalidData, StorageError

SCHEMA = Schema(time="int*", value="float")


def test_a_place_in_memory_is_shared_by_its_name() -> None:
    Repo("memory://shared").create_collection(SCHEMA, "a")
    assert (Repo("memory://shared").ls(), Repo("memory://other").ls(), Repo().ls()) == (["a"], [], [])


def test_a_path_and_a_file_url_mean_the_same(tmp_path: Path) -> None:
    Repo(tmp_path).create_collection(SCHEMA, "a")
    assert Repo(f"file://{tmp_path}").ls() == Repo(str(tmp_path)).ls() == Repo([tmp_path]).ls() == ["a"]


def test_a_key_and_a_secret_in_an_address_become_options() -> None:
    place = place_of("s3://me:s%2Fecret@bucket/lake?endpoint_url=http://store:9000")
    assert place.location.uri == "s3://bucket/lake"
    options = {"key": "me", "secret": "s/ecret", "endpoint_url": "http://store:9000"}
    assert place.location.storage_options == options
    assert "secret" not in repr(place) + str(Repo("s3://me:s%2Fecret@bucket/lake"))
    assert place_of("s3:///bucket?key=me&secret=x").location.uri == "s3://bucket"


def test_an_unknown_option_in_an_address_is_refused_without_its_value() -> None:
    with pytest.raises(InvalidData) as caught:
        place_of("s3://bucket?passwort=hush")
    assert "hush" not in str(caught.value)


def test_there_are_two_places_at_most(tmp_path: Path) -> None:
    for places in ([], ["a", "b", "c"], [str(tmp_path), str(tmp_path)]):
        with pytest.raises(InvalidData):
            place_of(places)


def test_what_is_read_once_is_read_from_the_cache(tmp_path: Path) -> None:
    cache, origin = tmp_path / "cache", tmp_path / "origin"
    series = Repo(origin).create_collection(SCHEMA, "a") / "s"
    series.write({"time": [1, 2], "value": [1.0, 2.0]})
    cached = Repo([cache, origin])
    found = cached / "a"
    assert found is not None
    assert not cache.exists()
    assert (found / "s").frame().height == 2
    files = list(cache.rglob("*.parquet"))
    assert [file.name for file in files] == [file.name for file in origin.rglob("collections/*/*.parquet")]
    for file in origin.rglob("collections/*/*.parquet"):
        file.unlink()
    assert (found / "s").frame()["value"].to_list() == [1.0, 2.0]
    # half a file is none
    files[0].write_bytes(b"PAR1")
    with pytest.raises(StorageError, match="is gone"):
        (found / "s").frame()


def test_a_cache_shows_what_others_write(tmp_path: Path) -> None:
    origin = Repo(tmp_path / "origin")
    series = origin.create_collection(SCHEMA, "a") / "s"
    series.write({"time": [1], "value": [1.0]})
    cached = Repo([tmp_path / "cache", tmp_path / "origin"])
    found = cached / "a"
    assert found is not None
    assert (found / "s").frame().rows() == [(1, 1.0)]
    series.write({"time": [1], "value": [5.0]})
    assert (found / "s").frame().rows() == [(1, 5.0)]
    (found / "s").write({"time": [2], "value": [6.0]})
    assert series.frame().rows() == [(1, 5.0), (2, 6.0)]
    assert not list((tmp_path / "cache").rglob("_delta_log"))


def test_a_place_with_a_cache_is_pulled_to_and_from(tmp_path: Path) -> None:
    origin, other = Repo(tmp_path / "origin"), Repo(tmp_path / "other")
    series = origin.create_collection(SCHEMA, "a") / "s"
    series.write({"time": [1], "value": [1.0]})
    cached = Repo([tmp_path / "cache", tmp_path / "origin"])
    assert other.pull(cached).files == 1
    (other.get("a") / "s").write({"time": [2], "value": [2.0]})
    assert ((cached.get("a") / "s").frame().height, cached.pull(other).files) == (1, 1)
    assert (cached.get("a") / "s").frame()["time"].to_list() == [1, 2]
    (other.get("a") / "s").write({"time": [3], "value": [3.0]})
    (cached.get("a") / "s").write({"time": [4], "value": [4.0]})
    cached.pull(other, resolve="ours")
    assert (cached.get("a") / "s").frame()["time"].to_list() == [1, 2, 3, 4]
    other.pull(cached)
    assert (other.get("a") / "s").frame()["time"].to_list() == [1, 2, 3, 4]
    assert cached.pull(other).files == 0
