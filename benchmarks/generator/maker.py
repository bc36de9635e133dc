"""What every generated entity needs: its id, references to others, texts, dates and places."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from generator import vocabulary
from generator.dice import Dice

Props = dict[str, list[str]]
Entity = dict[str, Any]

# Entities of each schema in a block of 200.
MIX = {
    "Person": 72,
    "Company": 34,
    "Organization": 12,
    "PublicBody": 6,
    "LegalEntity": 5,
    "Address": 22,
    "Ownership": 13,
    "Directorship": 10,
    "Sanction": 10,
    "Identification": 3,
    "Passport": 3,
    "Family": 2,
    "Occupancy": 2,
    "Position": 2,
    "Vessel": 2,
    "Document": 2,
}
BLOCK = sum(MIX.values())
_IN_ORDER = [name for name, share in MIX.items() for _ in range(share)]
# 73 shares no factor with the 200 slots of a block: every schema is spread evenly over it.
SCHEMA_OF = tuple(_IN_ORDER[slot * 73 % BLOCK] for slot in range(BLOCK))
SLOTS = {name: tuple(slot for slot in range(BLOCK) if SCHEMA_OF[slot] == name) for name in MIX}
FIRMS = ("Company", "Company", "Company", "Organization", "LegalEntity")
PREFIXES = {
    "Address": "addr-",
    "Document": "doc-",
    "Sanction": "ofac-",
    "Ownership": "gb-coh-",
    "Position": "wd-pos-",
}


class Maker:
    """Parts of entities, as the dice of the entity in work fall."""

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self.dice = Dice()
        self._number = 0

    def identify(self, number: int) -> str:
        """The id of the entity with this number."""
        digest = hashlib.sha1(f"{self.seed}/{number}".encode(), usedforsecurity=False)
        schema = SCHEMA_OF[number % BLOCK]
        if schema in PREFIXES or digest.digest()[0] < 64:
            return PREFIXES.get(schema, "eu-fsf-") + digest.hexdigest()
        return "NK-" + base64.b64encode(digest.digest()[:17], b"kQ").decode()[:22]

    def _ref(self, schemata: Sequence[str]) -> str:
        """The id of another entity: a near one, any earlier one, or one of a few hubs.

        Never the entity in work: followthemoney refuses what refers to itself.
        """
        dice = self.dice
        slots = SLOTS[dice.pick(schemata)]
        block = self._number // BLOCK
        near = dice.below(8)
        if near == 0:
            block, slots = 0, slots[:2]
        elif near < 3:
            block = dice.below(block + 1)
        number = block * BLOCK + dice.pick(slots)
        if number == self._number:
            number += BLOCK
        return self.identify(number)

    def _text(self, low: int, high: int) -> str:
        phrases = "; ".join(self.dice.pick(vocabulary.PHRASES) for _ in range(self.dice.between(low, high)))
        return f"{phrases} ({self.dice.between(1990, 2024)}/{self.dice.below(5000)})"

    def _url(self, folder: str = "record") -> str:
        return f"https://www.{self.dice.pick(vocabulary.DOMAINS)}/{folder}/{self.dice.digits(7)}"

    def _dates(self, first: int, *weights: int) -> list[str]:
        return [self.dice.date(first, 2024) for _ in range(self.dice.count(*weights))]

    def _place(self) -> tuple[str, Props]:
        """One address, as text and in parts."""
        dice = self.dice
        city, country, region, code = dice.pick(vocabulary.CITIES)
        street = f"{dice.pick(vocabulary.STREETS)} {dice.between(1, 240)}"
        full = f"{street}, {code} {city}" if dice.chance(0.6) else f"{street}, {city}, {region}"
        return full, {
            "full": [full],
            "street": [street],
            "city": [city],
            "country": [country],
            "postalCode": [code] if dice.chance(0.7) else [],
            "region": [region] if dice.chance(0.4) else [],
        }

    def _phone(self, country: str) -> list[str]:
        prefix = vocabulary.PHONES.get(country)
        return [f"{prefix}{self.dice.digits(6)}"] if prefix else []

    def _names(self, culture: vocabulary.Culture) -> tuple[str, str, list[str]]:
        """First name, last name and the full names of one person in the scripts of the culture."""
        dice = self.dice
        given, family = dice.pick(culture.given), dice.pick(culture.family)
        first, last = given[0], family[0]
        if dice.chance(0.3):
            second = dice.pick(culture.given)
            first = f"{first} {second[0]}"
        full = [f"{last} {first}" if culture.family_first else f"{first} {last}"]
        if given[1] != given[0]:
            parts = (family[1], given[1]) if culture.family_first else (given[1], family[1])
            full.append(culture.separator.join(parts))
        full.append(f"{last.upper()}, {first}")
        return first, last, full
