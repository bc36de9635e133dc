import hashlib
from datetime import UTC, datetime, timedelta, timezone
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


def test_a_document_is_read_as_it_was_at_a_time(versions: Versions) -> None:
    for hours, data in enumerate([b"a", b"b", b"a"]):
        versions.write("config.yml", data, at=NOON + timedelta(hours=hours))
    minute = timedelta(minutes=1)
    assert versions.read("config.yml", NOON) == b"a"
    assert versions.read("config.yml", NOON + timedelta(hours=1) + minute) == b"b"
    assert versions.read("config.yml", NOON + timedelta(hours=1)) == b"b"
    assert versions.read("config.yml", NOON + timedelta(hours=1) - minute) == b"a"
    assert versions.at("config.yml", NOON + timedelta(days=9)).at == NOON + timedelta(hours=2)
    elsewhere = (NOON + timedelta(hours=1)).astimezone(timezone(timedelta(hours=5)))
    assert versions.read("config.yml", elsewhere) == b"b"


def test_what_is_younger_than_the_time_is_named_with_its_first_version(versions: Versions) -> None:
    versions.write("config.yml", b"a", at=NOON)
    with pytest.raises(NotFound, match=r"no version as early as 2026-11-20.*the first is of 2026-11-21"):
        versions.read("config.yml", NOON - timedelta(days=1))


def test_an_unknown_document_is_refused_with_those_that_there_are(versions: Versions) -> None:
    with pytest.raises(NotFound, match="none has been taken yet"):
        versions.read("config.yml", NOON)
    versions.write("config.yml", b"a", at=NOON)
    versions.write("index.json", b"a", at=NOON)
    with pytest.raises(
        NotFound, match=r"index\.yml has no versions; there are versions of config\.yml, index\.json"
    ):
        versions.of("index.yml")


def test_a_snapshot_knows_its_size(location: Location, versions: Versions) -> None:
    versions.write("config.yml", b"abc", at=NOON)
    [version] = versions.list()
    assert versions.size(version) == 3
    location.delete(version.path)
    with pytest.raises(NotFound, match="is gone"):
        versions.size(version)


def test_a_model_is_written_as_its_path_says(location: Location, versions: Versions) -> None:
    config = DatasetConfig.make("acme")
    assert versions.make("config.yml", config)
    assert versions.make("index.json", config)
    assert location.read("config.yml") == config.to_yaml()
    assert location.read("index.json") == config.to_index()
    assert versions.list("index.json")[0].at <= now_utc()
