import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.errors import NotFound, StorageError
from lakehouse_assets.lake import Dataset
from lakehouse_assets.operations import CrawlJob
from lakehouse_assets.operations.crawling.bookmark import Bookmark
from lakehouse_assets.storage.jobs import Jobs
from tests.crawling import contents_of, counts, failures_of, names_of, opened_below, paths_of, write_tree
from tests.web import Handler, WebServer, refuses, stalls_after


def test_what_cannot_be_read_is_counted_and_named_and_the_rest_goes_on(acme: Dataset, files: Path) -> None:
    (files / "gone").symlink_to("nowhere")
    (files / "out").symlink_to("/etc/hostname")
    job = acme.crawl(files)
    assert counts(job) == {"seen": 4, "stored": 4, "errors": 2}
    assert sorted(failures_of(acme, job)) == ["gone", "out"]
    assert job.exc is None


def test_only_what_failed_is_tried_again(acme: Dataset, files: Path) -> None:
    (files / "contracts/gone").symlink_to("nowhere")
    (files / "never").symlink_to("nowhere")
    failed = acme.crawl(files, exclude_glob="*.csv")
    (files / "contracts/gone").unlink()
    (files / "never").unlink()
    write_tree(files, {"contracts/gone": "here now", "new.txt": "new"})
    job = acme.crawl(retry_failed=failed.run_id)
    assert counts(job) == {"seen": 1, "stored": 1, "errors": 1}
    assert failures_of(acme, job) == {"never": "it is not there any more"}
    assert "gone" in names_of(acme)
    assert "new.txt" not in paths_of(acme)
    with pytest.raises(NotFound, match=f"there is no report of a crawl 'x'.*; the last one is {job.run_id}"):
        acme.crawl(retry_failed="x")


def test_a_source_that_is_not_there_is_refused(acme: Dataset, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere does not exist"):
        acme.crawl(tmp_path / "nowhere")
    latest = Jobs(acme.location).latest(CrawlJob)
    assert latest is not None
    assert latest.exc is not None
    assert acme.tags.get(layout.TAG_CRAWL) is None


def test_a_source_that_vanishes_is_named_file_by_file_and_the_crawl_ends(
    acme: Dataset, tmp_path: Path
) -> None:
    files = write_tree(
        tmp_path / "files",
        {f"{part}/{number}": f"{part}-{number}" for part in range(40) for number in range(40)},
    )

    def vanish(done: int, pending: int, unit: str) -> None:
        if done > 100 and files.exists():
            shutil.rmtree(files)

    job = acme.crawl(files, progress=vanish)
    assert 0 < job.stored < 1600
    assert job.errors > 0
    assert job.stored + len([1 for reason in failures_of(acme, job).values()]) <= 1600
    assert set(failures_of(acme, job).values()) == {"No such file or directory"}
    assert len(paths_of(acme)) == job.stored


@contextmanager
def growing(path: Path) -> Iterator[None]:
    """A file that grows all the time."""
    over = threading.Event()

    def grow() -> None:
        with path.open("ab") as file:
            while not over.wait(0.0005):
                file.write(b"more")
                file.flush()

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_file_that_changes_all_the_time_is_an_error_and_nothing_of_it_is_archived(
    acme: Dataset, files: Path
) -> None:
    with (files / "log").open("wb") as file:
        file.truncate(30 << 20)
    with growing(files / "log"):
        job = acme.crawl(files)
    assert counts(job) == {"seen": 5, "stored": 4, "errors": 1}
    assert failures_of(acme, job)["log"].startswith("it changed while it was read")
    assert "log" not in paths_of(acme)
    assert not list((acme.location.path / "archive").rglob(".tmp-*"))
    assert counts(acme.crawl(files)) == {"seen": 5, "stored": 1, "known": 4}


def changes_while_it_is_sent(handler: Handler) -> None:
    """Sends slowly what is another file by then."""
    if handler.command == "HEAD":
        handler.reply(200, ETag='"2"')
    elif len(handler.server.asked("GET")) > 1:
        handler.reply(200, b"whole", ETag='"2"')
    else:
        handler.send_response(200)
        handler.send_header("Content-Length", "4")
        handler.send_header("ETag", '"1"')
        handler.end_headers()
        # what comes at once nobody asks about again
        time.sleep(1.1)
        handler.wfile.write(b"torn")


def test_a_file_that_changed_once_while_it_was_read_is_read_again(acme: Dataset, tmp_path: Path) -> None:
    with WebServer(write_tree(tmp_path / "served", {"a.txt": ""})) as server:
        server.rules["/a.txt"] = changes_while_it_is_sent
        job = acme.crawl(server.url)
    assert counts(job) == {"seen": 1, "stored": 1}
    assert contents_of(acme) == {"a.txt": b"whole"}


def test_a_server_is_crawled_as_far_as_it_answers(
    acme: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE_CRAWL_STALL_SECONDS", "0.4")
    dataset = type(acme.lake)(acme.lake.uri).dataset("acme")
    names = ("ok.txt", "deep/ok.csv", "kept", "gone", "broken", "stalls")
    served = write_tree(tmp_path / "served", dict.fromkeys(names, "one"))
    for path in served.rglob("*"):
        # a server that tells whole seconds cannot be trusted about the last one
        os.utime(path, (1_700_000_000, 1_700_000_000))
    with WebServer(served) as server:
        server.rules |= {"/kept": refuses(403), "/gone": refuses(404), "/broken": refuses(500)}
        server.rules["/stalls"] = stalls_after(b"one", 3)
        job = dataset.crawl(server.url)
        assert counts(job) == {"seen": 6, "stored": 2, "errors": 4}
        reasons = {path: reason.partition(": ")[2] for path, reason in failures_of(dataset, job).items()}
        assert "403" in reasons["kept"]
        assert "404" in reasons["gone"]
        assert "500" in reasons["broken"]
        assert "nothing came for too long" in reasons["stalls"]
        # what is known is asked about, and not sent again
        server.rules.clear()
        server.requests.clear()
        assert counts(dataset.crawl(server.url)) == {"seen": 6, "stored": 4, "known": 2}
        assert sorted(server.asked("GET")) == ["/broken", "/gone", "/kept", "/stalls"]
        assert sorted(server.asked("HEAD")) == ["/deep/ok.csv", "/ok.txt"]


def test_a_full_disk_ends_the_crawl_and_the_next_one_goes_on(
    acme: Dataset, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = acme.location.path / "archive"
    archive.write_text("a file where a folder must be")
    with pytest.raises(StorageError, match="archive"):
        acme.crawl(files)
    archive.unlink()
    assert counts(acme.crawl(files)) == {"seen": 4, "stored": 4}


def test_what_is_remembered_of_a_source_may_be_lost_or_damaged(
    acme: Dataset, files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    acme.crawl(files)
    (catalogue,) = (acme.location.path / "crawl/seen").iterdir()
    catalogue.write_bytes(b"damaged")
    with caplog.at_level(logging.WARNING):
        assert counts(acme.crawl(files)) == {"seen": 4, "known": 4}
    assert "all files are read once more" in caplog.text
    (state,) = (acme.location.path / "state").glob("*.json")
    state.write_text("damaged")
    caplog.clear()
    assert counts(acme.crawl(files)) == {"seen": 4, "known": 4}
    assert "all files of file://" in caplog.text


def test_one_catalogue_is_kept_for_each_source(acme: Dataset, files: Path, tmp_path: Path) -> None:
    other = write_tree(tmp_path / "other", {"x": "x"})
    for _ in range(3):
        acme.crawl(files)
        acme.crawl(other)
        (files / "a.txt").write_text(f"{time.time_ns()}")
    assert len(list((acme.location.path / "crawl/seen").iterdir())) == 2


def test_a_crawl_beside_another_one_of_the_same_source_is_not_remembered_and_harms_nothing(
    acme: Dataset, files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = Bookmark(acme.location, acme.states, f"file://{files}", run_id="1")
    catalogue = first.open()
    acme.crawl(files)
    first.save(catalogue, {}, complete=True)
    assert "another crawl of" in caplog.text
    assert len(list((acme.location.path / "crawl/seen").iterdir())) == 1
    with opened_below(files) as opened:
        assert counts(acme.crawl(files)) == {"seen": 4, "known": 4}
    assert opened == []
