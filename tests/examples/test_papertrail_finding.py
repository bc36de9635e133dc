"""The second stage of the example chain: what texts mention."""

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lakehouse_assets

sys.path.insert(0, str(Path(lakehouse_assets.__file__).parents[1] / "examples"))

from papertrail.finding import find_mentions


def values(text: str, *countries: str) -> list[str]:
    return [found.value for found in find_mentions(text, countries)]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("write to desk@example.org.", "desk@example.org"),
        ("mailto:desk@example.org?subject=x", "desk@example.org"),
        ("(first.last+tag@Sub.Example.ORG)", "first.last+tag@sub.example.org"),
        ("jörg@müller.example", "jörg@müller.example"),
        ("<a@example.org>;<a@example.org>", "a@example.org"),
    ],
)
def test_an_address_is_found_as_followthemoney_cleans_it(text: str, address: str) -> None:
    assert values(text) == [address]


@pytest.mark.parametrize("text", ["@home", "a@b", "me@localhost", "3@4.5", "see x@y.1", "a @ example.org"])
def test_what_only_looks_like_an_address_is_none(text: str) -> None:
    assert values(text) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("From: Records office <r@example.org>", "Records office"),
        ('To: "Müller, Jörg" <r@example.org>', "Müller, Jörg"),
        ("a@example.com, Ann Lee <r@example.org>", "Ann Lee"),
        ("r@example.org, and later: Ann Lee <r@example.org>", "Ann Lee"),
        ("<r@example.org>", "r@example.org"),
        ("Copyright (C) 2005 Ann Lee <r@example.org>", "r@example.org"),
        ("The part that reads the files is by Ann Lee <r@example.org>", "r@example.org"),
        ("one line\n<r@example.org>", "r@example.org"),
    ],
)
def test_an_address_is_named_after_whom_it_belongs_to(text: str, name: str) -> None:
    assert [found.name for found in find_mentions(text) if found.value == "r@example.org"] == [name]


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("IBAN: DE89 3704 0044 0532 0130 00, thanks", "DE89370400440532013000"),
        ("DE89370400440532013000", "DE89370400440532013000"),
        ("DE89 3704 0044 0532 0130 00 BIC COBADEFF", "DE89370400440532013000"),
        ("FR14 2004 1010 0505 0001 3M02 606 Kind regards", "FR1420041010050500013M02606"),
        ("NO93 8601 1117 947\nGB82 WEST 1234 5698 7654 32", "NO9386011117947 GB82WEST12345698765432"),
        ("AB12 CDEF 3456 DE89 3704 0044 0532 0130 00", "DE89370400440532013000"),
    ],
)
def test_an_account_is_found_whatever_stands_around_it(text: str, account: str) -> None:
    assert values(text) == account.split()


@pytest.mark.parametrize(
    "text", ["DE88 3704 0044 0532 0130 00", "XDE89370400440532013000", "DE89370400440532013000X", "DE89"]
)
def test_an_account_with_wrong_digits_is_none(text: str) -> None:
    assert values(text) == []


def test_a_phone_number_is_found_with_its_country() -> None:
    [found] = find_mentions("Ring +44 (20) 7946-0958, or 020 7946 0959.")
    assert (found.value, found.country, found.prop) == ("+442079460958", "gb", "phoneMentioned")


def test_a_number_without_a_prefix_is_dialed_in_the_country_of_the_document() -> None:
    assert values("Tel. (030) 23125 123", "de") == ["+493023125123"]
    assert values("Tel. (030) 23125 123", "xx") == []


def test_an_account_is_no_phone_number() -> None:
    assert values("DE89 3704 0044 0532 0130 00") == ["DE89370400440532013000"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["a@example.org", "+442079460958", "DE89370400440532013000"]), unique=True))
def test_each_is_found_once_however_often_it_stands_there(mentioned: list[str]) -> None:
    assert sorted(values("; ".join([*mentioned, *mentioned]))) == sorted(mentioned)


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab@.+49 DE8<>\"',\n\t0"), max_size=200))
def test_nothing_is_found_that_followthemoney_would_clean_to_something_else(text: str) -> None:
    from followthemoney import model

    for found in find_mentions(text):
        prop = model.get("Document").get(found.prop)
        assert prop.type.clean(found.value, format=prop.format) == found.value
        assert found.name
