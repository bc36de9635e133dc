"""Garbage of a lake in a bucket."""

import hashlib
import io
from datetime import UTC, datetime, timedelta

import pytest

from lakehouse_assets import layout
from lakehouse_assets.collections import Schema
from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.garbage import blobs
from lakehouse_assets.lake import Dataset
from lakehouse_assets.storage.garbage import Clock
from tests.factories import company, entity
from tests.s3.store import Bucket


@pytest.fixture
def acme(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset whose files are two days old."""
    monkeypatch.setattr(Clock, "now", datetime.now(UTC) + timedelta(days=2))
    return bucket.lake.create_dataset("acme")


def orphan(dataset: Dataset, text: str) -> str:
    """An archived content without a path; gives its checksum."""
    checksum = hashlib.sha256(text.encode()).hexdigest()
    dataset.location.write(layout.blob(checksum), text.encode())
    return checksum


def test_garbage_of_all_kinds_goes_in_two_steps(acme: Dataset, bucket: Bucket) -> None:
    lake = acme.lake
    gone, named = orphan(acme, "gone"), orphan(acme, "named")
    acme.location.write(f"{layout.folder(gone)}/default.txt", b"text")
    acme.import_entities([entity("d", "Document", contentHash=[named])])
    other = lake.create_dataset("other")
    other.import_entities([company()])
    lake.delete_dataset("other")
    made = lake.collections.create_collection(Schema(time="int*"), "c")
    (made / "s").write({"time": [1]})
    lake.collections.delete("c")
    marked = lake.gc()
    assert (marked.deleted, len(marked.marked) > 8, marked.unknown) == ((), True, ())
    assert set(lake.gc_sweep(0).deleted) == set(marked.marked)
    assert (lake.gc(0).deleted, lake.gc(0).marked) == ((), ())
    assert (acme.archive.exists(gone), acme.archive.open(named).read()) == (False, b"named")
    assert (lake.deleted_datasets(), lake.location.folders()) == ({}, [".lakehouse", "acme"])
    assert lake.check_references().passed
    keys = " ".join(bucket.keys())
    assert ("/other/" in keys, layout.LAKE_GC in keys) == (False, False)


def test_what_is_stored_again_while_it_is_deleted_stays(
    acme: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    checksum = orphan(acme, "again")
    acme.lake.gc_mark()
    plain = blobs._put_aside

    def put_aside(dataset: object, checksum: str) -> str | None:
        done = plain(acme.location, checksum)
        assert acme.archive.open(checksum).read() == b"again"
        acme.archive.put(io.BytesIO(b"again"), key="a.txt")
        return done

    monkeypatch.setattr(blobs, "_put_aside", put_aside)
    assert acme.lake.gc_sweep(0).deleted == ()
    assert acme.location.read(layout.blob(checksum)) == b"again"
    assert acme.location.names(layout.folder(checksum))[0] == "blob"
    assert len(acme.location.names(layout.folder(checksum))) == 2


def test_a_store_that_fails_in_the_sweep_loses_nothing(acme: Dataset, bucket: Bucket) -> None:
    checksums = [orphan(acme, f"text {number}") for number in range(4)]
    acme.lake.gc_mark()
    bucket.rule(methods=["DELETE"], contains="/blob", after=2, status=403)
    with pytest.raises(LakehouseError):
        acme.lake.gc_sweep(0)
    bucket.heal()
    for checksum in checksums:
        assert acme.archive.exists(checksum)
    acme.import_entities([entity("d", "Document", contentHash=[checksums[0]])])
    for _ in range(2):
        acme.lake.gc(0)
    assert [acme.archive.exists(checksum) for checksum in checksums] == [True, *[False] * 3]
    assert acme.location.exists(layout.blob(checksums[0]))
