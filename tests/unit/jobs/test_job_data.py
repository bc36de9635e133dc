"""What a job reads and writes: entities of the store, and files of the archive."""

import hashlib

import pytest

from lakehouse_assets.errors import ArchiveFileNotFound, EntityNotFound
from lakehouse_assets.jobs import DatasetJob
from tests.factories import company, entity, rows_of, values_of


def job_of(*entities):
    return DatasetJob.from_entities("acme", "q", "t", entities)


def names(entities):
    return [(found.id, sorted(found.get("name"))) for found in entities]


def test_loaded_entities_are_those_of_the_store_in_the_order_they_were_sent(dataset):
    other = dataset.lake.create_dataset("other")
    other.entities.add_many([company("c1", name=["Elsewhere"])])
    dataset.entities.add_many([company("c1", name=["A"]), company("c2", name=["C"]), company("c3")])
    dataset.entities.add_many([company("c1", name=["B"])], origin="later")
    made = job_of(company("c2"), company("c1", name=["A"]), company("c2"))
    assert names(made.load_entities()) == [("c2", ["C"]), ("c1", ["A", "B"])]
    assert list(job_of().load_entities()) == []


def test_an_entity_that_is_missing_is_told_or_skipped(dataset):
    dataset.entities.add_many([company("c1")])
    made = job_of(company("gone"), company("c1"))
    with pytest.raises(EntityNotFound, match="gone"):
        next(made.load_entities())
    assert [found.id for found in made.load_entities(on_missing="skip")] == ["c1"]


@pytest.mark.parametrize("take", ["add", "put", "add_entity"])
def test_what_is_written_is_seen_by_others_when_the_block_ends(dataset, take):
    with job_of().get_writer() as writer:
        getattr(writer, take)(company("c1", name=["A"]))
        getattr(writer, take)(company("c1", country=["de"]))
        assert values_of(dataset) == []
    assert values_of(dataset) == [("c1", "country", "de"), ("c1", "name", "A")]
    assert set(rows_of(dataset)["origin"]) == {"t"}


def test_of_a_block_that_raises_nothing_is_written(dataset):
    def write():
        with job_of().get_writer("mine") as writer:
            writer.put(company("c1"))
            raise KeyError

    with pytest.raises(KeyError):
        write()
    assert values_of(dataset) == []


def test_the_files_of_an_entity_are_opened_and_lent_as_paths(dataset, tmp_path):
    checksums = []
    for content in (b"first", b"second"):
        (tmp_path / "file.txt").write_bytes(content)
        checksums.append(dataset.archive.store(tmp_path / "file.txt").checksum)
    made = job_of(entity("d1", "Document", contentHash=checksums), company("c1"))
    references = list(made.get_file_references())
    assert [(found.entity.id, found.checksum) for found in references] == [("d1", one) for one in checksums]
    with references[0].open() as stream:
        assert stream.read() == b"first"
    assert stream.closed
    with references[1].get_localpath() as path:
        assert path.read_bytes() == b"second"
    with pytest.raises(ZeroDivisionError), references[1].get_local_path() as path:
        raise ZeroDivisionError
    assert dataset.archive.local_path(checksums[1]).__enter__().read_bytes() == b"second"


def test_a_file_that_is_not_archived_is_told_when_it_is_opened(dataset):
    missing = hashlib.sha256(b"missing").hexdigest()
    (reference,) = job_of(entity("d1", "Document", contentHash=[missing])).get_file_references()
    for way in (reference.open, reference.get_localpath):
        with pytest.raises(ArchiveFileNotFound, match=missing), way():
            raise AssertionError
    (reference,) = job_of(entity("d1", "Document", contentHash=["a" * 40])).get_file_references()
    for way in (reference.open, reference.get_localpath):
        with pytest.raises(ValueError, match="not a checksum"), way():
            raise AssertionError
