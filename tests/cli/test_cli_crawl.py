import json
from pathlib import Path

import pytest

from tests.cli.calling import Lakehouse
from tests.crawling import FILES, write_tree
from tests.web import WebServer, refuses


@pytest.fixture
def files(folder: Path) -> Path:
    return write_tree(folder / "files", FILES)


@pytest.fixture
def empty(lakehouse: Lakehouse) -> Lakehouse:
    assert lakehouse("dataset", "create", "acme").code == 0
    return lakehouse


def test_a_crawl_says_what_became_of_the_files(empty: Lakehouse, files: Path) -> None:
    result = empty("crawl", "-d", "acme", files, "--exclude-glob", "*.csv")
    assert result.code == 0
    assert result.out.startswith("crawled 4 files into acme in ")
    assert result.out.endswith(": 3 stored (18 B), 0 known, 1 skipped\n")
    assert result.err == "  skipped by --exclude-glob: 1\n"
    assert empty("crawl", "-d", "acme", files, "-q").out.endswith("1 stored (4 B), 3 known, 0 skipped\n")
    assert len(empty("archive", "ls", "-d", "acme").out.splitlines()) == 5


def test_a_crawl_is_told_to_programs(empty: Lakehouse, files: Path) -> None:
    told = empty("crawl", "-d", "acme", files, "--json").json
    assert {name: told[name] for name in ("dataset", "seen", "stored", "known", "skipped", "errors", "mode")} == {
        "dataset": "acme", "seen": 4, "stored": 4, "known": 0, "skipped": 0, "errors": 0, "mode": "crawl",
    }  # fmt: skip
    report = json.loads(Path("data/acme", told["report"]).read_bytes())
    assert report["run_id"] == told["run_id"]


def test_entities_can_be_left_out(empty: Lakehouse, files: Path) -> None:
    empty("crawl", "-d", "acme", files, "--no-entities")
    assert empty("query", "-d", "acme").out == ""
    empty("crawl", "-d", "acme", files)
    assert len(empty("query", "-d", "acme").lines) == 6


def test_what_cannot_be_read_is_warned_of_and_can_be_tried_again(empty: Lakehouse, files: Path) -> None:
    (files / "contracts/gone").symlink_to("nowhere")
    result = empty("crawl", "-d", "acme", files)
    assert result.code == 3
    (told,) = [line for line in result.err.splitlines() if "--retry-failed" in line]
    run = told.split()[-1]
    assert f"warning: file://{files}/contracts/gone: a link to {files}/contracts/nowhere" in result.err
    assert (
        f"warning: 1 error: crawl/{run}.json in the dataset's folder names what could not be read"
        in result.err
    )
    write_tree(files, {"contracts/nowhere": "found"})
    again = empty("crawl", "-d", "acme", "--retry-failed", run, "--json")
    assert (again.code, again.json["seen"], again.json["stored"]) == (0, 1, 1)
    missing = empty("crawl", "-d", "acme", "--retry-failed", "another")
    assert (missing.code, missing.err.startswith("error: there is no report of a crawl 'another'")) == (
        1,
        True,
    )


def test_a_comparison_exits_with_3_when_something_is_not_archived(empty: Lakehouse, files: Path) -> None:
    assert empty("crawl", "-d", "acme", files, "--verify").code == 3
    assert empty("archive", "ls", "-d", "acme", "--json").json["files"] == []
    empty("crawl", "-d", "acme", files)
    result = empty("crawl", "-d", "acme", files, "--verify")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("compared 4 files with the archive of acme in ")
    assert result.out.endswith(": 4 are there\n")


def test_the_sources_of_the_pipeline_are_crawled_without_an_address(empty: Lakehouse, files: Path) -> None:
    result = empty("crawl", "-d", "acme")
    assert result.code == 1
    assert "acme has no sources to crawl: name one, or list some under `crawl:`" in result.err
    Path("data/acme/pipeline.yml").write_text(
        f"crawl: [{{uri: {files}, glob: '*.txt', existing: skip_checksum}}]"
    )
    assert empty("crawl", "-d", "acme", "--json").json["stored"] == 1
    assert empty("crawl", "-d", "acme", "--existing", "overwrite", "--json").json["stored"] == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["files", "--existing", "sometimes"], "'sometimes' is none of overwrite, skip-checksum, skip-path"),
        (
            ["files", "--verify", "--retry-failed", "x"],
            "--verify looks at all files, --retry-failed at a few",
        ),
    ],
)
def test_wrong_usage_is_told(empty: Lakehouse, args: list[str], message: str) -> None:
    result = empty("crawl", "-d", "acme", *args)
    assert (result.code, message in result.err) == (2, True)


def test_both_spellings_of_a_mode_are_taken(empty: Lakehouse, files: Path) -> None:
    for mode in ("skip-path", "skip_path", "skip_checksum", "OVERWRITE"):
        assert empty("crawl", "-d", "acme", files, "--existing", mode).code == 0


def test_a_place_that_is_not_there_is_an_error(empty: Lakehouse, folder: Path) -> None:
    result = empty("crawl", "-d", "acme", "nowhere")
    assert (result.code, result.err) == (1, "error: nowhere does not exist; name a folder, a file or a URL\n")
    with WebServer(folder) as server:
        server.rules["/"] = refuses(403)
        result = empty("crawl", "-d", "acme", server.url)
    assert result.code == 1
    assert result.err.startswith(f"error: {server.url}: the server answers 403")
    assert empty("crawl", "-d", "nobody", folder).code == 1
