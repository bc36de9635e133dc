"""
A crawl that is killed (SIGKILL) at any moment: whole blobs only, no entity without its file, and the next one goes on.

`LAKEHOUSE_CRASH_ROUNDS` says how often it is killed.
"""

import hashlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lakehouse_assets import layout
from lakehouse_assets.lake import Dataset, Lake
from tests.crawling import counts, names_of, opened_below, paths_of, settle, write_tree
from tests.factories import make_dataset, values_of

pytestmark = pytest.mark.crash

# a round is a process to start, a crawl to finish and two to look at
ROUNDS = int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "4")) // 2
FILES = 400
LARGE = 9 << 20


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Many small files in some folders, and a large one."""
    paths = {f"{number // 50}/{number}.txt": f"{number}" for number in range(FILES)}
    folder = write_tree(tmp_path / "files", {**paths, "large.bin": os.urandom(LARGE)})
    settle()
    return folder


def start(dataset: Dataset, files: Path) -> subprocess.Popen[bytes]:
    """A crawl in a process of its own, which has just begun to work."""
    records = dataset.location.path / layout.job_runs("CrawlJob")  # type: ignore[operator]
    before = set(records.glob("*")) if records.exists() else set()
    command = [sys.executable, "-m", "lakehouse_assets.cli", "--uri", dataset.lake.uri]
    process = subprocess.Popen(
        [*command, "crawl", "-d", dataset.name, str(files)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and set(records.glob("*.json")) <= before:
        time.sleep(0.002)
    return process


def check(dataset: Dataset) -> None:
    """Every blob is whole, and every entity has its file."""
    root = dataset.location.path / layout.ARCHIVE  # type: ignore[operator]
    for blob in root.rglob("blob"):
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.parent.name
    archived = {file.id: file for file in dataset.archive.files()}
    assert all(dataset.archive.exists(file.checksum) for file in archived.values())
    made = {entity for entity, prop, _ in values_of(dataset) if prop == "contentHash"}
    assert made <= set(archived)


def test_a_killed_crawl_leaves_whole_blobs_and_the_next_one_goes_on(
    tmp_path: Path, files: Path, chance: random.Random, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = make_dataset(tmp_path / "timed")
    began = time.monotonic()
    assert start(dataset, files).wait() == 0
    seconds, late = time.monotonic() - began, 0
    for number in range(ROUNDS):
        dataset = make_dataset(tmp_path / f"lake{number}")
        # it may be killed more than once before it gets to its end
        for _ in range(chance.choice((1, 1, 2))):
            process = start(dataset, files)
            time.sleep(chance.uniform(0, seconds))
            late += process.poll() is not None
            process.kill()
            process.wait()
            check(Lake(dataset.lake.uri).dataset("acme"))
        job = dataset.crawl(files)
        assert counts(job) == {
            name: count
            for name, count in {
                "seen": FILES + 1,
                "stored": job.stored,
                "known": FILES + 1 - job.stored,
            }.items()
            if count
        }
        check(dataset)
        assert len(paths_of(dataset)) == FILES + 1
        assert len(names_of(dataset)) == FILES + 1 + FILES // 50
        with opened_below(files) as opened:
            assert counts(dataset.crawl(files)) == {"seen": FILES + 1, "known": FILES + 1}
        assert opened == []
    with capsys.disabled():
        print(f"\ncrawl: killed {ROUNDS} times or more, {late} of them too late")
