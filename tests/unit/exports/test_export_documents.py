import csv
import io

import pytest

from lakehouse_assets.exports.documents import HEADER, DocumentsCsv
from lakehouse_assets.exports.folders import path_of
from tests.unit.exports.tables import base, make_view, row

HASH = "ab" * 32
OTHER = "cd" * 32


def document(entity_id, schema="Document", **properties):
    """A file: its statements, all values lists."""
    rows = [row(entity_id, name, value, schema) for name, values in properties.items() for value in values]
    return [base(entity_id, schema), *rows]


def folder(entity_id, name, parent=None):
    return document(entity_id, "Folder", fileName=[name], parent=[parent] if parent else [])


def written(view, key="exports/documents.csv"):
    results = {result.key: result for result in DocumentsCsv().write(view)}
    text = view.location.read(key).decode()
    return results[key], list(csv.DictReader(io.StringIO(text, newline="")))


def test_without_documents_both_files_are_the_header_alone(tmp_path):
    view = make_view(tmp_path, [base("p1")])
    results = DocumentsCsv().write(view)
    assert [result.path for result in results] == ["exports/documents.csv", "exports/documents.crawl.csv"]
    assert view.location.read("exports/documents.csv") == HEADER
    assert view.location.read("exports/documents.crawl.csv") == HEADER


def test_a_file_is_a_line_with_its_path_and_address(tmp_path):
    rows = [
        *folder("f1", "top, dir"),
        *folder("f2", "sub", "f1"),
        *document(
            "d1",
            contentHash=[HASH],
            fileName=['a "b".txt'],
            mimeType=["text/plain"],
            fileSize=["12"],
            parent=["f2"],
        ),
    ]
    view = make_view(tmp_path, rows, prefix="https://data.example.org/${dataset}/")
    DocumentsCsv().write(view)
    assert view.location.read("exports/documents.csv").decode() == (
        "id,checksum,name,mimetype,path,size,updated_at,public_url\r\n"
        f'd1,{HASH},"a ""b"".txt",text/plain,"top, dir/sub",12,2024-01-02T03:04:05.000000Z,'
        f"https://data.example.org/acme/archive/ab/ab/ab/{HASH}/blob\r\n"
    )


def test_without_a_public_prefix_there_is_no_address(tmp_path):
    _, [found] = written(make_view(tmp_path, document("d1", contentHash=[HASH])))
    assert found["public_url"] == ""


def test_what_a_file_does_not_tell_is_guessed_or_empty(tmp_path):
    rows = [row("d1", "contentHash", HASH, "Document"), row("d1", "fileName", "A.PDF", "Document")]
    _, [found] = written(make_view(tmp_path, rows))
    assert found["mimetype"] == "application/pdf"
    assert (found["size"], found["path"], found["updated_at"]) == ("0", "", "")


@pytest.mark.parametrize(
    ("types", "name", "expected"),
    [
        (["application/octet-stream", "text/csv"], "a", "text/csv"),
        (["application/octet-stream"], "a.png", "image/png"),
        ([], "a.unheard-of", "application/octet-stream"),
        ([], "none", "application/octet-stream"),
    ],
)
def test_the_type_is_the_first_that_says_something(tmp_path, types, name, expected):
    rows = document("d1", contentHash=[HASH], fileName=[name], mimeType=types)
    _, [found] = written(make_view(tmp_path, rows))
    assert found["mimetype"] == expected


def test_a_file_in_two_folders_is_two_lines(tmp_path):
    rows = [
        *folder("f1", "one"),
        *folder("f2", "two"),
        *document("d1", contentHash=[HASH], parent=["f1", "f2", "f3"]),
    ]
    _, found = written(make_view(tmp_path, rows))
    assert [line["path"] for line in found] == ["one", "two"]


def test_a_file_in_an_unknown_folder_lies_at_the_top(tmp_path):
    _, [found] = written(make_view(tmp_path, document("d1", contentHash=[HASH], parent=["nowhere"])))
    assert found["path"] == ""


def test_a_file_without_a_sha256_is_left_out_and_named(tmp_path):
    rows = [
        *document("bad", contentHash=["da39a3ee5e6b4b0d3255bfef95601890afd80709"]),
        *document("good", contentHash=[HASH.upper(), "short"]),
        *document("none", fileName=["no content"]),
    ]
    result, [found] = written(make_view(tmp_path, rows))
    assert (found["id"], found["checksum"]) == ("good", HASH)
    assert result.notes == {"without_checksum": ["bad"], "without_checksum_count": 1}


def test_folders_are_no_files_and_mails_are(tmp_path):
    rows = [
        *document("f1", "Folder", contentHash=[HASH]),
        *document("m1", "Email", contentHash=[OTHER], subject=["Hi"]),
    ]
    _, [found] = written(make_view(tmp_path, rows))
    assert (found["id"], found["name"]) == ("m1", "Hi")


def test_crawled_files_have_a_list_of_their_own(tmp_path):
    crawled = [{**found, "origin": "crawl"} for found in document("d1", contentHash=[HASH])]
    view = make_view(tmp_path, [*crawled, *document("d2", contentHash=[OTHER])])
    assert [line["id"] for line in written(view)[1]] == ["d1", "d2"]
    assert [line["id"] for line in written(view, "exports/documents.crawl.csv")[1]] == ["d1"]


def test_folders_in_a_circle_end_somewhere():
    assert path_of("a", {"a": "A", "b": "B"}, {"a": "b", "b": "a"}) == "B/A"


def test_the_bytes_do_not_tell_in_how_many_commits_the_rows_came(tmp_path):
    rows = [
        *folder("f1", "one"),
        *document("d1", contentHash=[HASH], parent=["f1"]),
        *document("d2", contentHash=[OTHER]),
    ]
    one, two = make_view(tmp_path / "one", rows), make_view(tmp_path / "two", rows[3:], rows[:5])
    assert DocumentsCsv().write(one)[0].digest == DocumentsCsv().write(two)[0].digest
