"""Datasets that are pushed to a bucket and pulled from there, also while it fails."""

from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import Diverged, StorageError
from lakehouse_assets.lake import Lake
from tests.factories import company, person, rows_of
from tests.s3.store import Bucket, Server


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake on local disk: acme with entities, two archived files and exports."""
    made = Lake(tmp_path / "lake")
    acme = made.create_dataset("acme", title="Acme leak")
    acme.import_entities([company("c1"), person("p1")])
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name * 100)
        acme.archive.store(tmp_path / name, key=f"papers/{name}")
    acme.make()
    return made


def stale(lake: Lake) -> list[str]:
    names = ("statements", "entities", "documents", "statistics", "index")
    return [name for name in names if not lake.dataset("acme").freshness(name).fresh]


def test_a_dataset_goes_to_a_bucket_and_back(lake: Lake, bucket: Bucket, tmp_path: Path) -> None:
    done = lake.push(bucket.lake)
    assert (done.blobs_moved, bucket.lake.datasets(), stale(bucket.lake)) == (2, ["acme"], [])
    assert lake.push(bucket.lake).same == ("acme",)
    far = bucket.lake.dataset("acme")
    far.import_entities([person("p2")])
    assert lake.pull(bucket.lake).steps[0].versions == 1
    lake.dataset("acme").import_entities([person("p3")])
    far.delete(["c1"])
    with pytest.raises(Diverged):
        lake.push(bucket.lake)
    lake.push(bucket.lake, resolve="union")
    assert lake.pull(bucket.lake).steps[0].state == "behind"
    ours = rows_of(lake.dataset("acme"))
    assert ours.equals(rows_of(bucket.lake.dataset("acme")))
    assert sorted(ours["entity_id"].unique()) == ["p1", "p2", "p3"]
    other = Lake(tmp_path / "other")
    other.pull(bucket.lake, shallow=True)
    assert rows_of(other.dataset("acme")).equals(ours)
    assert len(list(other.dataset("acme").archive.files())) == 2


def test_a_dataset_goes_from_one_bucket_to_another(lake: Lake, bucket: Bucket, server: Server) -> None:
    second = server.bucket(f"{bucket.name}-2")
    lake.push(bucket.lake)
    assert second.lake.pull(bucket.lake).datasets == ("acme",)
    assert second.lake.pull(bucket.lake).same == ("acme",)
    assert rows_of(second.lake.dataset("acme")).equals(rows_of(lake.dataset("acme")))
    assert (second.uploads(), stale(second.lake)) == ([], [])


@pytest.mark.parametrize("what", ["/blob", "_delta_log", "-written"])
def test_a_push_that_is_refused_half_way_is_gone_on_with(lake: Lake, bucket: Bucket, what: str) -> None:
    bucket.rule(methods=["PUT"], contains=what, status=403)
    with pytest.raises(StorageError):
        lake.push(bucket.lake)
    bucket.heal()
    # nothing is listed before it is whole
    for name in bucket.lake.datasets():
        assert rows_of(bucket.lake.dataset(name)).equals(rows_of(lake.dataset(name)))
    done = lake.push(bucket.lake)
    assert done.blobs_moved == (2 if what == "/blob" else 0)
    assert rows_of(bucket.lake.dataset("acme")).equals(rows_of(lake.dataset("acme")))
    assert stale(bucket.lake) == []
    assert not bucket.location.exists(f"acme/{layout.REPLICA_BEGUN}")


def test_a_remote_that_vanishes_leaves_the_dataset_as_it_was(
    lake: Lake, mortal: Bucket, tmp_path: Path
) -> None:
    lake.push(mortal.lake)
    other = Lake(tmp_path / "other")
    other.pull(mortal.lake)
    mortal.lake.dataset("acme").import_entities([person(f"n{number}") for number in range(50)])
    before = rows_of(other.dataset("acme"))
    remote = mortal.lake
    # while its files are brought
    mortal.rule(methods=["GET"], contains=".parquet", die=True)
    with pytest.raises(StorageError):
        other.pull(remote)
    assert rows_of(other.dataset("acme")).equals(before)
    assert stale(other) == []
    with pytest.raises(StorageError):
        other.push(remote)


def test_a_damaged_file_in_a_bucket_is_told_of(lake: Lake, bucket: Bucket, tmp_path: Path) -> None:
    lake.push(bucket.lake)
    (first, second) = lake.dataset("acme").archive.files()
    bucket.location.write(f"acme/{layout.blob(first.checksum)}", b"garbage")
    other = Lake(tmp_path / "other")
    assert other.pull(bucket.lake).quarantined == (f"acme/{first.checksum}",)
    archive = other.dataset("acme").archive
    assert (archive.exists(first.checksum), archive.exists(second.checksum)) == (False, True)
    # a look at the other side mends it
    assert other.pull(lake).blobs_moved == 1
    assert archive.verify().bad == []
