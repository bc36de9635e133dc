"""What goes wrong with a store is told with its address and a next step, in time, and leaves nothing half visible."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakehouse_assets.errors import LakehouseError, StorageError, Unconfirmed
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.statements.table import StatementTable
from lakehouse_assets.storage.location import Location
from tests.factories import company, values_of, write_lines
from tests.s3.keys import WRONG
from tests.s3.store import Bucket, fill

LONGEST = 30
"""Seconds: with two tries for each request, every failure here is known long before."""

Step = Callable[[Dataset], object]


@pytest.fixture
def acme(made: Bucket) -> Dataset:
    return made.lake.dataset("acme")


def more(folder: Path) -> Path:
    return write_lines(folder / "more.ftm.json", [company("c2")])


def again(dataset: Dataset) -> Dataset:
    """The same dataset, opened by somebody else."""
    location = dataset.lake.location
    return Lake(location.uri, location.storage_options).dataset(dataset.name)


@contextmanager
def refused(kind: type[LakehouseError], *words: str) -> Iterator[None]:
    """The block fails in time, with an error that has these words."""
    began = time.monotonic()
    with pytest.raises(kind) as caught:
        yield
    assert time.monotonic() - began < LONGEST
    for word in words:
        assert word in str(caught.value)


def everything(lake: Lake) -> dict[str, Callable[[], object]]:
    """Each way to begin with a lake."""
    place = lake.location
    return {
        "datasets": lake.datasets,
        "dataset": lambda: lake.dataset("acme"),
        "create": lambda: lake.create_dataset("acme"),
        "read": lambda: place.read("a"),
        "open": lambda: place.open("a"),
        "write": lambda: place.write("a", b""),
        "keys": lambda: list(place.keys()),
    }


BEGINNINGS = ["datasets", "dataset", "create", "read", "open", "write", "keys"]


def test_a_server_that_is_down_is_named() -> None:
    options = {"key": "k", "secret": "s", "endpoint_url": "http://127.0.0.1:9", "region": "us-east-1"}
    with refused(StorageError, "s3://bucket/lake", "http://127.0.0.1:9", "see that the store is up"):
        Lake("s3://bucket/lake", options).datasets()
    table = Dataset(Lake("s3://bucket/lake", options), "acme").location
    with refused(StorageError, "s3://bucket/lake/acme/statements", "see that the store is up"):
        StatementTable(table).exists()


def test_a_server_that_never_answers_is_given_up(bucket: Bucket) -> None:
    bucket.rule(hang=4)
    place = Location(bucket.uri, {**bucket.options, "timeout": "0.5"})
    with refused(StorageError, bucket.uri, "see that the store is up"):
        place.read("a")
    with refused(StorageError, bucket.uri):
        Dataset(Lake(bucket.uri, place.storage_options), "acme").content_version()


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_missing_bucket_is_no_empty_lake(bucket: Bucket, beginning: str) -> None:
    lake = Lake("s3://no-such-bucket/lake", bucket.options)
    with refused(StorageError, "s3://no-such-bucket/lake", "make the bucket first"):
        everything(lake)[beginning]()


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_wrong_key_is_told_from_a_missing_file(bucket: Bucket, beginning: str) -> None:
    lake = Lake(bucket.uri, {**bucket.options, "key": WRONG})
    with refused(StorageError, bucket.uri, "check AWS_ACCESS_KEY_ID"):
        everything(lake)[beginning]()
    assert bucket.keys() == []


def test_no_key_at_all_says_how_to_give_one(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    with refused(StorageError, bucket.uri, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        Lake(bucket.uri, {"endpoint_url": bucket.server.url}).datasets()


def test_a_bucket_that_may_only_be_read_is_read_and_not_changed(
    acme: Dataset, made: Bucket, tmp_path: Path
) -> None:
    before = made.keys()
    made.rule(methods=["PUT", "POST", "DELETE"], status=403, code="AccessDenied")
    reader = again(acme)
    assert reader.get(["c1"])
    assert len(values_of(reader)) == 2
    assert reader.status().artifacts["entities"].fresh
    for step in (
        lambda: reader.import_files([more(tmp_path)]),
        lambda: reader.delete(["c1"]),
        lambda: reader.merge(force=True),
        lambda: reader.export("entities", force=True),
        lambda: reader.lake.create_dataset("other"),
    ):
        with refused(StorageError, made.uri, "let these credentials read, write"):
            step()
    assert made.keys() == before
    assert made.uploads() == []


def test_a_store_that_asks_for_patience_gets_it(
    acme: Dataset, made: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_MAX_ATTEMPTS")
    made.rule(times=2, after=3)
    acme = again(acme)
    acme.import_files([more(tmp_path)])
    made.rule(methods=["PUT", "POST"], contains="statements.csv", times=2)
    acme.export("statements")
    made.rule(contains="_delta_log", times=2)
    assert len(values_of(again(acme))) == 3


def test_a_store_that_never_stops_asking_is_given_up(bucket: Bucket) -> None:
    bucket.rule()
    with refused(StorageError, bucket.uri, "the store is overloaded; try again later"):
        bucket.lake.datasets()


def import_more(dataset: Dataset, file: Path) -> object:
    return dataset.import_files([file])


def export_all(dataset: Dataset, _: Path) -> object:
    return dataset.make(force=True)


def merge(dataset: Dataset, _: Path) -> object:
    return dataset.merge(force=True)


@pytest.mark.parametrize(
    ("work", "rule"),
    [
        (import_more, {"methods": ["PUT"], "contains": ".parquet"}),
        (import_more, {"methods": ["PUT"], "contains": "_delta_log"}),
        (merge, {"methods": ["PUT"], "contains": "_delta_log"}),
        (export_all, {"methods": ["GET"], "contains": ".parquet"}),
        (export_all, {"methods": ["PUT"], "contains": "entities.ftm.json"}),
    ],
)
def test_a_store_that_fails_in_the_middle_leaves_what_was(
    acme: Dataset,
    made: Bucket,
    tmp_path: Path,
    work: Callable[[Dataset, Path], object],
    rule: dict[str, object],
) -> None:
    before = {
        key: acme.location.read(key) for key in ("entities.ftm.json", "index.json", "exports/statements.csv")
    }
    values, file = values_of(acme), more(tmp_path)
    made.rule(status=500, code="InternalError", **rule)
    with refused(StorageError, f"s3://{made.name}/lake/acme"):
        work(again(acme), file)
    made.heal()
    healed = again(acme)
    assert values_of(healed) == values
    assert healed.location.read("entities.ftm.json") == before["entities.ftm.json"]
    assert made.uploads() == []
    # and it goes on
    work(healed, file)
    assert not healed.holders()


@pytest.mark.parametrize("work", [import_more, merge])
def test_files_stay_where_only_the_answer_to_their_commit_was_lost(
    acme: Dataset, made: Bucket, tmp_path: Path, work: Callable[[Dataset, Path], object]
) -> None:
    made.rule(methods=["PUT"], contains="_delta_log", times=1, lose=True)
    work(again(acme), more(tmp_path))
    made.heal()
    assert len(values_of(again(acme))) == (3 if work is import_more else 2)


@pytest.mark.parametrize(
    ("work", "rule"),
    [
        (import_more, {"methods": ["PUT"], "contains": ".parquet"}),
        (import_more, {"methods": ["PUT"], "contains": "_delta_log"}),
        (export_all, {"methods": ["PUT"], "contains": "entities.ftm.json"}),
    ],
)
def test_a_server_that_dies_in_the_middle_is_named(
    mortal: Bucket,
    tmp_path: Path,
    work: Callable[[Dataset, Path], object],
    rule: dict[str, object],
) -> None:
    dataset = fill(mortal, tmp_path)
    file = more(tmp_path)
    mortal.rule(die=True, **rule)
    kind = Unconfirmed if rule["contains"] == "_delta_log" else StorageError
    with refused(kind, f"s3://{mortal.name}/lake/acme", "see that the store is up"):
        work(dataset, file)


@pytest.mark.parametrize("header", ["If-None-Match", "If-Match"])
def test_a_store_that_ignores_conditions_is_not_given_a_dataset(bucket: Bucket, header: str) -> None:
    bucket.rule(ignore=header)
    with refused(
        StorageError, f"{bucket.uri} cannot hold a lake", f"in spite of {header}", "take one that keeps"
    ):
        bucket.lake.create_dataset("acme")
    assert bucket.keys() == []


def test_a_store_that_knows_no_conditions_is_not_given_a_dataset(bucket: Bucket) -> None:
    bucket.rule(methods=["PUT"], status=501, code="NotImplemented")
    with refused(StorageError, bucket.uri, "take a store, or a version of it, that knows If-None-Match"):
        bucket.lake.create_dataset("acme")
    assert bucket.keys() == []


def test_a_store_is_tried_when_a_dataset_is_made_and_nothing_of_that_is_left(bucket: Bucket) -> None:
    bucket.lake.create_dataset("acme")
    keys = bucket.keys()
    assert "lake/acme/config.yml" in keys
    assert not [key for key in keys if "probe" in key]
    # who opens what is there need not be allowed to write
    bucket.rule(methods=["PUT", "POST", "DELETE"], status=403, code="AccessDenied")
    assert bucket.lake.dataset("acme").config.name == "acme"


def test_a_vacuum_aborts_what_killed_exports_left_open_also_when_no_file_is_to_be_deleted(
    acme: Dataset, made: Bucket
) -> None:
    acme.vacuum()
    made.server.ask("POST", f"{made.name}/lake/acme/exports/killed.csv?uploads", b"")
    made.server.ask("POST", f"{made.name}/lake/other/exports/killed.csv?uploads", b"")
    job = acme.vacuum()
    assert (job.skipped, job.files, job.swept) == (True, 0, 1)
    assert made.uploads() == ["lake/other/exports/killed.csv"]
