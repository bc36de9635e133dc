import io
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from lakehouse_assets.defs.report import report_dataset
from lakehouse_assets.lake import Dataset
from lakehouse_assets.operations import archive_checks

Make = Callable[..., dg.ExecuteInProcessResult]
Latest = Callable[..., dg.AssetMaterialization]


@pytest.fixture
def files(acme: Dataset) -> Dataset:
    """Three paths of two contents."""
    for key, data in {"a/one.pdf": b"%PDF-1", "b/copy.pdf": b"%PDF-1", "two.csv": b"a,b\n"}.items():
        acme.archive.put(io.BytesIO(data), key=key, origin="crawl")
    acme.archive.touch()
    return acme


def damage(dataset: Dataset, key: str) -> str:
    """Other bytes where the content of a path lies."""
    (file,) = (file for file in dataset.archive.files() if file.key == key)
    with dataset.archive.local_path(file.checksum) as path:
        path.write_bytes(b"damaged")
    return file.checksum


def test_the_page_of_the_archive_shows_types_sizes_and_the_newest_files(
    files: Dataset, make: Make, latest: Latest
) -> None:
    assert make().success
    shown = latest("archive").metadata
    numbers = {name: shown[name].value for name in ("dagster/row_count", "contents", "bytes", "missing")}
    assert numbers == {"dagster/row_count": 3, "contents": 2, "bytes": 10, "missing": 0}
    assert "application/pdf (12 B)  " in shown["by_type"].value
    newest = [record.data["path"] for record in shown["newest"].value.records]
    assert newest == ["two.csv", "b/copy.pdf", "a/one.pdf"]
    assert latest("archive").tags["dagster/data_version"] == files.archive.version()


def test_an_archive_without_files_has_a_page_too(acme: Dataset, make: Make, latest: Latest) -> None:
    assert make().success
    assert latest("archive").metadata["dagster/row_count"].value == 0
    assert latest("archive").tags["dagster/data_version"] == "empty"


def test_the_data_version_changes_when_a_file_comes_and_only_then(
    files: Dataset, make: Make, latest: Latest
) -> None:
    make()
    before = latest("archive").tags["dagster/data_version"]
    files.archive.put(io.BytesIO(b"a,b\n"), key="two.csv", origin="crawl")
    files.archive.touch()
    make()
    assert latest("archive").tags["dagster/data_version"] == before
    files.archive.put(io.BytesIO(b"a,b\n"), key="three.csv")
    files.archive.touch()
    make()
    assert latest("archive").tags["dagster/data_version"] != before


def test_a_file_that_a_program_stored_is_told_once(
    files: Dataset, instance: dg.DagsterInstance, latest: Latest, tmp_path: Path
) -> None:
    report_dataset(instance, files)
    assert report_dataset(instance, files) == []
    (tmp_path / "more.txt").write_text("more")
    files.archive.store(tmp_path / "more.txt")
    # that no mapping is concerned is told, too: else they would show as stale
    assert report_dataset(instance, files) == ["archive", "mappings"]
    assert latest("archive").metadata["dagster/row_count"].value == 4


def test_files_whose_content_is_gone_stand_on_the_page(files: Dataset, make: Make, latest: Latest) -> None:
    damage(files, "a/one.pdf")
    files.archive.verify()
    make()
    shown = latest("archive").metadata
    assert (shown["missing"].value, shown["quarantined"].value) == (1, 1)
    assert [record.data["path"] for record in shown["missing_files"].value.records] == [
        "a/one.pdf",
        "b/copy.pdf",
    ]


def test_what_another_program_archived_is_seen_once_files_were_counted(files: Dataset) -> None:
    assert files.check("archive", "is_latest").metadata["why"] == "never counted"
    files.archive.summary()
    assert files.check("archive", "is_latest").passed
    new = files.archive.put(io.BytesIO(b"new"), key="new.txt").file
    files.archive.touch()
    found = files.check("archive", "is_latest")
    assert (found.passed, found.severity) == (False, "WARN")
    assert found.metadata["why"] == "there are 4 files, where 3 were counted"
    files.archive.delete(new.id, new.checksum)
    assert files.check("archive", "is_latest").passed


def test_a_damaged_content_is_not_intact_and_stays_where_it_is(files: Dataset) -> None:
    assert files.check("archive", "intact").metadata["contents"] == 2
    checksum = damage(files, "a/one.pdf")
    found = files.check("archive", "intact")
    assert (found.passed, found.severity) == (False, "ERROR")
    (row,) = found.table
    assert (row["checksum"], row["path"]) == (checksum, "a/one.pdf, b/copy.pdf")
    assert "lakehouse archive verify -d acme" in found.mend
    assert files.archive.exists(checksum)


def test_of_a_large_archive_a_part_is_read_and_what_is_gone_is_found_all_the_same(
    files: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_checks, "MOST_BYTES", 1)
    assert str(files.check("archive", "intact").metadata["read"]).startswith("a part")
    for key in ("a/one.pdf", "two.csv"):
        damage(files, key)
    files.archive.verify()
    found = files.check("archive", "intact")
    assert (found.passed, found.metadata["bad"]) == (False, 2)
