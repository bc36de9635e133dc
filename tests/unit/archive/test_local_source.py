import os
from pathlib import Path

import pytest

from lakehouse_assets.archive.sources.base import moment
from lakehouse_assets.archive.sources.local import LocalSource
from lakehouse_assets.errors import InvalidData, NotFound
from tests.crawling import left_out, listed, read, unreadable, write_tree


def test_all_files_below_a_folder_are_listed_with_their_state(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.txt": "one", "deep/er/b.txt": "three", ".hidden": ""})
    os.utime(tmp_path / "a.txt", ns=(5, 1_700_000_000_123_456_789))
    found = listed(LocalSource(str(tmp_path)))
    assert sorted(found) == [".hidden", "a.txt", "deep/er/b.txt"]
    assert (found["a.txt"].size, found["a.txt"].changed) == (3, 1_700_000_000_123_456_789)
    assert read(LocalSource(str(tmp_path))) == {".hidden": b"", "a.txt": b"one", "deep/er/b.txt": b"three"}


def test_a_single_file_is_a_source(tmp_path: Path) -> None:
    write_tree(tmp_path, {"only.pdf": "%PDF", "other.txt": ""})
    assert read(LocalSource(str(tmp_path / "only.pdf"))) == {"only.pdf": b"%PDF"}


def test_what_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere does not exist"):
        LocalSource(str(tmp_path / "nowhere"))


def test_a_change_is_noticed_even_if_size_and_time_are_set_back(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.txt": "one"})
    before = listed(LocalSource(str(tmp_path)))["a.txt"]
    (tmp_path / "a.txt").write_text("two")
    os.utime(tmp_path / "a.txt", ns=(before.changed or 0, before.changed or 0))
    after = listed(LocalSource(str(tmp_path)))["a.txt"]
    assert (after.size, after.changed) == (before.size, before.changed)
    assert after.state != before.state


def test_links_to_files_are_followed_in_the_folder_and_links_to_folders_are_left_out(tmp_path: Path) -> None:
    write_tree(tmp_path, {"deep/a.txt": "one"})
    (tmp_path / "link.txt").symlink_to("deep/a.txt")
    (tmp_path / "again").symlink_to("deep")
    (tmp_path / "deep/up").symlink_to("..")
    (tmp_path / "self").symlink_to("self")
    source = LocalSource(str(tmp_path))
    assert read(source) == {"deep/a.txt": b"one", "link.txt": b"one"}
    assert left_out(source) == {"again": "link", "deep/up": "link", "self": "link"}


def test_links_that_lead_out_or_nowhere_are_named_and_not_read(tmp_path: Path) -> None:
    write_tree(tmp_path, {"in/a.txt": "one", "secret": "out", "in2/b.txt": "beside"})
    (tmp_path / "in/out").symlink_to(tmp_path / "secret")
    (tmp_path / "in/folder").symlink_to("/etc")
    (tmp_path / "in/beside").symlink_to("../in2/b.txt")
    (tmp_path / "in/gone").symlink_to("nowhere")
    source = LocalSource(str(tmp_path / "in"))
    assert list(read(source)) == ["a.txt"]
    reasons = unreadable(source)
    assert sorted(reasons) == ["beside", "folder", "gone", "out"]
    assert reasons["out"] == f"a link that leads out of the folder, to {tmp_path / 'secret'}"
    assert reasons["gone"].endswith("which does not exist")


def test_a_link_may_be_the_source_itself(tmp_path: Path) -> None:
    write_tree(tmp_path, {"in/a.txt": "one"})
    (tmp_path / "here").symlink_to("in")
    assert read(LocalSource(str(tmp_path / "here"))) == {"a.txt": b"one"}


def test_pipes_and_sockets_are_left_out(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.txt": "one"})
    os.mkfifo(tmp_path / "pipe")
    assert left_out(LocalSource(str(tmp_path))) == {"pipe": "special"}
    assert unreadable(LocalSource(str(tmp_path / "pipe"))) == {"pipe": "a pipe, and no file"}


def test_a_pipe_or_a_link_that_took_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.txt": "one", "b.txt": "two"})
    source = LocalSource(str(tmp_path))
    found = listed(source)
    (tmp_path / "a.txt").unlink()
    os.mkfifo(tmp_path / "a.txt")
    (tmp_path / "b.txt").unlink()
    (tmp_path / "b.txt").symlink_to("/etc/hostname")
    for key in ("a.txt", "b.txt"):
        with pytest.raises(OSError, match=r"pipe|symbolic links"), source.open(found[key]):
            pass


ODD = [
    "new\nline",
    "dot.",
    "space ",
    " lead",
    "A.txt",
    "a.txt",
    "x" * 255,
    "back\\slash",
    "%2e%2e",
    "~",
    "ünï ⚖.pdf",
]


def test_odd_names_stay_as_they_are(tmp_path: Path) -> None:
    write_tree(tmp_path, dict.fromkeys(ODD, "x"))
    source = LocalSource(str(tmp_path))
    found = listed(source)
    assert sorted(found) == sorted(ODD)
    assert all(file.path == key for key, file in found.items())


def test_a_name_that_is_no_unicode_gets_a_path_that_is(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    (tmp_path / os.fsdecode(b"caf\xe9") / os.fsdecode(b"\xff.txt")).write_text("one")
    source = LocalSource(str(tmp_path))
    (file,) = listed(source).values()
    assert (file.key, file.path) == ("caf%E9/%FF.txt", "caf\\xe9/\\xff.txt")
    assert read(source) == {"caf%E9/%FF.txt": b"one"}


def test_a_folder_that_vanishes_while_it_is_listed_is_named(tmp_path: Path) -> None:
    write_tree(tmp_path, {f"deep{number}/a.txt": "one" for number in range(3)})
    source = LocalSource(str(tmp_path))
    files = source.files()
    next(files)
    for number in range(3):
        for path in (tmp_path / f"deep{number}").iterdir():
            path.unlink()
        (tmp_path / f"deep{number}").rmdir()
    reasons = [(found.path[:4], found[1]) for found in files]
    assert reasons == [("deep", "No such file or directory")] * 2


def test_the_lake_is_no_part_of_what_is_crawled(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.txt": "one", "lake/acme/config.yml": "name: acme", "lake/acme/archive/x": ""})
    source = LocalSource(str(tmp_path), avoid=[tmp_path / "lake"])
    assert list(read(source)) == ["a.txt"]
    assert left_out(source) == {"lake": "lake"}
    avoid = [tmp_path / "lake", tmp_path / "lake/acme"]
    with pytest.raises(InvalidData, match="belongs to the lake itself"):
        LocalSource(str(tmp_path / "lake/acme/archive"), avoid=avoid)
    write_tree(tmp_path, {"lake/files/b.txt": "two"})
    assert list(read(LocalSource(str(tmp_path / "lake/files"), avoid=avoid))) == ["b.txt"]
    assert list(read(LocalSource(str(tmp_path / "lake"), avoid=avoid))) == ["files/b.txt"]


def test_times_are_told_to_the_microsecond() -> None:
    found = moment(1_700_000_000_123_456_789)
    assert found is not None
    assert found.isoformat() == "2023-11-14T22:13:20.123456+00:00"
