"""What is left over in a dataset: forms of exports, digests, rows that nobody confirmed, snapshots."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.lake import Dataset
from tests.factories import company, make_dataset


@pytest.fixture
def acme(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / "lake")


def put_old(dataset: Dataset, *keys: str) -> set[str]:
    """Files that are days old; gives their keys in the lake."""
    for key in keys:
        dataset.location.write(key, b"left")
        make_old(dataset, key)
    return {f"acme/{key}" for key in keys}


def make_old(dataset: Dataset, key: str) -> None:
    path = dataset.location.local(key)
    assert path is not None
    os.utime(path, (1_700_000_000,) * 2)


def collected(dataset: Dataset) -> set[str]:
    """What two calls delete, which is what the first one marks."""
    marked = dataset.lake.gc(0)
    deleted = dataset.lake.gc(0)
    assert (marked.deleted, set(deleted.deleted), deleted.marked) == ((), set(marked.marked), ())
    return set(deleted.deleted)


def test_an_export_in_another_compression_goes_when_there_is_one_in_the_right_one(acme: Dataset) -> None:
    acme.import_entities([company()])
    acme.configure(compression="zst")
    old = put_old(acme, "entities.ftm.json", "exports/statements.csv.gz")
    assert collected(acme) == set()
    acme.make()
    assert not acme.location.exists("entities.ftm.json")
    assert put_old(acme, "entities.ftm.json", "exports/statements.csv.gz") == old
    assert collected(acme) == old
    assert acme.location.exists("entities.ftm.json.zst")
    assert acme.status().entities == 1


def test_digests_of_exports_that_nothing_is_compared_with_go(acme: Dataset) -> None:
    acme.import_entities([company()])
    acme.make()
    (needed,) = acme.location.keys("diffs/.work/entities.ftm.json/digests")
    old = put_old(acme, layout.diff_digests(layout.DIFF_ENTITIES, "0" * 64))
    make_old(acme, needed)
    assert collected(acme) == old
    acme.import_entities([company("c2")])
    assert acme.make().artifacts["entities"]["rows"] == 2
    assert len(list(acme.location.keys("diffs/entities.ftm.json"))) == 1


def test_rows_of_the_journal_that_nobody_confirmed_go(acme: Dataset) -> None:
    acme.import_entities([company()], journal=True)
    for key in acme.location.keys(layout.JOURNAL_ROWS):
        make_old(acme, key)
    key = f"{layout.journal_rows('dead')}/shard=0/x.parquet"
    acme.location.write(key, b"")
    assert collected(acme) == set()
    make_old(acme, key)
    with acme.leases.mark(layout.STAGING, {}):
        assert (len(acme.lake.gc(0).marked), acme.lake.gc(0).deleted) == (1, ())
    assert acme.lake.gc(0).deleted == (f"acme/{key}",)
    assert acme.flush().rows > 0


def test_old_snapshots_of_what_is_made_go_but_for_the_newest_ten(acme: Dataset) -> None:
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    for day in range(14):
        at = begin + timedelta(days=day)
        acme.versions.write(layout.INDEX, f"{day}".encode(), at)
        acme.versions.write(layout.CONFIG, acme.location.read(layout.CONFIG) + b"#\n", at)
        for key in (layout.INDEX, layout.CONFIG):
            make_old(acme, layout.snapshot(key, at))
    assert len(collected(acme)) == 4
    left = acme.versions.list()
    assert [version.key for version in left].count(layout.INDEX) == 10
    assert len([version for version in left if version.key == layout.CONFIG]) == 15
    assert acme.versions.read(layout.INDEX, begin + timedelta(days=4)) == b"4"
    acme.lake.settings = acme.lake.settings.model_copy(update={"versions_days": 0})
    assert collected(acme) == set()


def test_what_was_written_anew_since_it_was_marked_stays(acme: Dataset) -> None:
    acme.import_entities([company()])
    acme.make()
    (key,) = put_old(acme, "entities.ftm.json.gz")
    assert acme.lake.gc(0).marked == (key,)
    (acme.location.path / "entities.ftm.json.gz").touch()  # type: ignore[operator]
    assert acme.lake.gc(0).deleted == ()
    assert acme.location.exists("entities.ftm.json.gz")


def test_a_dataset_that_cannot_be_read_holds_up_no_other(acme: Dataset) -> None:
    other = acme.lake.create_dataset("other")
    for dataset in (acme, other):
        dataset.configure(compression="gz")
        put_old(dataset, "entities.ftm.json", "entities.ftm.json.gz")
    acme.location.write(layout.JOURNAL_BATCH, b"torn")
    acme.location.write(f"{layout.journal_rows('dead')}/x.parquet", b"torn")
    assert collected(acme) == {"other/entities.ftm.json"}
    acme.location.delete(layout.JOURNAL_BATCH)
    assert collected(acme) == {"acme/entities.ftm.json"}


def test_no_content_goes_while_a_table_cannot_be_read(acme: Dataset) -> None:
    (blob,) = put_old(acme, layout.blob("0" * 64))
    assert acme.lake.gc(0).marked == (blob,)
    acme.location.write("statements/shard=0/torn.parquet", b"torn")
    assert (acme.lake.gc(0).deleted, acme.lake.gc(0).marked) == ((), ())
    acme.location.delete("statements/shard=0/torn.parquet")
    assert collected(acme) == {blob}
