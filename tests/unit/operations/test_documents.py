"""`dataset.documents`: the list of files for programs."""

import pytest

from lakehouse_assets.errors import NotFound
from lakehouse_assets.model.times import parse
from tests.factories import entity, make_dataset

WHEN = "2026-01-01T00:00:00.000000Z"


@pytest.fixture
def acme(tmp_path):
    """A file in two folders, and one at the top that no crawl found."""
    dataset = make_dataset(tmp_path / "lake")
    folders = [
        entity("f1", "Folder", fileName=["one"]),
        entity("f2", "Folder", fileName=["two"], parent=["f1"]),
    ]
    content = {"contentHash": ["ab" * 32], "fileSize": ["12"], "mimeType": ["text/plain"]}
    file = entity("d1", "Document", fileName=["Zoë, 1.txt"], parent=["f1", "f2"], **content)
    dataset.import_entities([*folders, file], origin="crawl", last_seen=parse(WHEN))
    dataset.import_entities([entity("d2", "Document", contentHash=["cd" * 32])])
    return dataset


def test_files_are_given_one_by_one_with_their_places_and_addresses(acme):
    job = acme.documents.export_csv("https://data.example.org/${dataset}")
    assert (job.rows, acme.documents.csv_uri) == (3, acme.location.url(job.path))
    first, second, top = acme.documents.stream()
    assert [first.key, second.key] == ["one/Zoë, 1.txt", "one/two/Zoë, 1.txt"]
    assert (first.id, first.name, first.path, first.size) == ("d1", "Zoë, 1.txt", "one", 12)
    assert (first.mimetype, first.updated_at) == ("text/plain", parse(WHEN))
    assert first.public_url == f"https://data.example.org/acme/archive/ab/ab/ab/{'ab' * 32}/blob"
    assert (top.id, top.key, top.size) == ("d2", "File", 0)
    assert [document.id for document in acme.documents.stream(crawled=True)] == ["d1", "d1"]


def test_without_a_public_prefix_there_are_no_addresses(acme):
    acme.documents.export_csv()
    assert {document.public_url for document in acme.documents.stream()} == {None}


def test_before_the_list_was_written_it_says_how(acme):
    with pytest.raises(NotFound, match="lakehouse export -d acme documents"):
        next(acme.documents.stream())


def test_differences_can_be_made_by_themselves(acme):
    assert acme.documents.export_diff(initial=True).diffs["documents"]["added"] == 3
    acme.delete(["d2"])
    acme.documents.export_csv(make_diff=False)
    job = acme.documents.export_diff()
    assert {kind: changed["deleted"] for kind, changed in job.diffs.items()} == {
        "documents": 1,
        "documents.crawl": 0,
    }
    assert acme.documents.export_diff().skipped
