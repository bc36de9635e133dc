import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse_assets.errors import NotFound
from lakehouse_assets.model.dataset import DatasetConfig
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.tags import Tags
from lakehouse_assets.storage.versions import Versions

NOON = datetime(2026, 11, 21, 12, 0, 0, 123, tzinfo=UTC)


@pytest.fixture
def location(tmp_path: Path) -> Location:
    return Location(tmp_path / "acme")


@pytest.fixture
def versions(location: Location) -> Versions:
    return Versions(location, Tags(location))


def test_a_change_writes_snapshot_document_and_both_tags(location: Location, versions: Versions) -> None:
    assert versions.write("exports/statistics.json", b"{}", at=NOON)
    path = "versions/2026/11/20261121T120000000123Z/exports/statistics.json"
    assert location.read(path) == location.read("exports/statistics.json") == b"{}"
    tags = Tags(location)
    digest = hashlib.sha256(b"{}").hexdigest()
    assert tags.get("exports/statistics.json") == tags.get(f"exports/statistics.json-{digest}") == NOON


def test_the_same_content_leaves_no_trace(location: Location, versions: Versions) -> None:
    versions.write("index.json", b"a", at=NOON)
    before = list(location.keys())
    assert not versions.write("index.json", b"a")
    assert list(location.keys()) == before
    assert Tags(location).get("index.json") == NOON


def test_going_back_is_a_change(location: Location, versions: Versions) -> None:
    contents = [b"a", b"b", b"a"]
    for minutes, data in enumerate(contents):
        assert versions.write("config.yml", data, at=NOON + timedelta(minutes=minutes))
    assert location.read("config.yml") == b"a"
    found = versions.list("config.yml")
    assert [versions.read("config.yml", version.at) for version in found] == contents


def test_tags_that_a_crash_left_out_are_made_up_for(location: Location, versions: Versions) -> None:
    location.write("config.yml", b"a")
    assert not versions.write("config.yml", b"a")
    assert Tags(location).exists("config.yml")


def test_older_layouts_are_read_and_odd_files_left_out(location: Location, versions: Versions) -> None:
    location.write("versions/2025/01/2025-01-02T03:04:05/config.yml", b"docs")
    location.write("mappings/5a6a/versions/2025/01/20250103T030405000000Z/mapping.yml", b"seed")
    location.write("versions/readme.txt", b"")
    location.write("versions/2025/01/notes/config.yml", b"")
    assert [version.key for version in versions.list()] == ["config.yml", "mappings/5a6a/mapping.yml"]
    assert versions.read("config.yml", datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)) == b"docs"
    assert versions.read("mappings/5a6a/mapping.yml", datetime(2025, 1, 3, 3, 4, 5, tzinfo=UTC)) == b"seed"


def test_a_missing_version_is_named(versions: Versions) -> None:
    with pytest.raises(NotFound, match="no version of 2026"):
        versions.read("config.yml", NOON)


def test_a_model_is_written_as_its_path_says(location: Location, versions: Versions) -> None:
    config = DatasetConfig.make("acme")
    assert versions.make("config.yml", config)
    assert versions.make("index.json", config)
    assert location.read("config.yml") == config.to_yaml()
    assert location.read("index.json") == config.to_index()
    assert versions.list("index.json")[0].at <= now_utc()
