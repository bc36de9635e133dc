"""What is kept outside of memory, or packed in it, is what was put there."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_assets.storage import key_list, spool
from lakehouse_assets.storage.key_list import KeyList
from lakehouse_assets.storage.spool import Rows, Spool

KEYS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=5)


class Pair(NamedTuple):
    name: str
    number: int | None


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_list, "_BLOCK", 3)
    monkeypatch.setattr(spool, "_BLOCK", 3)


@given(st.lists(KEYS, max_size=10), st.slices(10))
def test_many_keys_are_as_good_as_a_tuple(keys: list[str], part: slice) -> None:
    packed = KeyList(keys)
    assert (len(packed), list(packed), packed[part]) == (len(keys), keys, tuple(keys[part]))
    assert [packed[number] for number in range(-len(keys), len(keys))] == keys + keys
    assert (packed == keys, packed == tuple(keys), repr(packed)) == (True, True, repr(tuple(keys)))
    assert packed != [*keys, "more"]
    assert not keys or packed != [*keys[:-1], keys[-1] + "x"]
    with pytest.raises(IndexError):
        packed[len(keys)]


def test_names_that_are_no_unicode_are_kept() -> None:
    keys = [b"\xff\xfe".decode(errors="surrogateescape"), "ü", "a\nb"]
    assert list(KeyList(keys * 2)) == keys * 2


@given(st.lists(st.tuples(KEYS, st.none() | st.integers(-(2**62), 2**62), st.booleans()), max_size=20))
def test_rows_of_several_kinds_share_a_spool(rows: list[tuple[str, int | None, bool]]) -> None:
    box = Spool(None, held=10)
    first, second = Rows(box, Pair), Rows(box, Pair)
    for name, number, is_first in rows:
        (first if is_first else second).extend([Pair(name, number)])
    expected = [Pair(name, number) for name, number, is_first in rows if is_first]
    assert (len(first), list(first), list(first)) == (len(expected), expected, expected)
    # one is read while the other is
    assert list(zip(first, second, strict=False)) == list(zip(list(first), list(second), strict=False))
    box.close()
