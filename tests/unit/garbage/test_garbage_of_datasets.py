"""Deleting what nobody needs any more in datasets."""

import hashlib
import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import Conflict, InvalidData, NotFound
from lakehouse_assets.garbage import checksums, heaps
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.storage import garbage_marks
from lakehouse_assets.storage.garbage import Clock
from tests.factories import company, entity, make_dataset


@pytest.fixture
def acme(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / "lake")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def put(dataset: Dataset, text: str, key: str = "a.txt") -> str:
    """Archive a text; gives its checksum."""
    return dataset.archive.put(io.BytesIO(text.encode()), key=key).file.checksum


def forget(dataset: Dataset, checksum: str) -> None:
    """Delete all paths of a content; it is as old as if it had been there for long."""
    for file in dataset.archive.get_all_files(checksum):
        dataset.archive.delete(file.id, checksum)
    age(dataset.lake)


def age(lake: Lake) -> None:
    """Make all archived contents and what is left over some days old."""
    assert lake.location.path is not None
    for path in lake.location.path.rglob("*"):
        if path.is_file() and ".lakehouse" not in path.parts:
            os.utime(path, (1_700_000_000,) * 2)


def counts(lake: Lake) -> tuple[int, int]:
    """What two calls do: files that the first one marks, and that the second one deletes."""
    return len(lake.gc(0).marked), len(lake.gc(0).deleted)


def test_a_content_without_a_path_is_marked_and_then_deleted(acme: Dataset) -> None:
    kept, gone = put(acme, "kept"), put(acme, "gone", "b.txt")
    assert counts(acme.lake) == (0, 0)
    forget(acme, gone)
    assert acme.lake.gc(dry_run=True).marked == (f"acme/{layout.blob(gone)}",)
    first = acme.lake.gc()
    assert (first.deleted, first.marked) == ((), (f"acme/{layout.blob(gone)}",))
    assert (acme.lake.gc().deleted, acme.lake.gc().marked) == ((), ())
    last = acme.lake.gc(0)
    assert (last.deleted, last.bytes) == (first.marked, 4)
    assert (acme.archive.exists(kept), acme.archive.exists(gone)) == (True, False)
    assert acme.lake.gc(0).deleted == acme.lake.gc(0).marked == ()
    assert acme.lake.location.names(layout.LAKE_GC) == []
    assert len(acme.location.folders(layout.ARCHIVE)) == 1


def test_what_a_statement_names_stays_in_every_version_that_can_be_read(acme: Dataset) -> None:
    other = acme.lake.create_dataset("other")
    checksum = put(acme, "named")
    other.import_entities([entity("d", "Document", contentHash=[checksum])])
    forget(acme, checksum)
    assert counts(acme.lake) == (0, 0)
    other.delete(["d"])
    other.merge(force=True)
    assert counts(acme.lake) == (0, 0)
    other.lake.settings = other.lake.settings.model_copy(update={"grace_period_days": 0})
    later = Lake(acme.lake.uri)
    later.settings = later.settings.model_copy(update={"grace_period_days": 0})
    later.dataset("other").merge(force=True)
    later.dataset("other").vacuum(force=True)
    assert counts(acme.lake) == (1, 1)


def test_what_waits_in_a_journal_or_a_queue_or_has_a_mapping_stays(acme: Dataset) -> None:
    from lakehouse_assets.jobs import DatasetJob, FileQueue

    first, second, third = (put(acme, text, text) for text in "abc")
    acme.import_entities([entity("d", "Document", contentHash=[first])], journal=True)
    job = DatasetJob.from_entity("acme", "q", "t", entity("e", "Document", contentHash=[second.upper()]))
    FileQueue(acme.lake).defer(job)
    acme.location.write(layout.mapping(third), b"")
    for checksum in (first, second, third):
        forget(acme, checksum)
    assert counts(acme.lake) == (0, 0)
    FileQueue(acme.lake).cancel(queue="q")
    acme.location.delete_tree(layout.MAPPINGS)
    assert counts(acme.lake) == (2, 2)
    acme.flush()
    assert counts(acme.lake) == (0, 0)
    assert acme.archive.exists(first)


def test_a_checkpoint_keeps_what_it_names(acme: Dataset) -> None:
    import polars as pl

    from lakehouse_assets.checkpoints import CheckpointScope

    checksum = put(acme, "kept")
    frame = pl.LazyFrame({"n": [1, 2], "hash": ["x", checksum]})
    scope = {"run_id": "r", "correlation_id": "c", "scope": CheckpointScope.RUN}
    acme.lake.checkpoints.put("step", data=frame, **scope)
    forget(acme, checksum)
    assert counts(acme.lake) == (0, 0)
    acme.lake.checkpoints.cleanup_run("r")
    assert counts(acme.lake) == (1, 1)


def test_what_is_needed_again_drops_out_of_the_marks(acme: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    checksum = put(acme, "again")
    forget(acme, checksum)
    now = datetime.now(UTC)
    assert len(acme.lake.gc_mark().marked) == 1
    put(acme, "again", "other.txt")
    assert acme.lake.gc_mark().before == 0
    monkeypatch.setattr(Clock, "now", now + timedelta(days=30))
    forget(acme, checksum)
    assert (acme.lake.gc().deleted, len(acme.lake.gc_sweep(0).deleted)) == ((), 1)


def test_young_files_and_those_written_since_a_run_began_stay(acme: Dataset) -> None:
    checksum = put(acme, "young")
    (file,) = acme.archive.get_all_files(checksum)
    acme.archive.delete(file.id, checksum)
    assert counts(acme.lake) == (0, 0)
    age(acme.lake)
    before = datetime(2023, 11, 1, tzinfo=UTC)
    assert len(acme.lake.gc_mark().marked) == 1
    assert acme.lake.gc_sweep(0, before=before).deleted == ()
    assert len(acme.lake.gc_sweep(0, before=before + timedelta(days=30)).deleted) == 1


def test_texts_go_with_their_content_and_files_of_others_stay(acme: Dataset) -> None:
    checksum = put(acme, "gone")
    folder = layout.folder(checksum)
    acme.location.write(f"{folder}/default.txt", b"text")
    foreign = [f"{folder}/notes.md", "archive/README", "archive/ab/x/y", "notes.txt", "exports/graph.cypher"]
    for key in foreign:
        acme.location.write(key, b"mine")
    forget(acme, checksum)
    assert set(acme.lake.gc(0).unknown) == {f"acme/{key}" for key in foreign}
    assert set(acme.lake.gc(0).deleted) == {f"acme/{folder}/blob", f"acme/{folder}/default.txt"}
    assert all(acme.location.exists(key) for key in foreign)


def test_a_deleted_dataset_is_gone_until_it_is_brought_back(acme: Dataset) -> None:
    lake = acme.lake
    acme.import_entities([company()])
    acme.location.write(layout.PIPELINE, b"# ours\nschedules: {make: off}\n")
    lake.delete_dataset("acme")
    assert (lake.datasets(), list(lake.deleted_datasets())) == ([], ["acme"])
    with pytest.raises(NotFound, match="undelete acme"):
        lake.dataset("acme")
    with pytest.raises(Conflict, match="undelete acme"):
        lake.create_dataset("acme")
    assert lake.gc(0).deleted == ()
    assert lake.undelete_dataset("acme").status().entities == 1
    assert acme.location.read(layout.PIPELINE) == b"# ours\nschedules: {make: off}\n"
    with pytest.raises(InvalidData, match="was deleted"):
        lake.undelete_dataset("acme")
    assert counts(lake) == (0, 0)


def test_a_deleted_dataset_goes_as_a_whole(acme: Dataset) -> None:
    lake = acme.lake
    other = lake.create_dataset("other")
    acme.import_entities([company()])
    acme.make()
    put(acme, "file")
    acme.location.write("own.txt", b"mine")
    lake.delete_dataset("acme")
    marked = lake.gc().marked
    assert (len(marked) > 10, "acme/own.txt" in marked, lake.gc().marked) == (True, False, ())
    assert set(lake.gc(0).deleted) == set(marked)
    assert list(acme.location.keys()) == ["own.txt"]
    assert (lake.datasets(), lake.deleted_datasets(), other.status().entities) == (["other"], {}, 0)
    with pytest.raises(InvalidData, match="removed it"):
        lake.undelete_dataset("acme")
    assert lake.create_dataset("acme").status().entities == 0


def test_a_removal_that_was_killed_goes_on(acme: Dataset) -> None:
    lake = acme.lake
    acme.import_entities([company()])
    lake.delete_dataset("acme")
    pipeline = acme.location.read(layout.PIPELINE)
    acme.location.write(layout.PIPELINE, pipeline + b"removed: true\n")
    acme.location.delete(layout.CONFIG)
    with pytest.raises(InvalidData, match="being removed"):
        lake.undelete_dataset("acme")
    with pytest.raises(Conflict, match="removing"):
        lake.create_dataset("acme")
    assert len(lake.gc().deleted) > 3
    assert (lake.deleted_datasets(), lake.location.folders()) == ({}, [".lakehouse"])


def test_only_what_was_asked_for_is_collected(acme: Dataset) -> None:
    from lakehouse_assets.collections import Schema

    lake = acme.lake
    other = lake.create_dataset("other")
    for dataset in (acme, other):
        forget(dataset, put(dataset, "gone"))
    made = lake.collections.create_collection(Schema(time="int*", value="float"), "c")
    (made / "s").write({"time": [1], "value": [1.0]})
    lake.collections.delete("c")
    assert len(lake.gc(0, names=["other"]).marked) == 1
    assert len(lake.gc(0, names=["c"]).marked) == 3
    assert (len(lake.gc(0, names=["acme"]).marked), len(lake.gc(0, names=["other"]).deleted)) == (1, 1)
    assert (len(lake.gc(0, names=["c"]).deleted), len(lake.gc(0).deleted)) == (3, 1)


def test_a_dataset_that_is_deleted_here_is_not_brought_from_another_lake(
    acme: Dataset, tmp_path: Path
) -> None:
    acme.import_entities([company()])
    other = Lake(tmp_path / "other")
    other.pull(acme.lake)
    other.delete_dataset("acme")
    assert (other.pull(acme.lake).datasets, other.plan_pull(acme.lake)) == ((), [])
    with pytest.raises(Conflict, match="undelete acme"):
        other.pull(acme.lake, "acme")


def test_collections_list_datasets_and_delete_them(acme: Dataset) -> None:
    repo = acme.lake.collections
    assert repo.ls("dataset") == ["acme"]
    assert repo.delete("acme", "nope", namespace="dataset") == ["acme"]
    assert (repo.ls("dataset"), list(acme.lake.deleted_datasets())) == ([], ["acme"])


@pytest.mark.parametrize(
    "text", [b"{crawl: []}", b"crawl: []", b"# only\n", b"schedules: {make: off}\n# end\n"]
)
def test_a_pipeline_comes_through_a_deletion(acme: Dataset, text: bytes) -> None:
    acme.location.write(layout.PIPELINE, text)
    before = acme.pipeline
    acme.lake.delete_dataset("acme")
    acme.lake.delete_dataset("acme")
    assert acme.lake.datasets() == []
    assert acme.lake.undelete_dataset("acme").pipeline == before
    if not text.startswith(b"{"):
        assert acme.location.read(layout.PIPELINE).strip() == text.strip()


def test_much_garbage_goes_a_part_at_a_time(acme: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (garbage_marks, heaps, checksums):
        monkeypatch.setattr(module, "_BATCH", 2)
    gone = [put(acme, f"gone {number}") for number in range(7)]
    named, kept = put(acme, "named"), put(acme, "kept")
    acme.import_entities([entity("d", "Document", contentHash=[named])])
    for checksum in [*gone, named]:
        forget(acme, checksum)
    acme.location.write(f"{layout.folder(gone[0])}/default.txt", b"text")
    other = acme.lake.create_dataset("other")
    other.import_entities([company()])
    acme.lake.delete_dataset("other")
    age(acme.lake)
    every = {f"acme/{layout.blob(checksum)}" for checksum in gone}
    every |= {f"acme/{layout.folder(gone[0])}/default.txt"}
    marked = set(acme.lake.gc_mark().marked)
    assert {key for key in marked if key.startswith("acme/")} == every
    # one is stored again
    again = put(acme, "gone 3")
    deleted = acme.lake.gc_sweep(0).deleted
    assert set(deleted) == marked - {f"acme/{layout.blob(again)}"}
    assert [acme.archive.exists(checksum) for checksum in gone] == [checksum == again for checksum in gone]
    assert (acme.archive.exists(named), acme.archive.exists(kept)) == (True, True)
    assert (acme.lake.deleted_datasets(), acme.lake.location.names(layout.LAKE_GC)) == ({}, [])


def test_a_name_that_is_no_text_is_told_and_holds_up_nothing_else(acme: Dataset) -> None:
    checksum = put(acme, "gone")
    forget(acme, checksum)
    path = acme.location.local(f"{layout.folder(checksum)}/blob")
    assert path is not None
    odd = os.fsencode(path.parent) + b"/\xff.txt"
    Path(os.fsdecode(odd)).write_bytes(b"text")
    age(acme.lake)
    marked = acme.lake.gc(0)
    assert marked.marked == (f"acme/{layout.blob(checksum)}",)
    assert [key.rpartition("/")[2] for key in marked.unknown] == [os.fsdecode(b"\xff.txt")]
    assert len(acme.lake.gc(0).deleted) == 1
    assert Path(os.fsdecode(odd)).exists()


def test_a_content_whose_time_has_not_come_does_not_go_along_with_its_text(acme: Dataset) -> None:
    checksum = put(acme, "gone")
    forget(acme, checksum)
    acme.location.write(f"{layout.folder(checksum)}/default.txt", b"text")
    age(acme.lake)
    assert len(acme.lake.gc_mark().marked) == 2
    # written anew, so that its mark counts no more
    path = acme.location.local(layout.blob(checksum))
    assert path is not None
    os.utime(path, (1_700_000_001,) * 2)
    assert acme.lake.gc(0).deleted == ()
    assert acme.archive.exists(checksum)
    assert len(acme.lake.gc(0).deleted) == 2
    assert not acme.archive.exists(checksum)
