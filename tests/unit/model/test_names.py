import pytest
from followthemoney.dataset.util import dataset_name_check
from hypothesis import example, given
from hypothesis import strategies as st

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.model.names import check_dataset_name, check_origin, is_dataset_name


@given(st.one_of(st.text(max_size=12), st.text(alphabet="ab9_- A.é/", max_size=8)))
@example("eu_authorities")
@example("a__b")
@example("_a")
@example("a_")
@example("a\n")
@example("")
def test_the_rule_is_that_of_followthemoney(name: str) -> None:
    try:
        theirs = dataset_name_check(name) == name
    except ValueError:
        theirs = False
    assert is_dataset_name(name) == theirs


@pytest.mark.parametrize("name", ["catalog", "default", "../x", "a/b", "Acme", "", ".lakehouse", "a b", "ä"])
def test_names_that_mean_something_else_are_refused(name: str) -> None:
    assert not is_dataset_name(name)
    with pytest.raises(InvalidData, match="cannot be the name of a dataset"):
        check_dataset_name(name)


@pytest.mark.parametrize("origin", ["default", "mapping:5a6a", "a.b", "ünï code", "x" * 255])
def test_origins_of_users_are_taken(origin: str) -> None:
    assert check_origin(origin) == origin


@pytest.mark.parametrize(
    "origin", ["", "x" * 256, "a/b", "a\\b", "a'b", 'a"b', ".", "..", "a..b", "a\nb", "\x7f"]
)
def test_origins_that_break_paths_or_queries_are_refused(origin: str) -> None:
    with pytest.raises(InvalidData, match="cannot be an origin"):
        check_origin(origin)
