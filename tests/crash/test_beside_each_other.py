"""Several processes at once on one dataset: importing, merging, and killed while they do."""

import random
from collections import Counter

import polars as pl
import pytest

from lakehouse_assets.lake import Lake
from tests.crash.processes import Worker, files_on_disk
from tests.factories import company, make_dataset, rows_of

pytestmark = pytest.mark.crash

SECONDS = 4


@pytest.fixture
def lake(tmp_path, monkeypatch):
    monkeypatch.setenv("LAKEHOUSE_LOCK_TIMEOUT", "60")
    dataset = make_dataset(tmp_path / "lake")
    dataset.entities.add_many(company(f"base-{number}") for number in range(500))
    return tmp_path / "lake"


def confirmed(output):
    return [line for line in output.splitlines() if line.count("-") == 2]


def check(lake, ids):
    dataset = Lake(lake).dataset("acme")
    for _ in range(2):
        names = rows_of(dataset).filter(pl.col("prop") == "name")
        counts = Counter(names["entity_id"])
        assert set(counts.values()) == {1}
        assert set(ids) <= set(counts)
        assert sum(id.startswith("base-") for id in counts) == 500
        dataset.merge(force=True)
    assert dataset.holders() == []


def test_imports_beside_each_other_and_a_merger_lose_and_double_nothing(lake, capsys):
    adders = [Worker(lake, "add", f"{SECONDS}:{name}") for name in ("same1", "same2", "own")]
    merger = Worker(lake, "merges", SECONDS)
    for worker in (*adders, merger):
        worker.begin()
    ids = [id for worker in adders for id in confirmed(worker.finish())]
    merges = int(merger.finish().split()[0])
    assert len(ids) == len(set(ids)) > 0
    assert merges > 0
    check(lake, ids)
    with capsys.disabled():
        print(f"\n{len(ids) // 20} imports beside {merges} merges")


def test_reads_go_on_beside_imports_merges_compactions_and_vacuums(lake, capsys):
    adders = [Worker(lake, "add", f"{SECONDS}:{name}") for name in ("same1", "own")]
    keepers = [Worker(lake, what, SECONDS) for what in ("merges", "compacts", "vacuums")]
    reader = Worker(lake, "reads", SECONDS)
    for worker in (*adders, *keepers, reader):
        worker.begin()
    reads = int(reader.finish().split()[0])
    counts = [int(keeper.finish().split()[0]) for keeper in keepers]
    ids = [id for worker in adders for id in confirmed(worker.finish())]
    assert reads > 0
    assert all(counts)
    check(lake, ids)
    dataset = Lake(lake).dataset("acme")
    dataset.vacuum()
    assert files_on_disk(dataset) == sum(state.files for state in dataset.statements.reader.partitions())
    with capsys.disabled():
        told = "{} merges, {} compactions, {} files vacuumed".format(*counts)
        print(f"\n{reads} reads beside {len(ids) // 20} imports, {told}")


def test_processes_that_die_do_not_hold_up_the_others(lake):
    chance = random.Random()
    survivor = Worker(lake, "add", f"{SECONDS}:own")
    mortals = [
        Worker(lake, what, argument)
        for what, argument in [
            ("add", f"{SECONDS}:same1"),
            ("merges", SECONDS),
            ("compacts", SECONDS),
            ("vacuums", SECONDS),
        ]
    ]
    survivor.begin()
    for mortal in mortals:
        mortal.kill_after(chance.uniform(0.5, 1.5))
    ids = confirmed(survivor.finish())
    assert ids
    check(lake, ids)
