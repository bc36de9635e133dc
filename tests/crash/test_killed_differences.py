"""
Exports that are killed (SIGKILL) at any moment, alone and beside others: their differences lose and double nothing.

`LAKEHOUSE_CRASH_ROUNDS` says how often an export is killed.
"""

import os

import pytest

from lakehouse_assets import layout
from lakehouse_assets.lake import Lake
from tests.crash.processes import Worker, kill_somewhere, seconds_of
from tests.factories import company, entity, make_dataset
from tests.replay import EXPORTS, Replay, differences

pytestmark = [pytest.mark.crash, pytest.mark.usefixtures("long_locks")]

ROUNDS = int(os.environ.get("LAKEHOUSE_CRASH_ROUNDS", "4"))
SIZE = 2000
SECONDS = 3


@pytest.fixture
def lake(tmp_path):
    """A made dataset of companies and documents."""
    dataset = make_dataset(tmp_path / "lake")
    dataset.entities.add_many(batch("base"), origin="crawl")
    dataset.make()
    return tmp_path / "lake"


def batch(name):
    half = [company(f"{name}-{number}", name=[f"{name} {number}"]) for number in range(SIZE)]
    documents = (
        entity(f"{name}-d{number}", "Document", title=[name], contentHash=[f"{number:064x}"])
        for number in range(SIZE // 4)
    )
    return [*half, *documents]


@pytest.mark.parametrize("name", ["entities", "documents"])
def test_a_killed_export_keeps_each_change_once(lake, capsys, chance, name):
    dataset = Lake(lake).dataset("acme")
    replays = [Replay(dataset, key) for key in EXPORTS]
    seconds, finished = seconds_of(lake, "export", name), 0
    rounds = ROUNDS if name == "entities" else max(ROUNDS // 2, 1)
    for number in range(rounds):
        changed = company(f"base-{number}", name=[f"Changed {number}"])
        dataset.entities.add_many([*batch(f"r{number}")[number::3], changed], origin="crawl")
        dataset.delete([f"base-{number + 100}", f"base-d{number}"])
        finished += kill_somewhere(lake, "export", name, seconds, chance)
        seen = [path for key in EXPORTS for path in differences(dataset, key)]
        dataset = Lake(lake).dataset("acme")
        for artifact in ("entities", "documents"):
            dataset.export(artifact, update_index=False)
        # whoever was killed in it holds its lease until the next one
        dataset.export("index")
        for replay in replays:
            replay.dataset = dataset
            replay.catch_up()
        assert set(seen) <= {path for key in EXPORTS for path in differences(dataset, key)}
        assert dataset.holders() == []
    with capsys.disabled():
        print(f"\nexport {name} with differences: killed {rounds} times, {finished} of them too late")


def test_exporters_beside_importers_some_of_which_die_keep_each_change_once(lake, capsys, chance):
    replay = Replay(Lake(lake).dataset("acme"), layout.ENTITIES)
    adders = [Worker(lake, "add", f"{SECONDS}:{name}") for name in ("same1", "own")]
    exporters = [Worker(lake, "exports", SECONDS) for _ in range(2)]
    mortal = Worker(lake, "exports", SECONDS)
    for worker in (*adders, *exporters):
        worker.begin()
    mortal.kill_after(chance.uniform(0.5, 2))
    ids = [id for worker in adders for id in worker.finish().splitlines() if id.count("-") == 2]
    counts = [int(worker.finish().split()[0]) for worker in exporters]
    dataset = Lake(lake).dataset("acme")
    dataset.export("entities")
    replay.dataset = dataset
    assert replay.catch_up() >= len(ids) > 0
    with capsys.disabled():
        told = f"{len(differences(dataset, layout.ENTITIES))} differences of {sum(counts)} exports"
        print(f"\n{told} beside {len(ids) // 20} imports")
