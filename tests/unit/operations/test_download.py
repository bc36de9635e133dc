"""What a download brings, where to, and what it says of what it could not bring."""

import io
import os
from pathlib import Path

import pytest

from lakehouse_assets.archive.ids import parent_folders
from lakehouse_assets.archive.intake import IN_MEMORY
from lakehouse_assets.archive.types import schema_of
from lakehouse_assets.errors import InvalidData, StorageError
from lakehouse_assets.lake import Dataset
from lakehouse_assets.operations import DownloadArchiveJob, DownloadArchiveOperation, download_archive
from tests.factories import Entity, entity, make_dataset, tree

LARGE = os.urandom(1 << 20) * (IN_MEMORY // (1 << 20) + 1)
FILES = {"a.txt": b"one", "b/a.txt": b"two", "b/c/copy.txt": b"one", "b/large.bin": LARGE}


def archived(dataset: Dataset, files: dict[str, bytes]) -> None:
    """Files in the archive, with the documents that tell of them."""
    entities: dict[str, Entity] = {}
    for key, data in files.items():
        file = dataset.archive.put(io.BytesIO(data), key=key, origin="crawl").file
        for folder in parent_folders(key):
            parent = {"parent": [folder.parent]} if folder.parent else {}
            entities[folder.id] = entity(folder.id, "Folder", fileName=[folder.name], **parent)
        parent = {"parent": [file.parent]} if file.parent else {}
        entities[file.id] = entity(
            file.id, schema_of(file.mimetype), fileName=[file.name], contentHash=[file.checksum], **parent
        )
    dataset.archive.touch()
    dataset.import_entities(entities.values(), origin="crawl", trusted=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def acme(tmp_path: Path) -> Dataset:
    dataset = make_dataset(tmp_path / "lake")
    archived(dataset, FILES)
    return dataset


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_all_files_come_back_to_their_paths(acme: Dataset, out: Path) -> None:
    job = download_archive(acme, out)
    assert contents(out) == FILES
    assert (job.done, job.skipped, job.errors, job.renamed) == (4, 0, 0, 0)
    assert job.bytes == sum(len(data) for data in FILES.values())
    assert acme.location.exists("exports/documents.csv")
    assert acme.tags.exists("operations/download_archive/last_run")


def test_a_second_download_has_nothing_to_do(acme: Dataset, out: Path) -> None:
    download_archive(acme, out)
    before = tree(acme.location.path or out, reports=True)
    job = download_archive(acme, out)
    assert (job.done, job.skipped, job.running) == (0, 4, False)
    assert tree(acme.location.path or out, reports=True) == before
    forced = download_archive(acme, out, force=True)
    assert (forced.done, forced.skipped) == (0, 4)


def test_it_goes_on_where_it_was_interrupted(acme: Dataset, out: Path) -> None:
    download_archive(acme, out)
    (out / "b/a.txt").unlink()
    job = download_archive(acme, out)
    assert (job.done, job.skipped) == (1, 3)
    assert contents(out) == FILES


def test_another_target_is_another_download(acme: Dataset, out: Path) -> None:
    download_archive(acme, out)
    assert download_archive(acme, out.parent / "other").done == 4


def test_files_that_came_later_are_brought_by_the_next_one(acme: Dataset, out: Path) -> None:
    download_archive(acme, out)
    archived(acme, {"new.txt": b"new"})
    job = download_archive(acme, out)
    assert (job.done, job.skipped) == (1, 4)
    assert (out / "new.txt").read_bytes() == b"new"


def test_other_bytes_at_the_place_are_replaced_and_counted(acme: Dataset, out: Path) -> None:
    out.mkdir()
    (out / "a.txt").write_bytes(b"")
    job = download_archive(acme, out)
    assert (job.done, job.replaced) == (4, 1)
    assert contents(out) == FILES


def test_what_is_not_archived_or_damaged_is_named_and_the_rest_is_brought(acme: Dataset, out: Path) -> None:
    acme.import_entities([entity("m", "Email", fileName=["mail.eml"], contentHash=["f" * 64])])
    damaged = next(file for file in acme.archive.files() if file.key == "b/large.bin")
    with acme.archive.local_path(damaged.checksum) as path:
        path.write_bytes(LARGE[:-1] + b"!")
    job = download_archive(acme, out)
    assert (job.done, job.errors) == (3, 2)
    reasons = {failed.path: failed.reason for failed in job.failed}
    assert "is not archived" in reasons["mail.eml"]
    assert "is corrupted" in reasons["b/large.bin"]
    assert contents(out).keys() == FILES.keys() - {"b/large.bin"}
    assert download_archive(acme, out).errors == 2


def test_paths_that_clash_get_places_of_their_own_and_are_named(tmp_path: Path, out: Path) -> None:
    dataset = make_dataset(tmp_path / "lake", "clashes")
    files = {"A/x.txt": b"1", "a/X.txt": b"2", "f": b"3", "f/g": b"4", "end./ .": b"5"}
    archived(dataset, files)
    job = download_archive(dataset, out)
    renamed = {each.path: each.place for each in job.renames}
    assert (job.done, job.errors, job.renamed) == (5, 0, len(renamed))
    assert renamed["end./ ."] == "end_/__"
    assert renamed["f"].startswith("f~")
    assert len(renamed.keys() & {"A/x.txt", "a/X.txt"}) == 1
    assert contents(out) == {renamed.get(path, path): data for path, data in files.items()}
    again = download_archive(dataset, out, force=True)
    assert (again.done, again.skipped, again.renames) == (0, 5, job.renames)


def test_paths_of_hostile_documents_do_not_leave_the_target(acme: Dataset, out: Path) -> None:
    checksum = next(acme.archive.files()).checksum
    acme.import_entities(
        [
            entity("up", "Folder", fileName=[".."]),
            entity("root", "Folder", fileName=["/tmp"]),
            entity("e1", "Document", fileName=["../../escaped"], contentHash=[checksum], parent=["up"]),
            entity("e2", "Document", fileName=["/escaped"], contentHash=[checksum], parent=["root"]),
            entity("e3", "Document", fileName=["x" * 300], contentHash=[checksum]),
        ],
        trusted=True,
    )
    job = download_archive(acme, out)
    assert (job.errors, job.renamed) == (0, 3)
    places = {each.place for each in job.renames}
    assert {"__/.._.._escaped", "tmp/_escaped"} < places
    assert set(contents(out)) == {*FILES, *places}
    assert not list(out.parent.glob("*escaped*"))


def test_a_link_in_the_target_leads_nobody_out_of_it(acme: Dataset, out: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    out.mkdir()
    (out / "b").symlink_to(tmp_path / "elsewhere")
    (out / "a.txt").symlink_to(tmp_path / "elsewhere" / "a.txt")
    job = download_archive(acme, out)
    assert (job.done, job.errors) == (1, 3)
    assert all("leads out of" in failed.reason for failed in job.failed)
    assert contents(tmp_path / "elsewhere") == {}
    assert not (out / "a.txt").is_symlink()


def test_a_folder_where_a_file_must_be_is_one_error(acme: Dataset, out: Path) -> None:
    (out / "a.txt" / "x").mkdir(parents=True)
    job = download_archive(acme, out)
    assert (job.done, job.errors) == (3, 1)
    assert job.failed[0].path == "a.txt"


def test_a_target_that_takes_nothing_ends_the_download(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path / "lake", "many")
    archived(dataset, {f"{number}.txt": bytes([number]) for number in range(40)})
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match=r"20 files in a row could not be written to file://.*/file"):
        download_archive(dataset, tmp_path / "file")
    failed = dataset.jobs.latest(DownloadArchiveJob)
    assert failed is not None
    assert "20 files in a row" in (failed.exc or "")
    assert not dataset.tags.exists("operations/download_archive/last_run")


def test_the_dataset_itself_is_no_target(acme: Dataset) -> None:
    for place in ("", "/archive"):
        with pytest.raises(InvalidData, match="lies in the dataset itself"):
            download_archive(acme, f"{acme.location.path}{place}")


def test_a_dataset_without_documents_brings_nothing(tmp_path: Path, out: Path) -> None:
    job = download_archive(make_dataset(tmp_path / "lake"), out)
    assert (job.done, job.errors, job.exc) == (0, 0, None)


def test_the_parts_of_an_operation_can_be_given(acme: Dataset, out: Path, tmp_path: Path) -> None:
    job = DownloadArchiveJob.make(dataset="acme", target=str(out))
    other = make_dataset(tmp_path / "lake", "other").archive
    done = DownloadArchiveOperation(job, archive=other, uri=tmp_path / "lake").run()
    assert (done.done, done.errors, done.skipped) == (0, 4, 0)
    again = DownloadArchiveJob.make(dataset="acme", target=str(out), skipped=0)
    assert DownloadArchiveOperation.from_job(again, acme).run().done == 4
