"""Any name comes back as it was, and no name, however odd, leads out of the folder that is meant."""

import io
import itertools
import json
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lakehouse_assets.archive.files import ArchivedFile
from lakehouse_assets.archive.names import checked_key, safe_key
from lakehouse_assets.archive.places import Places, Wanted, safe_name
from lakehouse_assets.archive.store import Archive
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.tags import Tags

# what paths are made of, so that what is odd is met often
PIECES = st.sampled_from(
    ["..", ".", "", "a", "A", "b", "a.txt", "A.TXT", "con", "nul.x", "x ", "x.", "~", "\\", "\0", "\n", "é", "e\u0301",
     "ß", "ss", "\udce9", "\ud800", "C:", "x" * 254, "ü" * 200, "😀" * 70]
)  # fmt: skip
NAMES = st.one_of(PIECES, st.lists(PIECES, max_size=3).map("".join), st.text(max_size=12))
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
WANTED = st.builds(
    Wanted,
    id=st.uuids().map(str),
    checksum=st.sampled_from(["a" * 64, "b" * 64]),
    folder=PATHS | st.just(""),
    name=NAMES,
)


def folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


@settings(deadline=None)
@given(PATHS)
@example("../../etc/passwd")
@example("/\0")
def test_a_path_becomes_a_key_or_is_refused_and_a_key_stays_itself(path: str) -> None:
    try:
        key = safe_key(path)
    except InvalidData:
        assert not path.replace(".", "").replace("/", "")
        return
    assert checked_key(key) == safe_key(key) == key
    assert os.path.normpath(f"/archive/{key}").startswith("/archive/")
    try:
        assert checked_key(path) == key
    except InvalidData:
        assert path != key


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(PATHS, st.binary(max_size=30))
def test_what_is_put_under_a_key_comes_back_with_it(
    tmp_path_factory: pytest.TempPathFactory, path: str, data: bytes
) -> None:
    location = Location(tmp_path_factory.mktemp("lake") / "acme")
    archive = Archive(location, dataset="acme", tags=Tags(location))
    try:
        key = safe_key(path)
    except InvalidData:
        return
    stored = archive.put(io.BytesIO(data), key=key).file
    assert list(archive.files()) == [stored]
    assert archive.get_file(stored.checksum, key) == stored
    assert archive.open(stored.checksum).read() == data
    assert ArchivedFile.load(json.dumps(json.loads(stored.to_json())).encode(), "here") == stored
    root = Path(location.path or "")
    assert {found.relative_to(root).parts[0] for found in root.rglob("*")} == {"archive"}


@settings(deadline=None)
@given(NAMES)
def test_a_name_is_safe_and_one_that_is_stays_itself(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert safe not in (".", "..")
    assert not set(safe) & set("/\\\0\n")
    assert len(safe.encode()) <= 255
    assert not safe.endswith((".", " "))
    assert safe_name(safe) == safe


@settings(deadline=None)
@given(st.lists(WANTED, max_size=12))
def test_files_get_places_of_their_own_below_the_target(wanted: list[Wanted]) -> None:
    places = Places(wanted)
    found = [places.find(file) for file in wanted]
    for place in found:
        assert os.path.normpath(f"/target/{place}") == f"/target/{place}"
        assert checked_key(place)
    for (one, place), (other, second) in itertools.combinations(zip(wanted, found, strict=True), 2):
        if folded(place) == folded(second):
            assert (one.path, one.checksum) == (other.path, other.checksum)
    folders = {folded(place[:at]) for place in found for at, char in enumerate(place) if char == "/"}
    assert not folders & {folded(place) for place in found}


@settings(deadline=None)
@given(st.lists(WANTED, max_size=12))
def test_the_same_files_get_the_same_places_again(wanted: list[Wanted]) -> None:
    one, two = Places(wanted), Places(wanted)
    assert [one.find(file) for file in wanted] == [two.find(file) for file in wanted]
