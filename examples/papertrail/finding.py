"""From a text to what it mentions: e-mail addresses, phone numbers and IBANs, as followthemoney cleans them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from followthemoney.types import registry
from phonenumbers import PhoneNumberMatcher

_ADDRESS = re.compile(
    r"(?<![\w.!#$%&'*+/=?^`{|}~-])\w[\w.!#$%&'*+/=^`{|}~-]{0,63}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
)
# a name before an address in angle brackets: `Records office <records@example.org>`
_NAMED = re.compile(r'(?:"([^"<>]{2,78})"|(?:^|[,;:\t"])\s*([^\W\d_][^<>,;:"@\t]{1,78}?))\s*<$')
_NAME_LENGTH = 90
_NAME_WORDS = 5

# groups of letters and digits; where one ends and the next word begins, its check digits tell
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ \u00a0]?[A-Z0-9]){11,30}(?![a-z0-9])")
_SHORTEST_IBAN = 15
_WORD = re.compile(r"[A-Z0-9]+")

# the numbers that can be dialed from anywhere; others need a country
_INTERNATIONAL = re.compile(r"[+＋][\d\s()./\u00a0\u2010-\u2015-]{6,40}")


@dataclass(frozen=True)
class Found:
    """
    Something that a text mentions.

    `prop` is the property in which a document keeps it, `context` that of a mention; `schema` is what it may be about.
    """

    prop: str
    value: str
    name: str
    schema: str
    context: str | None = None
    country: str | None = None


def find_mentions(text: str, countries: Iterable[str] = ()) -> list[Found]:
    """
    All that a text mentions, each once, in the order in which it stands there, kind by kind.

    Phone numbers without the prefix of a country are looked for as they are dialed in `countries`.

    Example:
        >>> [found.value for found in find_mentions("Call +44 20 7946 0958 or write to desk@example.org.")]
        ['desk@example.org', '+442079460958']
    """
    found: dict[tuple[str, str], Found] = {}
    for one in (*_addresses(text), *_phones(text, countries), *_ibans(text)):
        known = found.setdefault((one.prop, one.value), one)
        # the first that names it
        if known.name == known.value != one.name:
            found[one.prop, one.value] = one
    return list(found.values())


def _addresses(text: str) -> Iterator[Found]:
    for match in _ADDRESS.finditer(text):
        value = registry.email.clean(match.group())
        if value is not None:
            before = text[max(0, match.start() - _NAME_LENGTH) : match.start()].rpartition("\n")[2]
            yield Found("emailMentioned", value, _name(before) or value, "LegalEntity", "contextEmail")


def _name(before: str) -> str | None:
    """Whose address follows, when a name stands before it; a sentence or a year of copyright is none."""
    named = _NAMED.search(before)
    name = (named.group(1) or named.group(2)) if named else ""
    is_name = 0 < len(name.split()) <= _NAME_WORDS and not any(letter.isdigit() for letter in name)
    return registry.name.clean(name) if is_name else None


def _phones(text: str, countries: Iterable[str]) -> Iterator[Found]:
    for match in _INTERNATIONAL.finditer(text):
        yield from _dialed(match.group(), None)
    for country in sorted(set(countries)):
        yield from _dialed(text, country)


def _dialed(text: str, country: str | None) -> Iterator[Found]:
    for match in PhoneNumberMatcher(text, country.upper() if country else None):
        value = registry.phone.clean(match.raw_string, format=country)
        if value is not None:
            yield Found(
                "phoneMentioned",
                value,
                registry.phone.caption(value),
                "LegalEntity",
                "contextPhone",
                registry.phone.country_hint(value),
            )


def _ibans(text: str) -> Iterator[Found]:
    start = 0
    while match := _IBAN.search(text, start):
        value, end = _longest_iban(match.group())
        start = match.start() + end
        if value is not None:
            name = registry.identifier.caption(value, format="iban")
            yield Found("ibanMentioned", value, name, "BankAccount", country=value[:2].lower())


def _longest_iban(text: str) -> tuple[str | None, int]:
    """The account in the beginning of a text, and where it ends; without one, where to look on."""
    ends = [match.end() for match in _WORD.finditer(text) if match.end() >= _SHORTEST_IBAN]
    for end in reversed(ends):
        value = registry.identifier.clean(text[:end], format="iban")
        if value is not None:
            return value, end
    return None, 4
