"""What happens with no command given, while Dagster's daemon runs."""

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakehouse_assets.lake import Dataset, Lake
from tests.e2e.conftest import eventually
from tests.e2e.daemon import Daemon
from tests.factories import person, write_lines

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("by_itself")


@pytest.fixture(scope="module")
def lake(folder: Path) -> Lake:
    (folder / "lake").mkdir()
    return Lake(folder / "lake")


@pytest.fixture(scope="module")
def inbox(folder: Path) -> Path:
    """The folder that is crawled."""
    (folder / "inbox").mkdir()
    (folder / "inbox" / "first.txt").write_text("the first one")
    return folder / "inbox"


@pytest.fixture(scope="module")
def acme(lake: Lake, inbox: Path) -> Dataset:
    dataset = lake.create_dataset("acme", title="Acme leak")
    dataset.location.write("pipeline.yml", f"crawl: [{{uri: {inbox}}}]\n".encode())
    return dataset


@pytest.fixture(scope="module")
def daemon(folder: Path, lake: Lake, acme: Dataset) -> Iterator[Daemon]:
    found = Daemon(folder, lake)
    found.start()
    yield found
    found.stop()


def index_names(dataset: Dataset, name: str) -> bool:
    """Whether the index lists the very documents.csv in which a file stands."""
    documents = dataset.location.read_or_none("exports/documents.csv") or b""
    index = json.loads(dataset.location.read_or_none("index.json") or b"{}")
    listed = {entry["name"]: entry.get("checksum") for entry in index.get("resources", [])}
    return name.encode() in documents and listed.get("documents.csv") == hashlib.sha256(documents).hexdigest()


def test_what_lies_in_a_source_is_crawled_when_the_daemon_starts(daemon: Daemon, acme: Dataset) -> None:
    eventually(lambda: index_names(acme, "first.txt"), within=180, what="the first crawl")


def test_a_file_that_is_dropped_into_a_source_stands_in_the_index(
    daemon: Daemon, acme: Dataset, inbox: Path
) -> None:
    eventually(lambda: index_names(acme, "first.txt"), within=180, what="the first crawl")
    began = time.monotonic()
    (inbox / "dropped.txt").write_text("dropped")
    eventually(lambda: index_names(acme, "dropped.txt"), within=180, what="the index with the dropped file")
    print(f"from the drop to the index: {time.monotonic() - began:.0f} s")


def test_what_another_program_imports_is_exported(daemon: Daemon, acme: Dataset, folder: Path) -> None:
    eventually(lambda: index_names(acme, "first.txt"), within=180, what="the first crawl")
    began = time.monotonic()
    acme.import_files([write_lines(folder / "people.json", [person("imported")])])
    eventually(
        lambda: (
            b'"id":"imported"' in acme.location.read("entities.ftm.json") and acme.freshness("index").fresh
        ),
        within=180,
        what="exports of what was imported",
    )
    print(f"from the import to the index: {time.monotonic() - began:.0f} s")


def test_what_a_program_writes_into_the_journal_is_flushed_and_exported(
    daemon: Daemon, acme: Dataset
) -> None:
    eventually(lambda: index_names(acme, "first.txt"), within=180, what="the first crawl")
    began = time.monotonic()
    with acme.entities.writer("scraper") as writer:
        writer.add(person("written"))
    eventually(
        lambda: (
            b'"id":"written"' in acme.location.read("entities.ftm.json") and acme.freshness("index").fresh
        ),
        within=300,
        what="exports of what was written",
    )
    assert acme.statements.journal.waiting() == []
    print(f"from the writer to the index: {time.monotonic() - began:.0f} s")


def test_a_dataset_that_appears_is_made(daemon: Daemon, lake: Lake, folder: Path) -> None:
    began = time.monotonic()
    bodies = lake.create_dataset("bodies")
    bodies.import_files([write_lines(folder / "bodies.json", [person("p1")])])
    eventually(
        lambda: (
            b'"bodies"' in (lake.location.read_or_none("index.json") or b"")
            and bodies.freshness("index").fresh
        ),
        within=180,
        what="the index of a new dataset, and the catalogue",
    )
    print(f"from the folder to the catalogue: {time.monotonic() - began:.0f} s")
