"""References that lead nowhere are counted, by property."""

import logging

import pytest

from lakehouse_assets.operations import references
from lakehouse_assets.operations.references import find_dangling
from tests.factories import company, entity, make_dataset, person


@pytest.fixture
def acme(tmp_path):
    """A company, whose owner is there and whose directors are not."""
    dataset = make_dataset(tmp_path / "lake")
    dataset.entities.add_many(
        [
            company(),
            person("p1"),
            entity("o1", "Ownership", owner=["p1"], asset=["c1"]),
            entity("d1", "Directorship", director=["ghost"], organization=["c1"]),
            entity("d2", "Directorship", director=["ghost", "other"], organization=["c1"]),
        ]
    )
    return dataset


def dangling(dataset):
    """The dangling references by property, with those that were named."""
    found = find_dangling(dataset.repositories).properties
    return {each.property: (each.dangling, each.references, each.examples) for each in found if each.dangling}


def test_references_to_nobody_are_counted_and_named_by_property(acme):
    examples = ("d1 -> ghost", "d2 -> other")
    assert dangling(acme) == {"Directorship.director": (3, 3, examples)}
    found = acme.check("statements", "references")
    assert (found.passed, found.severity) == (False, "WARN")
    assert found.metadata == {"references": 7, "dangling": 3, "properties": 1}
    assert found.table[0]["examples"] == ", ".join(examples)


def test_an_entity_of_another_dataset_of_the_lake_is_no_nobody(acme, tmp_path):
    other = acme.lake.create_dataset("other")
    other.entities.add_many([person("ghost"), person("unrelated")])
    assert dangling(acme) == {"Directorship.director": (1, 3, ("d2 -> other",))}
    other.entities.add_many([person("other")])
    assert acme.check("statements", "references").passed
    assert dangling(other) == {}


def test_a_deleted_entity_is_missed_and_a_deleted_reference_is_not(acme):
    acme.delete(["p1"])
    assert dangling(acme)["Ownership.owner"] == (1, 1, ("o1 -> p1",))
    acme.delete(["o1", "d1", "d2"])
    assert dangling(acme) == {}


def test_what_two_origins_say_is_one_reference(acme):
    acme.entities.add_many([entity("d1", "Directorship", director=["ghost"])], origin="again")
    assert dangling(acme)["Directorship.director"][:2] == (3, 3)


@pytest.mark.parametrize("batch", [1, 2, 1_000_000])
def test_the_answer_does_not_depend_on_how_many_are_held_at_once(acme, monkeypatch, batch):
    monkeypatch.setattr(references, "BATCH", batch)
    acme.entities.add_many([entity("z", "Directorship", director=["ghost"])], origin="more")
    acme.lake.create_dataset("other").entities.add_many([person("other")])
    found = dangling(acme)["Directorship.director"]
    assert found[:2] == (3, 4)


def test_a_dataset_that_cannot_be_read_is_named_and_stops_nothing(acme, caplog):
    acme.lake.create_dataset("broken").location.write("config.yml", b"name: [torn")
    with caplog.at_level(logging.WARNING):
        found = acme.check("statements", "references")
    assert found.metadata["unread_datasets"] == "broken"
    assert found.metadata["dangling"] == 3
    assert "references to broken cannot be followed" in caplog.text


def test_an_empty_dataset_has_no_references(tmp_path):
    empty = make_dataset(tmp_path / "lake", "empty")
    assert find_dangling(empty.repositories).properties == ()
    assert empty.check("statements", "references").passed


def test_only_so_many_are_named(acme):
    acme.entities.add_many([entity(f"x{n}", "Directorship", director=[f"y{n}"]) for n in range(20)])
    count, _, examples = dangling(acme)["Directorship.director"]
    assert (count, len(examples)) == (23, references.MAX_NAMED)


def test_a_proof_leads_to_the_archived_file_of_that_checksum(acme, tmp_path):
    (tmp_path / "table.csv").write_bytes(b"name\nAcme\n")
    stored = acme.archive.store(tmp_path / "table.csv")
    acme.entities.add_many(
        [entity("c2", "Company", proof=[stored.checksum]), entity("c3", "Company", proof=["0" * 64])]
    )
    assert dangling(acme)["Company.proof"] == (1, 2, (f"c3 -> {'0' * 64}",))
