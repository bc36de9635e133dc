"""The words of vocabulary.toml: names by culture, places, legal forms, phrases."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

_WORDS = tomllib.loads(Path(__file__).with_name("vocabulary.toml").read_text("utf-8"))


@dataclass(frozen=True)
class Culture:
    """Names as people of some countries bear them: each in Latin letters and in their own script."""

    countries: list[str]
    given: list[tuple[str, str]]
    family: list[tuple[str, str]]
    language: str
    family_first: bool = False
    separator: str = " "


def _pairs(text: str) -> list[tuple[str, str]]:
    """`Latin=native` words; a word without `=` is written the same way in both."""
    split = (word.partition("=") for word in text.split())
    return [(latin, native or latin) for latin, _, native in split]


CULTURES = [
    Culture(**{**culture, "given": _pairs(culture["given"]), "family": _pairs(culture["family"])})
    for culture in _WORDS["cultures"]
]
CITIES: list[list[str]] = _WORDS["cities"]
LISTS: list[list[str]] = _WORDS["lists"]
MIME_TYPES: list[list[str]] = _WORDS["mime_types"]
PHONES: dict[str, str] = _WORDS["phones"]
LEGAL_FORMS: dict[str, str] = _WORDS["legal_forms"]
STREETS: list[str] = _WORDS["streets"]
TRADES: list[str] = _WORDS["trades"]
BRANDS: list[str] = _WORDS["brands"]
BRANDS_NATIVE: list[str] = _WORDS["brands_native"]
BODIES: list[str] = _WORDS["bodies"]
CAUSES: list[str] = _WORDS["causes"]
POSTS: list[str] = _WORDS["posts"]
OFFICES: list[str] = _WORDS["offices"]
KINSHIP: list[str] = _WORDS["kinship"]
PERSON_TOPICS: list[str] = _WORDS["person_topics"]
ENTITY_TOPICS: list[str] = _WORDS["entity_topics"]
PROFESSIONS: list[str] = _WORDS["professions"]
SCHOOLS: list[str] = _WORDS["schools"]
SECTORS: list[str] = _WORDS["sectors"]
DOMAINS: list[str] = _WORDS["domains"]
PHRASES: list[str] = _WORDS["phrases"]
