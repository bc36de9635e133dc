import json
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets import StateData
from lakehouse_assets.errors import ElementExists, InvalidData, LakehouseError, NotJson

KEYS = st.text(min_size=1).filter(lambda key: key != "__state__")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
    max_leaves=8,
)


class Colour(StrEnum):
    RED = "red"


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(KEYS, VALUES))
def test_a_state_comes_back_from_its_bytes_in_any_form(values: dict[str, object]) -> None:
    state = StateData(values)
    data = state.to_bytes()
    forms: list[bytes | str | Mapping[str, object]] = [data, data.decode(), json.loads(data), values]
    for form in forms:
        assert StateData({"old": 1}).from_bytes(form) == state
    assert json.loads(data) == values


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(KEYS, VALUES), st.randoms())
def test_the_bytes_do_not_depend_on_the_order_of_keys(values: dict[str, object], random: object) -> None:
    shuffled = list(values.items())
    random.shuffle(shuffled)
    other = StateData(dict(shuffled))
    assert (other.to_bytes(), other.hash) == (StateData(values).to_bytes(), StateData(values).hash)


@pytest.mark.parametrize(
    "data", [b"[1]", b"x", b"", b"null", b"\xff", '{"a": NaN}', '{"a": 1e400}', '{"": 1}', b'"\\ud800"']
)
def test_what_is_no_object_of_json_changes_nothing(data: bytes | str) -> None:
    state = StateData({"kept": 1})
    with pytest.raises(ValueError, match="give a JSON object"):
        state.from_bytes(data)
    assert state == {"kept": 1}


def test_too_deep_a_nesting_is_refused_and_no_crash() -> None:
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(InvalidData):
        StateData().from_bytes(deep)
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(NotJson, match="holds itself"):
        StateData().add_element("a", endless)


def test_what_the_store_keeps_in_a_file_is_hidden() -> None:
    state = StateData().from_bytes(b'{"a": 1, "__state__": {"generation": 7}}')
    assert (dict(state), state.generation) == ({"a": 1}, 0)


def test_a_second_value_replaces_the_first() -> None:
    state = StateData()
    state.add_element("a", 1)
    state.add_element("a", [2])
    state["a"] = 3
    assert state["a"] == 3


def test_a_value_that_must_not_be_replaced_is_kept() -> None:
    state = StateData({"a": 1})
    with pytest.raises(KeyError) as caught:
        state.add_element("a", 2, overwrite=False)
    assert isinstance(caught.value, ElementExists)
    assert str(caught.value) == "the state has 'a' already; leave `overwrite` on to replace it"
    state.add_element("b", 2, overwrite=False)
    assert state == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (float("nan"), "a cannot"),
        ({"b": [1, float("inf")]}, r"a\.b\[1\] cannot"),
        ({1, 2}, "a cannot.*set is no value of JSON"),
        (object(), "a cannot"),
        (b"bytes", "a cannot"),
        ([{"x": {1: 2}}], r"a\[0\]\.x cannot.*its key 1 is no text"),
        ("\ud800", "a cannot.*half a character"),
        ({"\udfff": 1}, "a cannot"),
        (Colour.RED, "a cannot"),
    ],
)
def test_a_value_that_json_cannot_hold_is_refused_at_once_with_its_place(value: object, path: str) -> None:
    state = StateData({"a": "before"})
    with pytest.raises(TypeError, match=path) as caught:
        state.add_element("a", value)
    assert isinstance(caught.value, LakehouseError)
    assert isinstance(caught.value, ValueError)
    assert state == {"a": "before"}


@pytest.mark.parametrize("key", ["", "__state__"])
def test_empty_and_reserved_keys_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="cannot be a key"):
        StateData().add_element(key, 1)


def test_keys_are_text() -> None:
    for key in (1, None, b"a"):
        with pytest.raises(TypeError, match="is no text"):
            StateData().add_element(key, 1)
    with pytest.raises(TypeError, match="half a character"):
        StateData().add_element("\ud800", 1)


def test_a_state_keeps_a_copy_of_what_it_was_given() -> None:
    given = {"seen": [1, {"deep": 2}]}
    state = StateData(given)
    given["seen"][1]["deep"] = 3
    given["seen"].append(4)
    assert state.to_bytes() == b'{"seen":[1,{"deep":2}]}'


def test_what_is_appended_to_a_value_of_the_state_is_in_it() -> None:
    state = StateData({"seen": [1]})
    state["seen"].append(2)
    assert state.to_bytes() == b'{"seen":[1,2]}'
    state["seen"].append({3})
    with pytest.raises(TypeError, match=r"seen\[2\]"):
        state.to_bytes()


def test_tuples_become_lists_and_mappings_dicts() -> None:
    state = StateData({"a": (1, (2,)), "b": MappingProxyType({"c": ()})})
    assert dict(state) == {"a": [1, [2]], "b": {"c": []}}


def test_removing_what_is_not_there_is_no_error() -> None:
    state = StateData({"a": 1})
    assert (state.remove_element("nope"), state.remove_element("a"), len(state)) == (False, True, 0)
    with pytest.raises(KeyError):
        del state["a"]


def test_a_reset_empties_a_state_and_keeps_its_job() -> None:
    state = StateData({"a": 1}, job="j")
    state.reset()
    assert (dict(state), state.job) == ({}, "j")


def test_a_state_behaves_like_a_dict() -> None:
    state = StateData({"b": 1, "a": 2})
    assert (list(state), "a" in state, state.get("c", 3), {**state}) == (
        ["b", "a"],
        True,
        3,
        {"b": 1, "a": 2},
    )
    state.update(c=4)
    assert repr(state) == "<StateData '', new, generation 0: {'b': 1, 'a': 2, 'c': 4}>"
