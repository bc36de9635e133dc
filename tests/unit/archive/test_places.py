import pytest

from lakehouse_assets.archive.places import Places, Wanted, safe_name


def places(*paths: str, checksums: str = "") -> list[str]:
    """Where files go whose paths are these, and whose contents are these letters, by default all different."""
    wanted = [
        Wanted(f"file-{number}", checksum, *path.rpartition("/")[::2])
        for number, (path, checksum) in enumerate(zip(paths, checksums or "abcdefgh", strict=False))
    ]
    found = Places(wanted)
    return [found.find(file) for file in wanted]


def test_paths_stay_as_they_are_wherever_they_can() -> None:
    paths = ["a.txt", "b/a.txt", "b/c/ünï cödé (1).txt", ".hidden/x", "-", "a:b"]
    assert places(*paths) == paths


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("..", "__"),
        (".", "_"),
        ("", "_"),
        ("a/b", "a_b"),
        ("..\\..\\a", ".._.._a"),
        ("a\0\n\x7f", "a___"),
        ("a. .", "a___"),
        ("CON", "CON_"),
        ("con.txt", "con_.txt"),
        ("console.txt", "console.txt"),
        ("LPT1.tar.gz", "LPT1_.tar.gz"),
    ],
)
def test_names_that_disks_refuse_are_changed(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_long_name_is_cut_keeps_its_ending_and_stays_apart_from_others() -> None:
    one, two = safe_name("ü" * 200 + "1.pdf"), safe_name("ü" * 200 + "2.pdf")
    assert one != two
    assert all(len(name.encode()) <= 255 and name.endswith(".pdf") for name in (one, two))
    assert safe_name("x" * 251 + ".pdf") == "x" * 251 + ".pdf"


def test_nothing_leaves_the_folder() -> None:
    assert places("../../etc/passwd", "/etc/passwd", "a/./../b") == [
        "__/__/etc/passwd",
        "etc/passwd",
        "a/__/b",
    ]


def test_the_first_of_two_files_keeps_the_path_and_the_other_is_marked() -> None:
    first, second = places("x/report.pdf", "x/report.pdf")
    assert first == "x/report.pdf"
    assert second.startswith("x/report~")
    assert second.endswith(".pdf")


def test_the_same_content_at_the_same_path_is_there_once() -> None:
    assert places("x/a", "x/a", checksums="aa") == ["x/a", "x/a"]


@pytest.mark.parametrize(
    ("one", "two"),
    [("a.txt", "A.TXT"), ("d/x", "D/x"), ("straße", "STRASSE"), ("caf\u00e9", "cafe\u0301"), ("a.", "a_")],
)
def test_paths_that_some_disks_take_for_one_are_told_apart(one: str, two: str) -> None:
    first, second = places(one, two, checksums="aa")
    assert first == one.replace("a.", "a_" if one == "a." else "a.")
    assert "~" in second


def test_a_file_makes_room_for_a_folder_of_its_name() -> None:
    marked, *rest = places("a", "a/b", "A/c")
    assert rest == ["a/b", "A/c"]
    assert marked.startswith("a~")


def test_a_mark_that_is_taken_gets_longer() -> None:
    _, marked = places("a.txt", "A.txt")
    _, longer, theirs = places("a.txt", "A.txt", marked.lower())
    assert theirs == marked.lower()
    assert longer.startswith(marked.removesuffix(".txt"))
    assert len(longer) == len(marked) + 1


def test_places_do_not_depend_on_what_else_is_there() -> None:
    two = places("a.txt", "A.txt")
    assert places("a.txt", "A.txt", "b.txt", "c/a.txt")[:2] == two
