"""
Several processes at once on one dataset: importing, merging, exporting, and killed while they do.

`LAKEHOUSE_STRESS_SECONDS` says for how long.
"""

import random
from collections import Counter

import polars as pl
import pytest

from lakehouse_assets.lake import Lake
from tests.crash.processes import STRESS, Worker, files_on_disk, finish_all
from tests.factories import company, make_dataset, rows_of

pytestmark = pytest.mark.crash


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
    adders = [Worker(lake, "add", f"{STRESS}:{name}") for name in ("same1", "same2", "own")]
    merger = Worker(lake, "merges", STRESS)
    for worker in (*adders, merger):
        worker.begin()
    *added, merged = finish_all([*adders, merger])
    ids = [id for printed in added for id in confirmed(printed)]
    merges = int(merged.split()[0])
    assert len(ids) == len(set(ids)) > 0
    assert merges > 0
    check(lake, ids)
    with capsys.disabled():
        print(f"\n{len(ids) // 20} imports beside {merges} merges")


def test_reads_and_exports_go_on_beside_imports_merges_compactions_and_vacuums(lake, capsys):
    adders = [Worker(lake, "add", f"{STRESS}:{name}") for name in ("same1", "same2", "own")]
    keepers = [Worker(lake, what, STRESS) for what in ("merges", "compacts", "vacuums", "makes", "reads")]
    for worker in (*adders, *keepers):
        worker.begin()
    printed = finish_all([*adders, *keepers])
    ids = [id for added in printed[: len(adders)] for id in confirmed(added)]
    counts = [int(counted.split()[0]) for counted in printed[len(adders) :]]
    assert len(ids) == len(set(ids)) > 0
    assert all(counts)
    check(lake, ids)
    dataset = Lake(lake).dataset("acme")
    dataset.vacuum()
    assert files_on_disk(dataset) == sum(state.files for state in dataset.statements.reader.partitions())
    dataset.make()
    assert dataset.make().skipped
    assert [found for found in dataset.checks() if not found.passed] == []
    with capsys.disabled():
        told = "{} merges, {} compactions, {} files vacuumed, {} makes, {} reads".format(*counts)
        print(f"\n{len(ids) // 20} imports beside {told}")


def test_processes_that_die_do_not_hold_up_the_others(lake):
    chance = random.Random()
    survivor = Worker(lake, "add", f"{STRESS}:own")
    mortals = [
        Worker(lake, what, argument)
        for what, argument in [
            ("add", f"{STRESS}:same1"),
            ("merges", STRESS),
            ("compacts", STRESS),
            ("vacuums", STRESS),
        ]
    ]
    survivor.begin()
    for mortal in mortals:
        mortal.kill_after(chance.uniform(0.5, 1.5))
    ids = confirmed(survivor.finish())
    assert ids
    check(lake, ids)
