"""`lakehouse archive`."""

import hashlib
import io
from pathlib import Path

import pytest

from lakehouse_assets.cli import archive as archive_verbs
from lakehouse_assets.lake import Dataset, Lake
from tests.cli.calling import Lakehouse
from tests.factories import entity

FILES = {"a/report.pdf": b"%PDF-1", "a/Report.pdf": b"%PDF-2", "data.csv": b"a,b\n1,2\n"}


@pytest.fixture
def files(acme: Lakehouse) -> Lakehouse:
    """The command beside a dataset with three files, and documents of them."""
    dataset = Lake("data").dataset("acme")
    folder = entity("f", "Folder", fileName=["a"])
    documents = [folder]
    for key, data in FILES.items():
        file = dataset.archive.put(io.BytesIO(data), key=key, origin="crawl").file
        parent = {"parent": ["f"]} if file.parent else {}
        documents.append(
            entity(file.id, "Document", fileName=[file.name], contentHash=[file.checksum], **parent)
        )
    dataset.import_entities(documents)
    return acme


def damage(data: bytes) -> str:
    """Other bytes where a content lies."""
    dataset: Dataset = Lake("data").dataset("acme")
    checksum = hashlib.sha256(data).hexdigest()
    with dataset.archive.local_path(checksum) as path:
        path.write_bytes(b"damaged")
    return checksum


def test_files_are_listed_by_path(files: Lakehouse) -> None:
    header, *lines = [line.split() for line in files("archive", "ls", "-d", "acme").out.splitlines()]
    assert header == ["checksum", "size", "type", "path"]
    assert [line[-1] for line in lines] == ["a/Report.pdf", "a/report.pdf", "data.csv"]
    assert lines[-1] == [hashlib.sha256(FILES["data.csv"]).hexdigest()[:12], "8", "B", "text/csv", "data.csv"]


def test_files_are_listed_by_pattern_origin_and_number(files: Lakehouse) -> None:
    def listed(*options: str) -> list[str]:
        return [
            file["key"] for file in files("archive", "ls", "-d", "acme", "--json", *options).json["files"]
        ]

    assert sorted(listed()) == sorted(FILES)
    assert listed("--glob", "*.csv") == ["data.csv"]
    assert sorted(listed("--glob", "a*")) == ["a/Report.pdf", "a/report.pdf"]
    assert listed("--origin", "web") == []
    assert len(listed("--limit", "2")) == 2


def test_all_that_is_known_of_files_is_one_json_object(files: Lakehouse) -> None:
    found = files("archive", "ls", "-d", "acme", "--json").json
    assert (found["dataset"], found["count"], found["bytes"]) == ("acme", 3, 20)
    assert {file["mimetype"] for file in found["files"]} == {"application/pdf", "text/csv"}
    empty = files("archive", "ls", "-d", "acme", "--json", "--limit", "0").json
    assert (empty["files"], empty["count"]) == ([], 0)


def test_more_files_than_anybody_looks_through_are_listed_as_they_come(
    files: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_verbs, "_MOST_SORTED", 2)
    lines = files("archive", "ls", "-d", "acme").out.splitlines()
    assert sorted(line.split()[-1] for line in lines) == sorted(FILES)


def test_a_content_is_printed_by_the_beginning_of_its_checksum(files: Lakehouse) -> None:
    checksum = hashlib.sha256(FILES["data.csv"]).hexdigest()
    for digits in (checksum, checksum[:6], checksum[:12].upper()):
        assert files("archive", "cat", "-d", "acme", digits).out.encode() == FILES["data.csv"]
    known = files("archive", "cat", "-d", "acme", checksum[:8], "--json").json
    assert (known["checksum"], known["files"][0]["key"]) == (checksum, "data.csv")


def test_a_content_that_is_not_there_or_damaged_is_said_in_one_line(files: Lakehouse) -> None:
    missing = files("archive", "cat", "-d", "acme", "0" * 64)
    assert (missing.code, missing.out) == (1, "")
    assert "acme has no file 0000" in missing.err
    assert "at least six" in files("archive", "cat", "-d", "acme", "../x").err
    damaged = files("archive", "cat", "-d", "acme", damage(FILES["data.csv"]))
    assert damaged.code == 1
    assert "what was printed is corrupted" in damaged.err


def test_verify_tells_what_is_damaged_and_gone(files: Lakehouse) -> None:
    fine = files("archive", "verify", "-d", "acme")
    assert (fine.code, fine.err) == (0, "")
    assert fine.out.startswith("read 3 files, 20 B in ")
    assert fine.out.endswith(": all are as they were\n")
    checksum = damage(FILES["data.csv"])
    bad = files("archive", "verify", "-d", "acme")
    assert bad.code == 3
    assert f"{checksum}  data.csv: its bytes have the checksum" in bad.out
    assert Path(f"data/acme/quarantine/blobs/{checksum}").read_bytes() == b"damaged"
    gone = files("archive", "verify", "-d", "acme", "--json")
    assert (gone.code, gone.json["blobs"], gone.json["quarantined"]) == (3, 2, 0)
    assert gone.json["bad"] == [{"checksum": checksum, "reason": "it is gone", "paths": ["data.csv"]}]


def test_download_brings_files_back_and_names_those_that_clash(files: Lakehouse) -> None:
    done = files("archive", "download", "-d", "acme", "out")
    assert done.code == 0
    assert done.out.startswith("downloaded 3 files of acme to out, 20 B in ")
    assert "1 file could not keep the path:\n  a/" in done.err
    found = sorted(path.read_bytes() for path in Path("out").rglob("*") if path.is_file())
    assert found == sorted(FILES.values())
    again = files("archive", "download", "-d", "acme", "out")
    assert (again.code, again.err) == (0, "")
    assert again.out.endswith("; 3 were there\n")


def test_download_in_json_names_what_failed_and_the_exit_code_is_3(files: Lakehouse) -> None:
    damage(FILES["data.csv"])
    done = files("archive", "download", "-d", "acme", "out", "--json")
    assert done.code == 3
    assert {key: done.json[key] for key in ("dataset", "target", "done", "skipped", "errors", "renamed")} == {
        "dataset": "acme", "target": "out", "done": 2, "skipped": 0, "errors": 1, "renamed": 1,
    }  # fmt: skip
    assert done.json["failed"][0]["path"] == "data.csv"
    assert "is corrupted" in done.json["failed"][0]["reason"]
    told = files("archive", "download", "-d", "acme", "out")
    assert told.code == 3
    assert "1 file could not be downloaded:\n  data.csv: its content is corrupted" in told.err


def test_files_that_no_document_tells_of_are_not_downloaded_and_that_is_said(acme: Lakehouse) -> None:
    Lake("data").dataset("acme").archive.put(io.BytesIO(b"x"), key="x")
    done = acme("archive", "download", "-d", "acme", "out")
    assert done.code == 0
    assert "no documents that tell their paths" in done.err


def test_a_place_in_the_dataset_is_refused(acme: Lakehouse) -> None:
    refused = acme("archive", "download", "-d", "acme", "data/acme/files")
    assert (refused.code, refused.out) == (1, "")
    assert "lies in the dataset itself" in refused.err
