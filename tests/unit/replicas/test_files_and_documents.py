"""Archived files and documents that are brought, damaged, or changed on both sides."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import Damaged, Diverged
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.model.times import now_utc
from tests.factories import person, rows_of


def store(dataset: Dataset, folder: Path, name: str, data: bytes) -> str:
    file = folder / f"{name}.txt"
    file.write_bytes(data)
    return dataset.archive.store(file, key=f"papers/{name}").checksum


@pytest.fixture
def copy(lake: Lake, other: Lake) -> Dataset:
    other.pull(lake)
    return other.dataset("acme")


def test_a_damaged_file_is_set_aside_and_the_rest_is_brought(lake: Lake, other: Lake, tmp_path: Path) -> None:
    acme = lake.dataset("acme")
    good, bad, cut = (store(acme, tmp_path, name, name.encode() * 9) for name in ("good", "bad", "cut"))
    acme.location.write(layout.blob(bad), b"something")
    acme.location.write(layout.blob(cut), b"")
    done = other.pull(lake)
    assert sorted(done.quarantined) == sorted([f"acme/{bad}", f"acme/{cut}"])
    copy = other.dataset("acme")
    assert (copy.archive.exists(good), copy.archive.exists(bad), done.blobs_moved) == (True, False, 2)
    assert copy.location.read(layout.quarantined_blob(bad)) == b"something"
    assert copy.location.read(layout.quarantined_blob(cut)) == b""
    # what is known of it stays, and it comes as soon as it is whole again there
    assert copy.archive.get_file(bad).key == "papers/bad"
    acme.location.write(layout.blob(bad), b"bad" * 9)
    assert other.plan_pull(lake)[0].blobs == 2
    assert other.pull(lake).quarantined == (f"acme/{cut}",)
    assert copy.archive.verify().bad[0].checksum == cut


def test_a_file_that_is_cut_here_is_brought_again(lake: Lake, other: Lake, copy: Dataset) -> None:
    (file,) = copy.archive.files()
    copy.location.write(layout.blob(file.checksum), b"%PD")
    copy.archive.touch()
    done = other.pull(lake)
    assert (done.blobs_moved, done.quarantined, copy.archive.verify().bad) == (1, (), [])


def test_archives_are_united(lake: Lake, other: Lake, copy: Dataset, tmp_path: Path) -> None:
    acme = lake.dataset("acme")
    one, two = store(acme, tmp_path, "one", b"1"), store(copy, tmp_path, "two", b"2")
    acme.archive.store(tmp_path / "one.txt", key="elsewhere/one")
    acme.location.write(f"{layout.folder(one)}/default.txt", b"text of it")
    acme.location.write(f"{layout.folder(one)}/notes.bin", b"not ours")
    assert other.pull(lake).blobs_moved == 1
    assert [file.key for file in copy.archive.get_all_files(one)] == ["elsewhere/one", "papers/one"]
    assert copy.location.read(f"{layout.folder(one)}/default.txt") == b"text of it"
    assert not copy.location.exists(f"{layout.folder(one)}/notes.bin")
    assert lake.pull(other).blobs_moved == 1
    assert acme.archive.exists(two)


def test_a_damaged_data_file_leaves_the_dataset_as_it_was(
    lake: Lake, other: Lake, copy: Dataset, tmp_path: Path
) -> None:
    lake.create_dataset("zebra").import_entities([person("z")])
    acme = lake.dataset("acme")
    acme.import_entities([person("p2")])
    before = rows_of(copy)
    newest = acme.statements.table.snapshot()
    assert newest is not None
    key = next(file.key for file in newest.files if not copy.statements.table.location.exists(file.key))
    whole = acme.statements.table.location.read(key)
    acme.statements.table.location.write(key, whole[:-100])
    with pytest.raises(Damaged, match="1 others were brought"):
        other.pull(lake)
    assert rows_of(copy).equals(before)
    assert other.datasets() == ["acme", "zebra"]
    acme.statements.table.location.write(key, whole)
    other.pull(lake)
    assert rows_of(copy).equals(rows_of(acme))


def test_a_document_is_taken_from_who_changed_it(lake: Lake, other: Lake, copy: Dataset) -> None:
    acme = lake.dataset("acme")
    acme.configure(title="Acme, the leak")
    assert other.pull(lake).steps[0].documents == ("config.yml",)
    assert (copy.config.title, copy.config.uri) == ("Acme, the leak", copy.uri)
    copy.configure(summary="Of last year")
    assert other.pull(lake).datasets == ()
    assert copy.config.summary == "Of last year"
    assert lake.pull(other).steps[0].documents == ("config.yml",)
    assert (acme.config.title, acme.config.summary) == ("Acme, the leak", "Of last year")
    # of both there are snapshots on both sides, of the index each has its own
    found = [[version.key for version in each.versions.list("config.yml")] for each in (acme, copy)]
    assert len(found[0]) == len(found[1]) == 3
    assert {version.path for version in acme.versions.list("index.json")}.isdisjoint(
        version.path for version in copy.versions.list("index.json")
    )
    # there and back again is a change, too
    copy.configure(summary="Of this year")
    lake.pull(other)
    copy.configure(summary="Of last year")
    lake.pull(other)
    assert acme.config.summary == "Of last year"


def test_a_document_that_both_changed_stays_and_is_told_of(lake: Lake, other: Lake, copy: Dataset) -> None:
    acme = lake.dataset("acme")
    acme.configure(title="Theirs")
    copy.configure(title="Ours")
    (plan,) = other.plan_pull(lake)
    assert plan.conflicts == ("config.yml",)
    assert other.pull(lake).steps[0].conflicts == ("config.yml",)
    assert copy.config.title == "Ours"
    assert other.pull(lake, resolve="theirs").steps[0].documents == ("config.yml",)
    assert (copy.config.title, other.plan_pull(lake)[0].state) == ("Theirs", "same")


def test_pipeline_and_mappings_come_along(lake: Lake, other: Lake, copy: Dataset) -> None:
    acme = lake.dataset("acme")
    acme.location.write(layout.PIPELINE, b"schedules:\n  make: '0 3 * * *'\n")
    key = layout.mapping("0" * 64)
    acme.location.write(key, b"dataset: acme\nqueries: []\n")
    (step,) = other.pull(lake).steps
    assert (step.state, step.documents) == ("behind", (key, "pipeline.yml"))
    acme.location.write(layout.PIPELINE, b"schedules: {make: '0 4 * * *'}\n")
    other.pull(lake)
    assert copy.location.read(layout.PIPELINE) == acme.location.read(layout.PIPELINE)
    copy.location.write(layout.PIPELINE, b"schedules: {make: off}\n")
    assert other.pull(lake).datasets == ()
    acme.location.write(layout.PIPELINE, b"schedules: {make: '0 5 * * *'}\n")
    assert other.pull(lake).steps[0].conflicts == ("pipeline.yml",)


def test_datasets_of_different_shards_are_not_mixed(lake: Lake, other: Lake) -> None:
    other.create_dataset("acme", shards=4).import_entities([person("p1")])
    with pytest.raises(Diverged):
        other.pull(lake)
    with pytest.raises(ValueError, match="4 shards here and 1 there"):
        other.pull(lake, resolve="union")
    other.pull(lake, resolve="theirs")
    copy = other.dataset("acme")
    assert (copy.config.shards, rows_of(copy).equals(rows_of(lake.dataset("acme")))) == (0, True)
    copy.import_entities([person("p4")])
    assert len(copy.statements.table.snapshot().partitions) == 1  # type: ignore[union-attr]


def test_what_belongs_to_a_machine_stays_there(lake: Lake, other: Lake, copy: Dataset) -> None:
    acme = lake.dataset("acme")
    for key in ("state/JOB_x.json", "crawl/r.json", "quarantine/r.jsonl", "journal/rows/x/y.parquet"):
        acme.location.write(key, b"{}")
    acme.import_entities([person("p2")])
    other.pull(lake)
    folders = set(copy.location.folders())
    assert folders.isdisjoint({"state", "crawl", "quarantine", "journal"})
    mine = {key for key in copy.location.keys("jobs")}
    assert all("ExportIndexJob" in key for key in mine)


@pytest.mark.parametrize("hours", [1, -1])
def test_tags_of_a_clock_that_goes_wrong_do_not_make_anything_look_fresh(
    lake: Lake, other: Lake, copy: Dataset, hours: int
) -> None:
    acme = lake.dataset("acme")
    acme.import_entities([person("p2")])
    acme.merge()
    acme.make()
    # as the machine of the other lake would have written them
    for key in list(acme.tags.keys()):
        told = acme.tags.get(key)
        if told is not None and not key.endswith("-current"):
            acme.tags.set(key, told + timedelta(hours=hours))
    other.pull(lake)
    tags = [at for key in list(copy.tags.keys()) if (at := copy.tags.get(key))]
    assert max(tags) <= now_utc()
    partition = layout.partition_tag("0", "thing", "default", "last_")
    assert copy.tags.is_latest(f"{partition}optimized", [f"{partition}updated"])
    copy.import_entities([person("p3")])
    # for ftm-lakehouse, which goes by tags alone
    assert not copy.tags.is_latest(f"{partition}optimized", [f"{partition}updated"])
    assert not copy.tags.is_latest(layout.ENTITIES, [layout.TAG_STATEMENTS_UPDATED])


def test_differences_go_on_where_the_source_was(lake: Lake, other: Lake, copy: Dataset) -> None:
    acme = lake.dataset("acme")
    for number in (2, 3):
        acme.import_entities([person(f"p{number}")])
        acme.make()
    other.pull(lake)
    listed = json.loads(copy.location.read(layout.DELTA_INDEX))["versions"]
    assert [each["added"] for each in listed if each["kind"] == "entities"] == [1, 1]
    assert all(copy.location.size(each["path"]) == each["size"] for each in listed)
    assert copy.make().skipped
    copy.import_entities([person("p4")])
    copy.make()
    assert len(json.loads(copy.location.read(layout.DELTA_INDEX))["versions"]) == len(listed) + 1
    # two chains are not tied together
    acme.import_entities([person("p5")])
    acme.make()
    other.pull(lake, resolve="theirs")
    assert not copy.freshness("entities").fresh
    copy.make()
    assert [result for result in copy.checks() if not result.passed] == []


def test_a_deletion_is_followed_once(lake: Lake, other: Lake, copy: Dataset) -> None:
    lake.delete_dataset("acme")
    assert [(step.name, step.state) for step in other.plan_pull(lake)] == [("acme", "deleted")]
    assert (other.pull(lake).datasets, other.datasets()) == (("acme",), [])
    assert (other.pull(lake).datasets, list(other.deleted_datasets())) == ((), ["acme"])
    other.undelete_dataset("acme")
    assert (other.pull(lake).datasets, other.datasets()) == ((), ["acme"])
    lake.undelete_dataset("acme")
    assert other.pull(lake).same == ("acme",)
    lake.delete_dataset("acme")
    assert (other.pull(lake).datasets, other.datasets()) == (("acme",), [])


def test_a_deletion_does_not_take_what_is_only_here(lake: Lake, other: Lake, copy: Dataset) -> None:
    copy.import_entities([person("mine")])
    lake.delete_dataset("acme")
    assert [step.state for step in other.pull(lake).steps] == ["ahead"]
    assert other.datasets() == ["acme"]
