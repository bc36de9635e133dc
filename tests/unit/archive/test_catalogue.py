import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.archive.sources.base import SourceFile
from lakehouse_assets.archive.sources.catalogue import Catalogue, Seen
from lakehouse_assets.archive.sources.filters import Chosen, Filters
from lakehouse_assets.errors import InvalidData


def seen(key: str, size: int = 1, checksum: str = "0" * 64) -> Seen:
    return Seen(key, size, 1_700_000_000_000_000_001, "tag", checksum, True, False)


def again(catalogue: Catalogue) -> Catalogue:
    sink = io.BytesIO()
    catalogue.write(sink)
    return Catalogue.read(io.BytesIO(sink.getvalue()))


def file(key: str) -> SourceFile:
    return SourceFile(key, key)


NUMBERS = st.none() | st.integers(-(2**63), 2**63 - 1)
ROWS = st.builds(
    Seen,
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    NUMBERS,
    NUMBERS,
    st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
    st.binary(min_size=32, max_size=32).map(bytes.hex),
    st.booleans(),
    st.booleans(),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(ROWS, max_size=5, unique_by=lambda row: row.key), max_size=4))
def test_what_was_noted_last_is_found_again(crawls: list[list[Seen]]) -> None:
    catalogue, expected = Catalogue(), {}
    for rows in crawls:
        catalogue.add(rows)
        catalogue = again(catalogue)
        expected.update({row.key: row for row in rows})
    wanted = [*expected, "another"]
    assert catalogue.find([file(key) for key in wanted]) == [*expected.values(), None]


def test_it_can_be_written_while_it_grows() -> None:
    catalogue = Catalogue()
    for number in range(3):
        catalogue.add([seen(f"{number}")])
        assert again(catalogue).find([file(f"{number}")]) == [seen(f"{number}")]
    sink = io.BytesIO()
    assert catalogue.write(sink) == 3


def test_a_catalogue_without_files_can_be_kept() -> None:
    catalogue = again(Catalogue())
    assert catalogue.find([file("a")]) == [None]
    assert not catalogue.has_changed


@pytest.mark.parametrize("data", [b"", b"no parquet"])
def test_what_is_no_catalogue_is_told(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match="cannot be read"):
        Catalogue.read(io.BytesIO(data))


def test_a_state_says_nothing_where_only_the_size_is_known() -> None:
    row = Seen("a", 5, None, None, "0" * 64, True, True)
    assert not row.is_state_of(SourceFile("a", "a", size=5))
    assert row._replace(tag="t").is_state_of(SourceFile("a", "a", size=5, tag="t"))
    assert not row._replace(tag="t").is_state_of(SourceFile("a", "a", size=5, tag="u"))


@pytest.mark.parametrize(
    ("filters", "refused"),
    [
        ({}, {}),
        ({"prefix": "deep/"}, {"a.pdf": "prefix", "A.PDF": "prefix"}),
        ({"exclude_prefix": "deep/"}, {"deep/b.pdf": "exclude_prefix", "deep/c.txt": "exclude_prefix"}),
        ({"glob": "*.pdf"}, {"A.PDF": "glob", "deep/c.txt": "glob"}),
        ({"glob": "deep/?.pdf"}, {"a.pdf": "glob", "A.PDF": "glob", "deep/c.txt": "glob"}),
        ({"exclude_glob": "[ab].pdf"}, {"a.pdf": "exclude_glob"}),
        (
            {"prefix": "deep/", "exclude_glob": "*c*"},
            {"a.pdf": "prefix", "A.PDF": "prefix", "deep/c.txt": "exclude_glob"},
        ),
    ],
)
def test_each_filter_refuses_by_its_name(filters: dict[str, str], refused: dict[str, str]) -> None:
    made = Filters(**filters)
    keys = ["a.pdf", "A.PDF", "deep/b.pdf", "deep/c.txt"]
    assert {key: name for key in keys if (name := made.refused_by(key))} == refused


def test_a_star_crosses_slashes_and_lines() -> None:
    assert Filters(glob="a*z").refused_by("a/b\nc/z") is None


def test_chosen_are_paths_and_all_below_folders() -> None:
    chosen = Chosen(["a.pdf"], ["deep/er"])
    assert [chosen.has(path) for path in ("a.pdf", "b.pdf", "deep/er/x", "deep/er2", "deep")] == [
        True,
        False,
        True,
        False,
        False,
    ]
    assert Chosen([], [""]).has("anything")
