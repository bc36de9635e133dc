"""Files of a bucket are crawled, into a lake on disk and into one in a bucket."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse_assets.archive.sources.base import SourceChanged, nanoseconds
from lakehouse_assets.archive.sources.s3 import S3Source
from lakehouse_assets.errors import InvalidData, NotFound, StorageError
from lakehouse_assets.lake import Dataset
from lakehouse_assets.storage.options import for_s3fs
from tests.crawling import (
    contents_of,
    counts,
    failures_of,
    listed,
    names_of,
    paths_of,
    read,
    unreadable,
    write_tree,
)
from tests.factories import make_dataset
from tests.s3.keys import WRONG
from tests.s3.store import Bucket

FILES = {"a.txt": b"one", "deep/b c+%20#?.pdf": b"%PDF two", "deep/er/ünï.csv": b"x,y\n"}
MB = 1 << 20

Put = Callable[[str, bytes], None]


@pytest.fixture
def put(bucket: Bucket) -> Put:
    """Writes an object of any name."""
    import s3fs

    fs = s3fs.S3FileSystem(**for_s3fs(bucket.options))  # type: ignore[arg-type]

    def write(name: str, data: bytes) -> None:
        fs.pipe_file(f"{bucket.name}/{name}", data)

    return write


@pytest.fixture
def files(put: Put) -> None:
    for name, data in FILES.items():
        put(f"in/{name}", data)


@pytest.fixture
def acme(tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """A dataset on local disk, and a bucket that the environment has the keys of."""
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    return make_dataset(tmp_path / "lake")


def source(bucket: Bucket, path: str = "in", stall: float = 5, **options: str) -> S3Source:
    known = {name: value for name, value in bucket.options.items() if name != "timeout"}
    return S3Source(f"s3://{bucket.name}/{path}", options={**known, **options}, stall_seconds=stall)


@pytest.mark.usefixtures("files")
def test_the_objects_below_a_prefix_are_read(bucket: Bucket, put: Put) -> None:
    put("in", b"an object of the same name")
    put("input/other", b"")
    put("in/deep/", b"")
    found = source(bucket, "in/deep")
    assert read(found) == {"b c+%20#?.pdf": b"%PDF two", "er/ünï.csv": b"x,y\n"}
    (file,) = listed(source(bucket, "in/deep/er")).values()
    assert file.size == 4
    assert file.tag is not None
    assert file.changed is not None
    assert abs(file.changed - time.time_ns()) < 3600 * 10**9
    assert read(source(bucket, "in/a.txt")) == {"a.txt": b"one"}
    assert "in/a.txt" in read(source(bucket, ""))


def test_a_listing_of_many_pages_is_read_page_by_page(bucket: Bucket) -> None:
    bucket.fill([f"many/{number}" for number in range(2100)])
    found = source(bucket, "lake/many").files()
    next(found)
    bucket.rule(contains="list-type=2", code="AccessDenied", status=403)
    # what was listed first is there, the next page is kept back
    first = [next(found) for _ in range(999)]
    with pytest.raises(StorageError, match="let these credentials read"):
        next(found)
    assert len({file.path for file in first}) == 999


def test_odd_keys_are_archived_below(bucket: Bucket) -> None:
    bucket.fill(["../up", "/two", "./dot", "new\nline", "."])
    found = source(bucket, "lake")
    assert {file.path: key for key, file in listed(found).items()} == {
        "../up": "__/up", "/two": "two", "./dot": "dot", "new\nline": "new\nline",
    }  # fmt: skip
    assert unreadable(found) == {".": "it has no name"}


@pytest.mark.usefixtures("files")
def test_an_object_that_is_replaced_after_it_was_listed_is_not_mixed_with_it(
    bucket: Bucket, put: Put
) -> None:
    found = source(bucket)
    file = listed(found)["a.txt"]
    put("in/a.txt", b"two")
    with pytest.raises(SourceChanged, match="replaced by another one"), found.open(file):
        pass


def test_an_object_whose_connection_stalls_is_an_error(bucket: Bucket, put: Put) -> None:
    put("in/large", bytes(3 * MB))
    found = source(bucket, stall=0.3)
    file = listed(found)["large"]
    bucket.rule(methods=["GET"], contains="/in/large", hang=1.5)
    with pytest.raises(StorageError, match=r"s3://.*/in/large"), found.open(file) as opened:
        opened.stream.read()


@pytest.mark.usefixtures("files")
def test_what_may_not_be_read_is_told(bucket: Bucket, acme: Dataset) -> None:
    with pytest.raises(StorageError, match="AWS_ACCESS_KEY_ID"):
        read(source(bucket, key=WRONG))
    with pytest.raises(StorageError, match="make the bucket first"):
        read(S3Source("s3://nowhere-at-all/in", options=bucket.options, stall_seconds=5))
    with pytest.raises(NotFound, match=f"there is nothing at s3://{bucket.name}/else"):
        read(source(bucket, "else"))
    with pytest.raises(InvalidData, match="names no bucket"):
        S3Source("s3:///in", options={}, stall_seconds=5)
    bucket.rule(methods=["GET"], contains="list-type=2", status=403, code="AccessDenied")
    with pytest.raises(StorageError, match="let these credentials read"):
        acme.crawl(f"s3://{bucket.name}/in")
    bucket.rule(methods=["GET"], contains="/in/a.txt", status=403, code="AccessDenied")
    job = acme.crawl(f"s3://{bucket.name}/in")
    assert counts(job) == {"seen": 3, "stored": 2, "errors": 1}
    assert "let these credentials read" in failures_of(acme, job)["a.txt"]
    bucket.heal()
    assert counts(acme.crawl(retry_failed=job.run_id)) == {"seen": 1, "stored": 1}


@pytest.mark.usefixtures("files")
def test_a_bucket_is_crawled_and_what_did_not_change_is_not_read_again(
    bucket: Bucket, acme: Dataset, put: Put
) -> None:
    uri = f"s3://{bucket.name}/in"
    assert counts(acme.crawl(uri)) == {"seen": 3, "stored": 3}
    assert contents_of(acme) == FILES
    assert names_of(acme) == ["a.txt", "b c+%20#?.pdf", "deep", "er", "ünï.csv"]
    file = next(file for file in acme.archive.files() if file.key == "a.txt")
    listed_at = listed(source(bucket))["a.txt"].changed
    assert nanoseconds(file.updated_at) == listed_at
    bucket.rule(methods=["GET"], contains="/in/", status=500, code="InternalError")
    assert counts(acme.crawl(uri)) == {"seen": 3, "known": 3}
    bucket.heal()
    put("in/a.txt", b"new")
    assert counts(acme.crawl(uri)) == {"seen": 3, "stored": 1, "known": 2}


def test_a_large_object_is_read_as_a_whole(bucket: Bucket, acme: Dataset, put: Put) -> None:
    data = bytes(range(256)) * (20 * MB // 256) + b"end"
    put("in/large", data)
    assert counts(acme.crawl(f"s3://{bucket.name}/in")) == {"seen": 1, "stored": 1}
    assert contents_of(acme) == {"large": data}


def test_a_lake_in_a_bucket_takes_files_of_a_folder_and_of_its_own_bucket(
    bucket: Bucket, tmp_path: Path, put: Put
) -> None:
    dataset = bucket.lake.create_dataset("acme")
    files = write_tree(tmp_path / "files", {"a.txt": "one", "deep/b.txt": b"x" * (9 * MB)})
    assert counts(dataset.crawl(files)) == {"seen": 2, "stored": 2}
    put("in/c.txt", b"three")
    # the credentials of the lake are those of its sources
    assert counts(dataset.crawl(f"s3://{bucket.name}/in")) == {"seen": 1, "stored": 1}
    assert paths_of(dataset) == ["a.txt", "c.txt", "deep/b.txt"]
    assert counts(dataset.crawl(files)) == {"seen": 2, "known": 2}
    assert dataset.crawl(files, verify=True).known == 2
    assert bucket.uploads() == []


@pytest.mark.usefixtures("files")
def test_a_packed_file_in_a_bucket_is_crawled(
    bucket: Bucket, acme: Dataset, tmp_path: Path, put: Put
) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "leak.zip", "w") as packed:
        packed.writestr("a.txt", "one")
        packed.writestr("deep/b.txt", "two")
    put("in/leak.zip", (tmp_path / "leak.zip").read_bytes())
    assert counts(acme.crawl(f"zip://::s3://{bucket.name}/in/leak.zip")) == {"seen": 2, "stored": 2}
    assert paths_of(acme) == ["a.txt", "deep/b.txt"]
