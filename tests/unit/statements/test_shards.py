"""A dataset in shards answers and publishes as one without."""

import gzip
import json

import pytest

from lakehouse_assets.statements import schema as s
from tests.factories import company, entity, make_dataset, person, write_lines


def entities(start, stop):
    found = []
    for number in range(start, stop):
        found.append(company(f"c{number}", name=[f"Company {number}", "Same Name"], country=["fr"]))
        found.append(person(f"p{number}", name=[f"Jane {number}"]))
        found.append(entity(f"o{number}", "Ownership", owner=[f"p{number}"], asset=[f"c{number}"]))
    return [one | {"last_seen": "2024-05-01", "first_seen": "2024-01-01"} for one in found]


@pytest.fixture(params=[0, 1, 4])
def sharded(request, tmp_path):
    """Two imports that overlap and a delete, in a dataset of so many shards."""
    dataset = make_dataset(tmp_path, "acme", shards=request.param)
    for number, rows in enumerate((entities(0, 40), entities(20, 60))):
        dataset.import_files([write_lines(tmp_path / f"{number}.json", rows)], origin=f"source{number % 2}")
    dataset.delete(["c7", "p30"])
    return dataset


def published(dataset):
    """What the exports say, whatever the order of lines is."""
    lines = dataset.location.read("entities.ftm.json").splitlines()
    return (
        sorted(dataset.location.read("exports/statements.csv").splitlines()),
        sorted(json.dumps(json.loads(line), sort_keys=True) for line in lines),
        dataset.location.read("exports/statistics.json"),
    )


@pytest.fixture
def plain(tmp_path):
    """What is published of the same in a dataset without shards."""
    dataset = make_dataset(tmp_path / "plain", "acme")
    for number, rows in enumerate((entities(0, 40), entities(20, 60))):
        dataset.import_files([write_lines(tmp_path / f"p{number}.json", rows)], origin=f"source{number % 2}")
    dataset.delete(["c7", "p30"])
    dataset.make()
    return published(dataset)


def test_the_exports_are_those_of_a_dataset_without_shards(sharded, plain):
    sharded.make()
    assert published(sharded) == plain


def test_merging_changes_no_answer(sharded, plain):
    merged = sharded.merge(force=True)
    assert len(merged.partitions) == len(sharded.statements.reader.partitions())
    sharded.make()
    assert published(sharded) == plain
    assert sharded.status().dirty_partitions == []


def test_each_entity_lies_in_the_shard_of_its_id(sharded):
    shards = sharded.config.shards
    for frame in sharded.statements.reader.scan([s.ENTITY_ID, s.SHARD]):
        for entity_id, shard in frame.unique().iter_rows():
            assert shard == (s.shard_of(entity_id, shards) if shards > 1 else "0")


def test_single_entities_are_found_in_their_shard(sharded):
    found = sharded.get(["c0", "c59", "c7", "p30", "o30"])
    assert set(found) == {"c0", "c59", "o30"}
    assert json.loads(found["c0"])["properties"]["name"] == ["Company 0", "Same Name"]


def test_compressed_exports_hold_the_same(sharded, plain):
    sharded.configure(compression="gz")
    sharded.make()
    unpacked = gzip.decompress(sharded.location.read("exports/statements.csv.gz"))
    assert sorted(unpacked.splitlines()) == plain[0]
    assert sharded.location.read("exports/statistics.json") == plain[2]
