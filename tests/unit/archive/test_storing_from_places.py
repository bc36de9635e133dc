import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse_assets.errors import InvalidData, NotFound, StorageError
from lakehouse_assets.lake import Dataset
from tests.factories import make_dataset


@pytest.fixture
def acme(tmp_path: Path) -> Dataset:
    return make_dataset(tmp_path / "lake")


def test_a_file_is_stored_with_its_name_its_time_and_its_type(acme: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "a b.pdf"
    path.write_bytes(b"%PDF-")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    file = acme.archive.store(path)
    assert (file.key, file.name, file.mimetype, file.origin) == (
        "a b.pdf",
        "a b.pdf",
        "application/pdf",
        "archive",
    )
    assert file.updated_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert acme.tags.exists("archive/last_updated")
    moved = acme.archive.store(str(path), key="c/d.bin", origin="me")
    assert (moved.key, moved.name, moved.mimetype, moved.origin) == (
        "c/d.bin",
        "a b.pdf",
        "application/pdf",
        "me",
    )


def test_a_file_at_an_address_is_stored(acme: Dataset) -> None:
    import fsspec

    fsspec.filesystem("memory").pipe_file("/somewhere/a%20b.txt", b"hello")
    file = acme.archive.store("memory://somewhere/a%20b.txt")
    assert (file.name, file.size) == ("a b.txt", 5)
    assert acme.archive.store(f"file://{acme.location.path}/config.yml").name == "config.yml"


def test_another_checksum_than_the_expected_one_is_refused(acme: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"hello")
    checksum = acme.archive.store(path).checksum
    assert acme.archive.store(path, checksum=checksum).checksum == checksum
    with pytest.raises(InvalidData, match="the checksum should be"):
        acme.archive.store(path, checksum="0" * 64)


def test_what_cannot_be_read_is_said_with_its_place(acme: Dataset, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere does not exist"):
        acme.archive.store(tmp_path / "nowhere")
    with pytest.raises(StorageError, match=f"cannot read {tmp_path}: Is a directory"):
        acme.archive.store(tmp_path)
    with pytest.raises(InvalidData, match="cannot open what://is/this"):
        acme.archive.store("what://is/this")
    assert not acme.tags.exists("archive/last_updated")
    assert not acme.location.folders("archive")
