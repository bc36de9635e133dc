import hashlib
import os
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.archive.ids import file_id, folder_id
from lakehouse_assets.archive.sources.base import nanoseconds
from lakehouse_assets.errors import NotFound
from lakehouse_assets.lake import Dataset
from lakehouse_assets.operations import CrawlJob, CrawlOperation, HandleExistingMode, crawl
from lakehouse_assets.storage.jobs import Jobs
from tests.crawling import (
    FILES,
    contents_of,
    counts,
    failures_of,
    names_of,
    opened_below,
    paths_of,
    report_of,
    settle,
    write_tree,
)
from tests.factories import make_dataset, rows_of, tree, values_of

OVERWRITE = HandleExistingMode.overwrite
CHECKSUM = HandleExistingMode.skip_checksum


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_files_are_archived_under_their_paths_with_the_times_of_the_source(
    acme: Dataset, files: Path
) -> None:
    os.utime(files / "a.txt", ns=(0, 1_700_000_000_123_456_789))
    job = acme.crawl(files)
    assert counts(job) == {"seen": 4, "stored": 4}
    assert (job.done, job.bytes, job.pending, job.running) == (4, 22, 0, False)
    assert contents_of(acme) == {path: text.encode() for path, text in FILES.items()}
    file = acme.archive.get_file(sha("one"), "a.txt")
    state = (files / "a.txt").stat()
    assert file.id == file_id("a.txt", sha("one"))
    assert nanoseconds(file.updated_at) == state.st_mtime_ns // 1000 * 1000
    assert nanoseconds(file.created_at) == state.st_ctime_ns // 1000 * 1000
    assert (file.origin, file.mimetype, file.dataset) == ("crawl", "text/plain", "acme")


def test_documents_and_folders_are_made_of_files(acme: Dataset, files: Path) -> None:
    acme.crawl(files)
    rows = rows_of(acme)
    assert set(rows["origin"]) == {"crawl"}
    one, table = file_id("contracts/copy.txt", sha("one")), file_id("contracts/2024/c.csv", sha("x,y\n"))
    found = {(entity, prop): value for entity, prop, value in values_of(acme)}
    assert found[table, "parent"] == folder_id("contracts/2024")
    assert found[folder_id("contracts/2024"), "parent"] == folder_id("contracts")
    assert found[folder_id("contracts/2024"), "fileName"] == "2024"
    assert (folder_id("contracts"), "parent") not in found
    assert {prop: found[one, prop] for prop in ("contentHash", "fileName", "fileSize", "mimeType", "parent")} == {
        "contentHash": sha("one"), "fileName": "copy.txt", "fileSize": "3", "mimeType": "text/plain",
        "parent": folder_id("contracts"),
    }  # fmt: skip
    schemata = dict(rows.select("entity_id", "schema").iter_rows())
    assert schemata[table] == "Table"
    assert sorted(schemata.values()) == ["Folder", "Folder", "Pages", "PlainText", "PlainText", "Table"]
    assert [version.files for version in acme.statements.reader.partitions()] == [1]


def test_without_entities_only_the_archive_grows_and_a_later_crawl_makes_them(
    acme: Dataset, files: Path
) -> None:
    assert crawl(acme, files).done == 4
    assert acme.content_version() == "none"
    job = acme.crawl(files)
    assert counts(job) == {"seen": 4, "known": 4}
    assert names_of(acme) == ["2024", "a.txt", "b.pdf", "c.csv", "contracts", "copy.txt"]


def test_a_crawl_notes_what_it_did(acme: Dataset, files: Path) -> None:
    job = acme.crawl(files, glob="*.txt")
    assert acme.tags.get(layout.TAG_CRAWL) is not None
    assert acme.tags.get(layout.TAG_ARCHIVE_UPDATED) is not None
    assert Jobs(acme.location).latest(CrawlJob) == job
    report = report_of(acme, job)
    assert (report["run_id"], report["mode"], report["skipped_by"]) == (job.run_id, "crawl", {"glob": 2})
    assert report["started"] < report["stopped"]
    assert {name: report[name] for name in ("seen", "stored", "known", "skipped", "errors")} == {
        "seen": 4, "stored": 2, "known": 0, "skipped": 2, "errors": 0,
    }  # fmt: skip
    (source,) = report["sources"]
    assert (source["uri"], source["glob"], source["stored"]) == (f"file://{files}", "*.txt", 2)
    assert job.content_version == acme.content_version()


def test_files_that_did_not_change_are_not_read_again(acme: Dataset, files: Path) -> None:
    with opened_below(files) as opened:
        acme.crawl(files)
    assert sorted(opened) == sorted(FILES)
    before, version = tree(acme.location.path / "archive"), acme.content_version()
    with opened_below(files) as opened:
        job = acme.crawl(files)
    assert counts(job) == {"seen": 4, "known": 4}
    assert opened == []
    assert (tree(acme.location.path / "archive"), acme.content_version()) == (before, version)


def test_files_that_changed_are_archived_beside_what_they_were(acme: Dataset, files: Path) -> None:
    acme.crawl(files)
    (files / "a.txt").write_text("new")
    (files / "d.txt").write_text("four")
    with opened_below(files) as opened:
        job = acme.crawl(files)
    assert sorted(opened) == ["a.txt", "d.txt"]
    assert counts(job) == {"seen": 5, "stored": 2, "known": 3}
    assert paths_of(acme).count("a.txt") == 2
    assert names_of(acme).count("a.txt") == 2


def test_a_file_that_was_only_touched_is_read_and_known(acme: Dataset, files: Path) -> None:
    acme.crawl(files)
    os.utime(files / "a.txt", (5, 5))
    with opened_below(files) as opened:
        assert counts(acme.crawl(files)) == {"seen": 4, "known": 4}
    assert opened == ["a.txt"]
    with opened_below(files) as opened:
        acme.crawl(files)


def test_a_file_that_changed_a_moment_ago_is_read_again(
    acme: Dataset, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = max((files / path).stat().st_ctime_ns for path in FILES) + 50_000_000
    with monkeypatch.context() as patched:
        patched.setattr("lakehouse_assets.archive.sources.base.time.time_ns", lambda: now)
        acme.crawl(files)
    with opened_below(files) as opened:
        assert counts(acme.crawl(files)) == {"seen": 4, "known": 4}
    assert sorted(opened) == sorted(FILES)


@pytest.mark.parametrize("existing", [None, OVERWRITE])
def test_overwriting_reads_and_stores_all_again(
    acme: Dataset, files: Path, existing: HandleExistingMode | None
) -> None:
    acme.crawl(files)
    before = tree(acme.location.path / "archive")
    job = CrawlJob.make(dataset="acme", uri=str(files), existing=existing, make_entities=True)
    with opened_below(files) as opened:
        assert counts(CrawlOperation.from_job(job, acme).run()) == {"seen": 4, "stored": 4}
    assert sorted(opened) == sorted(FILES)
    assert tree(acme.location.path / "archive") == before


def test_contents_that_are_archived_anywhere_can_be_skipped(
    acme: Dataset, files: Path, tmp_path: Path
) -> None:
    other = write_tree(tmp_path / "other", {"else.txt": "one", "new.txt": "new"})
    settle()
    acme.crawl(files)
    job = acme.crawl(other, existing=CHECKSUM)
    assert counts(job) == {"seen": 2, "stored": 1, "known": 1}
    assert "else.txt" not in paths_of(acme)
    assert "else.txt" not in names_of(acme)
    with opened_below(other) as opened:
        assert counts(acme.crawl(other, existing=CHECKSUM)) == {"seen": 2, "known": 2}
    assert opened == []
    # by path it is new
    assert counts(acme.crawl(other)) == {"seen": 2, "stored": 1, "known": 1}
    assert "else.txt" in names_of(acme)


def test_what_another_program_archived_is_known_and_gets_its_entities(acme: Dataset, files: Path) -> None:
    with open(files / "a.txt", "rb") as stream:
        acme.archive.put(stream, key="a.txt", origin="crawl")
    job = acme.crawl(files)
    assert counts(job) == {"seen": 4, "stored": 3, "known": 1}
    assert "a.txt" in names_of(acme)


def test_a_content_that_was_found_bad_comes_back(acme: Dataset, files: Path) -> None:
    acme.crawl(files)
    with acme.archive.local_path(sha("x,y\n")) as path:
        path.write_bytes(b"damaged")
    assert len(acme.archive.verify().bad) == 1
    with opened_below(files) as opened:
        assert counts(acme.crawl(files)) == {"seen": 4, "stored": 1, "known": 3}
    assert opened == ["contracts/2024/c.csv"]
    assert contents_of(acme)["contracts/2024/c.csv"] == b"x,y\n"


@pytest.mark.parametrize(
    ("filters", "stored", "skipped_by"),
    [
        ({"prefix": "contracts/"}, 3, {"prefix": 1}),
        ({"exclude_prefix": "contracts/2024"}, 3, {"exclude_prefix": 1}),
        ({"glob": "*.txt", "exclude_glob": "contracts/*"}, 1, {"exclude_glob": 1, "glob": 2}),
    ],
)
def test_filters_keep_files_out_and_are_counted(
    acme: Dataset, files: Path, filters: dict[str, str], stored: int, skipped_by: dict[str, int]
) -> None:
    job = acme.crawl(files, **filters)  # type: ignore[arg-type]
    assert (job.stored, job.skipped_by) == (stored, skipped_by)
    assert (job.seen, job.skipped) == (4, 4 - stored)
    # what a filter kept out is not forgotten, and what it let through is known
    assert counts(acme.crawl(files)) == {"seen": 4, "stored": 4 - stored, "known": stored}


def test_a_comparison_tells_what_is_not_in_the_archive_as_it_is_and_stores_nothing(
    acme: Dataset, files: Path
) -> None:
    acme.crawl(files, exclude_glob="*.csv")
    job = acme.crawl(files, verify=True)
    assert counts(job) == {"seen": 4, "known": 3, "errors": 1}
    assert failures_of(acme, job) == {"contracts/2024/c.csv": "it is not archived"}
    (files / "a.txt").write_text("new")
    write_tree(files, {"again.pdf": FILES["contracts/b.pdf"]})
    before = {
        key: digest
        for key, digest in tree(acme.location.path).items()
        if not key.startswith(("crawl/", "locks/"))
    }
    job = acme.crawl(files, verify=True)
    assert failures_of(acme, job) == {
        "a.txt": "it changed since it was crawled",
        "again.pdf": "it is archived under other paths only",
        "contracts/2024/c.csv": "it is not archived",
    }
    after = {
        key: digest
        for key, digest in tree(acme.location.path).items()
        if not key.startswith(("crawl/", "locks/"))
    }
    changed = {key for key in after if after[key] != before.get(key)}
    assert changed <= {f"tags/lakehouse/{layout.TAG_CRAWL}"}
    assert report_of(acme, job)["mode"] == "verify"


def test_a_script_of_the_older_program_runs(
    tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dataset(tmp_path / "lake", "my_dataset")
    monkeypatch.setenv("LAKEHOUSE_URI", str(tmp_path / "lake"))
    job = CrawlJob.make(dataset="my_dataset", uri=str(files), glob="*.pdf")
    operation = CrawlOperation(job=job)
    assert repr(operation) == "<CrawlOperation(my_dataset)>"
    assert operation.get_target() == "operations/crawl/last_run"
    result = operation.run()
    assert (result.done, result.make_entities, result.existing) == (1, False, HandleExistingMode.skip_path)


def test_files_can_be_crawled_one_by_one(acme: Dataset, files: Path) -> None:
    job = CrawlJob.make(dataset="acme", uri=str(files), exclude_glob="*.csv", make_entities=True)
    operation = CrawlOperation.from_job(job, acme)
    assert sorted(operation.get_uris()) == ["a.txt", "contracts/b.pdf", "contracts/copy.txt"]
    with acme.jobs.run(job) as run:
        at = operation.handle_crawl("contracts/b.pdf", run)
        with pytest.raises(NotFound, match=r"no file 'contracts/2024/c\.csv'"):
            operation.handle_crawl("contracts/2024/c.csv", run)
    assert at.tzinfo is not None
    assert (run.job.done, paths_of(acme), names_of(acme)) == (1, ["contracts/b.pdf"], ["b.pdf", "contracts"])


def test_a_crawl_of_many_files_is_committed_by_some_thousand(acme: Dataset, tmp_path: Path) -> None:
    files = write_tree(
        tmp_path / "files", {f"{number // 100}/{number}.txt": f"{number % 50}" for number in range(4100)}
    )
    saved = []

    def look(done: int, pending: int, unit: str) -> None:
        latest = Jobs(acme.location).latest(CrawlJob)
        saved.append(latest.done if latest else 0)

    job = acme.crawl(files, progress=look)
    assert (job.stored, job.errors) == (4100, 0)
    assert acme.content_version().endswith(":3")
    assert len(names_of(acme)) == 4100 + 41
    assert any(900 < number < 1300 for number in saved)
    assert counts(acme.crawl(files)).get("stored", 0) == 0
