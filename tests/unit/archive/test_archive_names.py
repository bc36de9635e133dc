import pytest

from lakehouse_assets.archive.names import checked_key, safe_key
from lakehouse_assets.errors import InvalidData

ODD = ["a\nb", "x" * 255, "a ", "a.", "A", "C:\\a", "CON", "日本/語", "~", "-rf", "*", "a//b"[:2] + "b"]
EVIL = [
    "",
    "/",
    "/etc/passwd",
    "..",
    "../a",
    "a/../b",
    "a/..",
    "./a",
    "a//b",
    "a/",
    "a\0b",
    "a\udce9b",
    "x" * 70_000,
]


@pytest.mark.parametrize("key", ODD)
def test_odd_names_are_kept_as_they_are(key: str) -> None:
    assert checked_key(key) == safe_key(key) == key


@pytest.mark.parametrize("key", EVIL)
def test_what_leaves_its_folder_or_cannot_be_written_is_refused(key: str) -> None:
    with pytest.raises(InvalidData, match="for an archived file"):
        checked_key(key)


def test_a_path_of_somebody_else_becomes_a_key_that_shows_what_it_was() -> None:
    found = {path: safe_key(path) for path in ("/etc/passwd", "../../a", "./a//b/", "a\0b", "caf\udce9.txt")}
    assert list(found.values()) == ["etc/passwd", "__/__/a", "a/b", "a%00b", "caf%E9.txt"]
    for path in ("", "/", "./", "//."):
        with pytest.raises(InvalidData, match="no name in it"):
            safe_key(path)
