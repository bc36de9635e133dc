"""Downloads from and to a bucket."""

import io
import os
from pathlib import Path

import pytest

from lakehouse_assets.archive import delivery
from lakehouse_assets.errors import StorageError
from lakehouse_assets.lake import Dataset
from lakehouse_assets.storage.location import Location
from tests.factories import entity, make_dataset
from tests.s3.store import Bucket

IN_MEMORY = 1 << 17
FILES = {"a.txt": b"one", "b* [1].txt": b"two", "large.bin": os.urandom(2 * IN_MEMORY)}


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less has to be sent for a file to count as large."""
    monkeypatch.setattr(delivery, "IN_MEMORY", IN_MEMORY)


def fill(dataset: Dataset, files: dict[str, bytes]) -> Dataset:
    """Files in the archive, and the documents that tell of them."""
    stored = [dataset.archive.put(io.BytesIO(data), key=key).file for key, data in files.items()]
    documents = [
        entity(file.id, "Document", fileName=[file.key], contentHash=[file.checksum]) for file in stored
    ]
    dataset.import_entities(documents)
    return dataset


def contents(location: Location) -> dict[str, bytes]:
    return {key: location.read(key) for key in location.keys()}  # noqa: SIM118


def test_a_lake_on_s3_is_downloaded_to_the_same_store_and_to_a_folder(bucket: Bucket, tmp_path: Path) -> None:
    dataset = fill(bucket.lake.create_dataset("acme"), FILES)
    for target in (f"s3://{bucket.name}/files", str(tmp_path / "files")):
        assert (dataset.download(target).done, dataset.download(target).done) == (3, 0)
        options = bucket.options if target.startswith("s3") else {}
        assert contents(Location(target, options)) == FILES
    assert bucket.uploads() == []


def test_a_local_lake_is_downloaded_to_s3_and_the_rest_after_a_loss(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    dataset = fill(make_dataset(tmp_path / "lake"), FILES)
    target = f"s3://{bucket.name}/files"
    assert dataset.download(target).done == 3
    files = Location(target)
    files.delete("a.txt")
    files.write("large.bin", b"other bytes")
    job = dataset.download(target)
    assert (job.done, job.replaced, job.skipped) == (2, 1, 1)
    assert contents(files) == FILES


def test_a_bucket_that_is_not_there_is_one_clear_error(bucket: Bucket) -> None:
    dataset = fill(bucket.lake.create_dataset("acme"), {str(number): bytes([number]) for number in range(25)})
    with pytest.raises(StorageError, match=r"20 files in a row .* make the bucket first"):
        dataset.download("s3://nowhere-at-all/files")
