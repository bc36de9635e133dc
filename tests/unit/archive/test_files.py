import json
from datetime import UTC, datetime

import pytest

from lakehouse_assets.archive.files import ArchivedFile
from lakehouse_assets.archive.ids import file_id, folder_id, parent_folders, parent_id
from lakehouse_assets.errors import InvalidData

WHEN = datetime(2026, 11, 21, 4, 7, 56, 769211, tzinfo=UTC)
KEYS = [
    "name", "created_at", "updated_at", "size", "store", "key", "mimetype", "id", "dataset", "checksum", "extra",
    "origin", "path", "parent",
]  # fmt: skip


def make(**changes: object) -> ArchivedFile:
    fields: dict[str, object] = {
        "id": "file-1",
        "name": "same content.pdf",
        "key": "sub dir/ünï/same content.pdf",
        "checksum": "0" * 64,
        "size": 528,
        "mimetype": "application/pdf",
        "dataset": "demo",
        "origin": "crawl",
        "created_at": WHEN,
        "updated_at": WHEN,
    }
    return ArchivedFile(**{**fields, **changes})  # type: ignore[arg-type]


def test_ids_are_those_of_other_programs() -> None:
    assert (
        file_id("a/b.pdf", "0" * 64)
        == "file-d1a384500487ecd6623ef5d39e24e4279d8f4d54c818a62d79a97a181a41b66d"
    )
    assert file_id("0" * 64, "0" * 64) == "0" * 64
    assert folder_id("x") == "folder-2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert folder_id("x/y") == "folder-b4a4ce2f23077f0c2b0ee0336f01868ba66992e1e56e1af098efe3739af2f799"


def test_folders_on_the_way_to_a_file_are_linked_from_the_top() -> None:
    assert parent_folders("a.txt") == []
    assert parent_id("a.txt") is None
    assert parent_folders("x/y/a.txt") == [
        (folder_id("x"), "x", None),
        (folder_id("x/y"), "y", folder_id("x")),
    ]
    assert parent_id("x/y/a.txt") == folder_id("x/y")


def test_a_file_is_one_line_of_json_with_nulls_and_without_spaces() -> None:
    data = make(key="a\nb.pdf", extra={"title": ["Ä"]}).to_json()
    assert list(json.loads(data)) == KEYS
    assert b"\n" not in data
    assert b'"created_at":"2026-11-21T04:07:56.769211Z"' in data
    assert '"extra":{"title":["Ä"]},"origin":"crawl"'.encode() in data
    assert data.endswith(b'"parent":null}')


def test_a_file_comes_back_from_its_json() -> None:
    file = make(extra={"language": "deu"})
    assert ArchivedFile.load(file.to_json(), "here") == file
    assert (file.path, file.parent) == (file.key, folder_id("sub dir/ünï"))


def test_what_other_programs_write_is_read() -> None:
    found = ArchivedFile.load(
        b'{"name":null,"updated_at":"2026-11-21T04:07:56Z","size":"7","id":"0123abcd","checksum":"c","extra":null,'
        b'"more":{},"path":"x.txt","path":"sub/x.txt","created_at":null}',
        "here",
    )
    assert (found.key, found.name, found.size, found.id, found.extra) == (
        "sub/x.txt",
        "x.txt",
        7,
        "0123abcd",
        {},
    )
    assert found.created_at == found.updated_at == datetime(2026, 11, 21, 4, 7, 56, tzinfo=UTC)
    assert found.mimetype == "application/octet-stream"


@pytest.mark.parametrize(
    "data", [b"", b"{torn", b"[]", b"{}", b'{"id":1,"key":"a","checksum":"c","size":1}', b'"text"']
)
def test_what_is_no_file_is_refused_with_its_place(data: bytes) -> None:
    with pytest.raises(InvalidData, match=r"^archive/x\.json does not tell of an archived file"):
        ArchivedFile.load(data, "archive/x.json")
