"""An export that dies anywhere between its file, its differences and their state loses and doubles nothing."""

import shutil

import pytest

from lakehouse_assets import layout
from lakehouse_assets.lake import Lake
from tests.dying import counted, death
from tests.factories import company, entity, make_dataset, person
from tests.replay import EXPORTS, Replay, differences, exported

FILE = {"fileName": ["a.txt"], "contentHash": ["ab" * 32]}


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A lake whose differences lead to another content than its statements have now."""
    folder = tmp_path_factory.mktemp("before") / "lake"
    dataset = make_dataset(folder)
    dataset.import_entities([company("c1"), person("p1"), entity("d1", "Document", **FILE)], origin="crawl")
    dataset.make()
    dataset.import_entities([company("c2"), entity("d2", "Document", **FILE)], origin="crawl")
    dataset.make()
    dataset.import_entities(
        [company("c1", name=["Another"]), company("c3"), entity("d3", "Document", **FILE)]
    )
    dataset.delete(["p1", "d1"])
    return folder


def opened(folder):
    return Lake(folder).dataset("acme")


@pytest.mark.parametrize("name", ["entities", "documents"])
def test_death_at_any_change_of_the_disk_leaves_what_the_next_run_completes(tmp_path, before, name):
    shutil.copytree(before, tmp_path / "whole")
    with counted() as changes:
        opened(tmp_path / "whole").export(name, update_index=False)
    assert changes() > 20, changes()
    keys = [key for key in EXPORTS if (key == layout.ENTITIES) == (name == "entities")]
    # of two files there are twice as many moments
    for moment in range(1, changes() + 1, len(keys)):
        folder = tmp_path / str(moment)
        shutil.copytree(before, folder)
        replays = [Replay(opened(folder), key) for key in keys]
        seen = {key: differences(opened(folder), key) for key in keys}
        with death(moment):
            opened(folder).export(name, update_index=False)
        dataset = opened(folder)
        dataset.unlock()
        # what became visible is whole, and stays
        for key in keys:
            assert differences(dataset, key)[: len(seen[key])] == seen[key]
            seen[key] = {path: dataset.location.read(path) for path in differences(dataset, key)}
        dataset.export(name, update_index=False)
        assert [replay.catch_up() for replay in replays] == ([5] if name == "entities" else [2, 1])
        for key in keys:
            assert {path: dataset.location.read(path) for path in seen[key]} == seen[key]
            assert len(differences(dataset, key)) == 2
        assert opened(folder).export(name, update_index=False).skipped
        dataset.export(name, update_index=False, force=True)
        assert left_over(dataset, name) == {"digests": len(keys), "changes": 2 * len(keys)}
        shutil.rmtree(folder)


def left_over(dataset, name):
    """How many files there are of each kind beside the differences of this export."""
    keys = [key.split("/")[-2] for key in dataset.location.keys(layout.DIFF_WORK) if name in key]
    return {kind: keys.count(kind) for kind in set(keys)}


def test_an_export_whose_differences_were_left_out_is_not_lost_for_them(tmp_path, before):
    shutil.copytree(before, tmp_path / "lake")
    dataset = opened(tmp_path / "lake")
    replay = Replay(dataset, layout.ENTITIES)
    dataset.export("entities", make_diff=False)
    assert len(differences(dataset, layout.ENTITIES)) == 1
    dataset.import_entities([company("c4")])
    dataset.export("entities", make_diff=False)
    dataset.export("entities")
    assert replay.catch_up() == 6
    assert len(replay.content) == len(exported(dataset, layout.ENTITIES)) == 6
