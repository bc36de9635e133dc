"""The journal of a lake in a bucket."""

import threading

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import StorageError, Unconfirmed
from lakehouse_assets.lake import Dataset
from lakehouse_assets.statements.flush import APP
from tests.factories import company, values_of
from tests.s3.store import Bucket


@pytest.fixture
def acme(bucket: Bucket) -> Dataset:
    return bucket.lake.create_dataset("acme")


def write(dataset: Dataset, *ids: str) -> None:
    with dataset.entities.writer("scraper") as writer:
        writer.add_many(company(entity_id, name=[entity_id]) for entity_id in ids)


def ids_of(dataset: Dataset) -> list[str]:
    return [entity for entity, prop, _ in values_of(dataset) if prop == "name"]


def journal_keys(bucket: Bucket) -> list[str]:
    return [key for key in bucket.keys() if "/journal/" in key and "/tags/" not in key]  # noqa: SIM118


def test_what_was_written_is_flushed_once_and_nothing_of_it_is_left(bucket: Bucket, acme: Dataset) -> None:
    write(acme, "a")
    write(acme, "b", "c")
    assert ids_of(acme) == []
    assert acme.flush().rows == 6
    assert ids_of(acme) == ["a", "b", "c"]
    assert journal_keys(bucket) == ["lake/acme/journal/flush.json"]
    assert acme.flush().skipped
    assert acme.statements.table.last_step(APP) == 1
    write(acme, "d")
    acme.make()
    assert ids_of(bucket.lake.dataset("acme")) == ["a", "b", "c", "d"]


def test_many_writers_at_once_wait_for_nobody(bucket: Bucket, acme: Dataset) -> None:
    def work(number: int) -> None:
        write(bucket.lake.dataset("acme"), f"w{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    with acme.leases.exclusive("merge"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert acme.flush().segments == 6
    assert ids_of(acme) == [f"w{number}" for number in range(6)]


def test_a_store_that_refuses_the_segment_leaves_nothing_confirmed(bucket: Bucket, acme: Dataset) -> None:
    bucket.rule(methods=["PUT"], contains="/acme/journal/2", status=403, code="AccessDenied")
    with pytest.raises(StorageError):
        write(acme, "a")
    bucket.heal()
    assert journal_keys(bucket) == []
    assert acme.flush().skipped


def test_a_flush_that_fails_at_any_request_is_ended_by_the_next_one(bucket: Bucket, acme: Dataset) -> None:
    write(acme, "first")
    acme.flush()
    for number, part in enumerate(
        ["/journal/flush.json", "/statements/shard", "/statements/_delta_log/", "/tags/lakehouse/statements"]
    ):
        write(acme, f"x{number}", f"y{number}")
        bucket.rule(methods=["PUT"], contains=f"/acme{part}", status=403, code="AccessDenied")
        with pytest.raises((StorageError, Unconfirmed)):
            bucket.lake.dataset("acme").flush()
        bucket.heal()
        dataset = bucket.lake.dataset("acme")
        dataset.flush()
        wanted = ["first", *(f"{kind}{each}" for kind in "xy" for each in range(number + 1))]
        assert ids_of(dataset) == sorted(wanted)
        assert sum(state.rows for state in dataset.statements.reader.partitions()) == 2 * len(wanted)
        assert dataset.statements.journal.waiting() == []


@pytest.mark.parametrize("part", ["/journal/2", "/journal/flush.json", "/_delta_log/"])
def test_an_answer_that_gets_lost_doubles_and_loses_nothing(bucket: Bucket, acme: Dataset, part: str) -> None:
    write(acme, "a")
    acme.flush()
    bucket.rule(methods=["PUT"], contains=part, lose=True, times=1)
    write(acme, "b")
    acme.flush()
    bucket.heal()
    dataset = bucket.lake.dataset("acme")
    dataset.flush()
    assert ids_of(dataset) == ["a", "b"]
    assert sum(state.rows for state in dataset.statements.reader.partitions()) == 4


def test_segments_that_cannot_be_removed_are_not_flushed_again(bucket: Bucket, acme: Dataset) -> None:
    write(acme, "a")
    bucket.rule(methods=["POST"], contains="delete", status=403, code="AccessDenied")
    with pytest.raises(StorageError):
        acme.flush()
    bucket.heal()
    acme.flush()
    assert sum(state.rows for state in acme.statements.reader.partitions()) == 2
    assert acme.location.names(layout.JOURNAL) == ["flush.json"]
