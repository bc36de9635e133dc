"""Questions read only the partitions that they name, and of these only what is near the answer."""

import json

import pytest

from lakehouse_assets.errors import InvalidData, StorageError
from lakehouse_assets.operations.selections import Selection
from lakehouse_assets.statements import schema as s
from tests.factories import company, entity, make_dataset, write_lines


@pytest.fixture
def acme(tmp_path):
    """Two origins and two buckets; the entities of the origins lie apart."""
    dataset = make_dataset(tmp_path / "lake")
    lines = {
        "leak": [company("a1"), entity("a2", "Document", fileName=["a.pdf"])],
        "register": [company("z1"), entity("z2", "Document", fileName=["z.pdf"])],
    }
    for origin, entities in lines.items():
        dataset.import_files([write_lines(tmp_path / "in.json", entities)], origin=origin)
    return dataset


def spoil(dataset, **values):
    """Files of some partitions that nobody can read."""
    for file in dataset.statements.table.snapshot().files:
        if all(getattr(file.partition, name) == value for name, value in values.items()):
            dataset.location.write(f"statements/{file.key}", b"spoilt")


def ids(frames):
    return sorted({entity_id for frame in frames for entity_id in frame[s.ENTITY_ID]})


def test_statements_of_one_origin_leave_the_files_of_others_alone(acme):
    spoil(acme, origin="register")
    assert ids(acme.statement_frames(Selection(origin="leak"))) == ["a1", "a2"]
    with pytest.raises(StorageError):
        ids(acme.statement_frames())


def test_statements_of_one_bucket_leave_the_files_of_others_alone(acme):
    spoil(acme, bucket="document")
    assert ids(acme.statement_frames(Selection(bucket="thing"))) == ["a1", "z1"]


def test_statements_of_one_entity_leave_files_alone_that_cannot_hold_it(acme):
    spoil(acme, origin="register")
    assert ids(acme.statement_frames(Selection(ids=["a1"]))) == ["a1"]


def test_a_query_reads_only_near_what_it_finds(acme, monkeypatch):
    opened = []
    from lakehouse_assets.statements import reader

    read = reader.read

    def noted(wanted, columns):
        opened.extend((slice.part.partition.origin, s.VALUE in columns) for slice in wanted.slices)
        return read(wanted, columns)

    monkeypatch.setattr(reader, "read", noted)
    found = [entity.id for entity in acme.entities.query(origin="leak", bucket="thing", name="Acme Inc.")]
    assert found == ["a1"]
    assert ("leak", True) in opened
    assert ("register", True) not in opened


def test_properties_may_be_named_as_arguments_or_in_a_mapping(acme):
    assert len(list(acme.query(name="Acme Inc."))) == 2
    assert len(list(acme.query(where={"name": "Acme Inc."}, origin="leak"))) == 1
    assert list(acme.query(where={"name": "Acme Inc."}, fileName="a.pdf")) == []
    with pytest.raises(InvalidData, match=r"no property 'nam' .* did you mean name"):
        acme.query(nam="Acme Inc.")


def test_origin_and_bucket_may_be_those_of_different_rows_of_an_entity(acme, tmp_path):
    acme.import_files([write_lines(tmp_path / "in.json", [entity("a1", "Document")])], origin="register")
    found = acme.query(origin="leak", bucket="document")
    assert sorted(json.loads(line)["id"] for line in found) == ["a1", "a2"]
