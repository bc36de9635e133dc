import os
import shutil
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.lake import Dataset
from lakehouse_assets.operations import HandleExistingMode
from tests.crawling import FILES, counts, failures_of, names_of, paths_of, report_of, write_tree
from tests.factories import make_dataset
from tests.web import WebServer, refuses


def write_pipeline(dataset: Dataset, text: str) -> None:
    dataset.location.write(layout.PIPELINE, text.encode())


def test_without_an_address_the_sources_of_the_pipeline_are_crawled(
    acme: Dataset, files: Path, tmp_path: Path
) -> None:
    other = write_tree(tmp_path / "other", {"x.txt": "x", "y.pdf": "y"})
    write_pipeline(acme, f"crawl: [{{uri: {files}, glob: '*.txt'}}, {{uri: {other}, make_entities: false}}]")
    job = acme.crawl()
    assert counts(job) == {"seen": 6, "stored": 4, "skipped": 2}
    assert job.sources == 2
    assert names_of(acme) == ["a.txt", "contracts", "copy.txt"]
    assert [source["uri"] for source in report_of(acme, job)["sources"]] == [
        f"file://{files}",
        f"file://{other}",
    ]
    # what is asked for goes before what the file says
    again = acme.crawl(glob="*.pdf", existing=HandleExistingMode.overwrite)
    assert counts(again) == {"seen": 6, "stored": 2, "skipped": 4}


def test_a_source_that_is_not_there_does_not_keep_the_others_from_being_crawled(
    acme: Dataset, files: Path
) -> None:
    write_pipeline(
        acme, f"crawl: [{{uri: {files}/nowhere}}, {{uri: 'http://127.0.0.1:9/x/'}}, {{uri: {files}}}]"
    )
    job = acme.crawl()
    assert counts(job) == {"seen": 4, "stored": 4, "errors": 2}
    failed = report_of(acme, job)["failed"]
    assert [entry["source"] for entry in failed] == [f"{files}/nowhere", "http://127.0.0.1:9/x/"]
    assert "does not exist" in failed[0]["reason"]


def test_nothing_to_crawl_is_told(acme: Dataset) -> None:
    with pytest.raises(InvalidData, match=r"acme has no sources to crawl: .*pipeline\.yml"):
        acme.crawl()


def test_packed_files_are_crawled_and_bombs_are_named(acme: Dataset, tmp_path: Path) -> None:
    import io
    import tarfile
    import zipfile

    with zipfile.ZipFile(tmp_path / "leak.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("../../up.txt", "up")
        packed.writestr("deep/ok.txt", "ok")
        with packed.open("bomb", "w") as file:
            for _ in range(1001):
                file.write(bytes(1 << 20))
    job = acme.crawl(f"zip://::{tmp_path / 'leak.zip'}")
    assert counts(job) == {"seen": 2, "stored": 2, "errors": 1}
    assert paths_of(acme) == ["__/__/up.txt", "deep/ok.txt"]
    assert report_of(acme, job)["renamed"] == [
        {"source": f"zip://::file://{tmp_path}/leak.zip", "path": "../../up.txt", "key": "__/__/up.txt"}
    ]
    assert "LAKEHOUSE_UNPACK_RATIO" in failures_of(acme, job)["bomb"]
    assert counts(acme.crawl(f"zip://::{tmp_path / 'leak.zip'}")) == {"seen": 2, "known": 2, "errors": 1}
    with tarfile.open(tmp_path / "leak.tar.gz", "w:gz") as tar:
        for name in ("one", "two"):
            info = tarfile.TarInfo(name)
            info.size = 3
            tar.addfile(info, io.BytesIO(name.encode()))
    with (tmp_path / "leak.tar.gz").open("r+b") as file:
        file.seek(-8, os.SEEK_END)
        file.write(b"damaged!")
    job = acme.crawl(f"tar://::{tmp_path / 'leak.tar.gz'}")
    assert (job.stored, job.errors) == (2, 1)
    assert "cannot be read as a tar file after 2 files" in failures_of(acme, job)[""]


def test_a_lake_in_the_folder_that_is_crawled_is_left_out(tmp_path: Path) -> None:
    files = write_tree(tmp_path / "files", FILES)
    dataset = make_dataset(files / "lake")
    job = dataset.crawl(files)
    assert (job.stored, job.left_out) == (4, 1)
    assert report_of(dataset, job)["left_out"] == [
        {"source": f"file://{files}", "path": "lake", "why": "lake"}
    ]
    shutil.rmtree(files / "lake")
    inside = make_dataset(files, "inside")
    assert counts(inside.crawl(files)) == {"seen": 4, "stored": 4}
    assert inside.crawl(files / "contracts").stored == 3
    with pytest.raises(InvalidData, match="belongs to the lake itself"):
        inside.crawl(files / "inside/archive")


def test_a_password_is_kept_nowhere(acme: Dataset, tmp_path: Path) -> None:
    with WebServer(write_tree(tmp_path / "served", {"a.txt": "one", "b.txt": "two"})) as server:
        server.rules["/b.txt"] = refuses(403)
        uri = server.url.replace("//", "//me:hush@")
        job = acme.crawl(uri)
        assert counts(job) == {"seen": 2, "stored": 1, "errors": 1}
        server.rules.clear()
        assert counts(acme.crawl(uri, retry_failed=job.run_id)) == {"seen": 1, "stored": 1}
    kept = [path for path in acme.location.path.rglob("*") if path.is_file() and b"hush" in path.read_bytes()]
    assert kept == []
