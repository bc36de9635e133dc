import json
import pickle
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets import layout
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.tags import Tags

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
YEARS = {"min_value": datetime(1980, 1, 1), "max_value": datetime(2100, 1, 1)}


@pytest.fixture
def location(tmp_path: Path) -> Location:
    return Location(tmp_path / "acme")


@pytest.fixture
def tags(location: Location) -> Tags:
    return Tags(location)


memory = Location("memory://tags/acme")


@given(st.datetimes(**YEARS), st.integers(-14, 14))
def test_a_time_comes_back_as_the_same_moment(at: datetime, hours: int) -> None:
    at = at.replace(tzinfo=timezone(timedelta(hours=hours)))
    Tags(memory).set("a", at)
    assert Tags(memory).get("a") == at
    assert json.loads(memory.read("tags/lakehouse/a")).endswith("+00:00")


@given(st.datetimes(**YEARS), st.booleans())
def test_an_old_time_without_offset_is_local_in_json_and_bare(at: datetime, bare: bool) -> None:
    memory.write("tags/lakehouse/a", at.isoformat().encode() if bare else json.dumps(at.isoformat()).encode())
    assert Tags(memory).get("a") == at.astimezone(UTC)


@given(st.text(min_size=1))
def test_bare_text_comes_back_or_is_read_as_json(text: str) -> None:
    Tags(memory).set_text("a", text)
    try:
        expected = json.loads(text)
    except ValueError:
        expected = text
    assert Tags(memory).text("a") == (expected if isinstance(expected, str) else text)


@given(st.binary())
def test_any_bytes_are_read_without_harm(data: bytes) -> None:
    memory.write("tags/lakehouse/a", data)
    at = Tags(memory).get("a")
    assert at is None or at.tzinfo is UTC


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (pytest.fail, ("a pickle was loaded",))


def test_a_pickle_is_never_loaded(location: Location, tags: Tags) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        location.write(layout.tag("a"), pickle.dumps(Bomb(), protocol=protocol))
        assert tags.get("a") is None


def test_the_state_of_a_diff_is_bare_text(tags: Tags) -> None:
    tags.set_text("diffs/entities.ftm.json-current", "20261121T041101176954Z:10")
    assert tags.text("diffs/entities.ftm.json-current") == "20261121T041101176954Z:10"
    assert tags.get("diffs/entities.ftm.json-current") is None


def test_tags_are_listed_and_deleted(tags: Tags) -> None:
    for key in ("statements/0/thing/bulk/last_updated", "statements/last_updated", "index.json"):
        tags.set(key)
    assert list(tags.keys("statements")) == [
        "statements/0/thing/bulk/last_updated",
        "statements/last_updated",
    ]
    assert tags.exists("index.json")
    assert tags.delete("index.json")
    assert not tags.exists("index.json")
    assert not tags.delete("index.json")


def test_a_target_is_latest_only_when_newer_than_all_that_exist(tags: Tags) -> None:
    tags.set("target", NOON)
    assert not tags.is_latest("target", [])
    assert not tags.is_latest("target", ["missing"])
    assert not tags.is_latest("missing", ["target"])
    tags.set("old", NOON - timedelta(microseconds=1))
    assert tags.is_latest("target", ["old", "missing"])
    tags.set("same", NOON)
    assert not tags.is_latest("target", ["old", "same"])


def test_touch_writes_the_time_of_the_start_and_only_on_success(tags: Tags) -> None:
    with tags.touch("target") as started:
        tags.set("arrived_meanwhile")
        assert not tags.exists("target")
    assert tags.get("target") == started
    assert not tags.is_latest("target", ["arrived_meanwhile"])
    with pytest.raises(ZeroDivisionError), tags.touch("target"):
        raise ZeroDivisionError
    assert tags.get("target") == started
