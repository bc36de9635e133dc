"""Storing files and downloading them, killed (SIGKILL) at any moment: only whole files are ever to be seen."""

import hashlib
import os
from datetime import timedelta

import pytest

from lakehouse_assets.archive.intake import IN_MEMORY
from lakehouse_assets.lake import Lake
from tests.crash.processes import Worker, kill_somewhere, seconds_of
from tests.factories import entity, make_dataset

pytestmark = pytest.mark.crash

ROUNDS = int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "4"))
SMALL, LARGE = 300, 3


@pytest.fixture
def source(tmp_path):
    """Many small files, and some that do not fit into memory; each content is there twice."""
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(SMALL):
        (folder / f"small-{number}").write_bytes(f"content {number // 2}".encode() * (number + 1 // 2))
    large = os.urandom(IN_MEMORY + 100_000)
    for number in range(LARGE):
        (folder / f"large-{number}").write_bytes(large + bytes([number // 2]))
    return folder


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def assert_whole(dataset):
    """Every content is what its name says, and there is one for each file; returns the paths that are known."""
    archive = dataset.location.path / "archive"
    for blob in archive.rglob("blob"):
        assert digest(blob) == blob.parent.name
    files = list(dataset.archive.files())
    assert len(files) == len(list(archive.rglob("*.json")))
    assert all(dataset.archive.exists(file.checksum) for file in files)
    return {file.key for file in files}


def test_a_killed_store_leaves_whole_files_and_the_next_one_goes_on(tmp_path, source, chance, capsys):
    lakes = [tmp_path / f"lake{number}" for number in range(ROUNDS + 1)]
    for lake in lakes:
        make_dataset(lake)
    seconds, finished, left = seconds_of(lakes.pop(), "store", source), 0, 0
    for lake in lakes:
        worker = Worker(lake, "store", source)
        finished += worker.kill_after(chance.uniform(0, seconds))
        confirmed = set(worker.printed.splitlines()) - {"done"}
        dataset = Lake(lake).dataset("acme")
        assert confirmed <= assert_whole(dataset)
        seconds_of(lake, "store", source)
        assert assert_whole(dataset) == {path.name for path in source.iterdir()}
        assert dataset.archive.verify().bad == []
        left += len(dataset.location.sweep("archive", older=timedelta(seconds=-5)))
        assert not [path for path in lake.rglob("*") if path.name.startswith(".tmp-")]
    with capsys.disabled():
        print(f"\nstore: killed {ROUNDS} times, {finished} of them too late, {left} temp files swept")


def test_a_killed_download_leaves_whole_files_and_the_next_one_goes_on(tmp_path, source, chance, capsys):
    lake = tmp_path / "lake"
    dataset = make_dataset(lake)
    documents = []
    for path in source.iterdir():
        file = dataset.archive.store(path)
        documents.append(entity(file.id, "Document", fileName=[file.key], contentHash=[file.checksum]))
    dataset.import_entities(documents)
    digests = {path.name: digest(path) for path in source.iterdir()}
    dataset.export("documents")
    seconds, finished = seconds_of(lake, "download", tmp_path / "first"), 0
    for number in range(ROUNDS):
        out = tmp_path / f"out{number}"
        finished += kill_somewhere(lake, "download", out, seconds, chance)
        whole = {path.name: digest(path) for path in out.glob("*") if not path.name.startswith(".tmp-")}
        assert whole.items() <= digests.items()
        job = dataset.download(out)
        assert (job.done + job.skipped, job.errors, job.replaced) == (len(digests), 0, 0)
        assert job.skipped >= len(whole)
        assert digests.items() <= {path.name: digest(path) for path in out.iterdir()}.items()
    with capsys.disabled():
        print(f"\ndownload: killed {ROUNDS} times, {finished} of them too late")
