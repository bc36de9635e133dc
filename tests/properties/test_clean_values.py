"""Values that are taken for clean without asking followthemoney: it must agree about each."""

import polars as pl
import pytest
from followthemoney.types import registry
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse_assets.model import cleaning

LIKELY = {
    "entity": ["a", "a-b", "a.b", "NK-1x", "Q7747"],
    "date": ["2024", "2024-02", "2024-02-29", "2023-02-29", "2023-04-31", "1001-12-31", "0999", "3001"],
    "url": [
        "https://a.eu/",
        "http://a.eu/x?y=1#z",
        "http://a-b.c1.eu/x//y",
        "https://a.eu",
        "http://a.eu/x?#",
    ],
    "email": ["jane.doe@example.org", "a@b.c.eu", "A+b@ex-ample.com", "a@a--b.eu", "a@b.12"],
}


@pytest.mark.parametrize("kind", sorted(cleaning.CLEAN))
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_matches_a_pattern_is_left_as_it_is(kind, data):
    values = data.draw(
        st.lists(st.from_regex(cleaning.CLEAN[kind]) | st.sampled_from(LIKELY[kind]), min_size=1, max_size=5)
    )
    same = cleaning.unchanged(kind, pl.Series(values, dtype=pl.String))
    for value in pl.Series(values, dtype=pl.String).filter(same):
        assert registry.get(kind).clean(value) == value


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("date", ["2024", "2024-02", "2024-02-28", "2024-12-31", "2024-11-30", "1999-01-29"]),
        ("url", ["https://www.example.org/", "http://a.b.example.org/x/y.html?q=1&r=%20#top"]),
        ("email", ["jane.doe@example.org", "info@mail.some-agency.example.com"]),
    ],
)
def test_ordinary_values_need_not_be_asked_about(kind, values):
    assert cleaning.unchanged(kind, pl.Series(values)).all()


def test_every_day_of_two_centuries_is_seen_right():
    days = pl.date_range(pl.date(1900, 1, 1), pl.date(2100, 12, 31), eager=True).dt.to_string("%Y-%m-%d")
    assert cleaning.unchanged("date", days).mean() > 0.99
    impossible = pl.Series(
        [f"{year}-{day}" for year in (1999, 2001) for day in ("02-29", "02-30", "04-31", "11-31")]
    )
    assert not cleaning.unchanged("date", impossible).any()


@settings(max_examples=150, deadline=None)
@given(text=st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=20))
@pytest.mark.parametrize("kind", sorted({*cleaning.PLAIN, *cleaning.CLEAN}))
def test_no_text_is_taken_for_clean_that_is_not(kind, text):
    if cleaning.unchanged(kind, pl.Series([text], dtype=pl.String))[0]:
        assert registry.get(kind).clean(text) == text
