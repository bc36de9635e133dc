"""Intervals: what relates things to each other, for a time."""

from generator import vocabulary
from generator.maker import FIRMS, Maker, Props

OWNERS = ("Person", "Person", "Company", "Organization")
LISTED = ("Person", "Person", "Company", "Organization", "Vessel")


class Intervals(Maker):
    """Makes the properties of relations, listings and papers."""

    def _link(self, first: int = 1995) -> Props:
        """What every relation says about its time and source."""
        return {
            "startDate": self._dates(first, 15, 85),
            "endDate": self._dates(2015, 70, 30),
            "recordId": [self.dice.digits(9)] if self.dice.chance(0.6) else [],
            "sourceUrl": [self._url("filing")],
            "modifiedAt": self._dates(2022, 60, 40),
        }

    def _ownership(self) -> Props:
        dice = self.dice
        return {
            "owner": [self._ref(OWNERS)],
            "asset": [self._ref(("Company",))],
            "percentage": [f"{dice.between(1, 100)}.{dice.between(0, 99):02d}"] if dice.chance(0.8) else [],
            "role": [dice.pick(("shareholder", "beneficial owner", "участник", "nominee"))],
            "sharesCount": [dice.digits(5)] if dice.chance(0.5) else [],
            "sharesType": ["ordinary"] if dice.chance(0.4) else [],
            "status": ["active" if dice.chance(0.8) else "ceased"],
            "summary": [self._text(1, 1)] if dice.chance(0.3) else [],
            **self._link(),
        }

    def _directorship(self) -> Props:
        dice = self.dice
        return {
            "director": [self._ref(("Person",))],
            "organization": [self._ref(FIRMS)],
            "role": [dice.pick(vocabulary.OFFICES) for _ in range(dice.count(0, 80, 20))],
            "status": ["active" if dice.chance(0.7) else "resigned"],
            "description": [self._text(1, 1)] if dice.chance(0.35) else [],
            **self._link(),
        }

    def _sanction(self) -> Props:
        dice = self.dice
        short, country, authority, program = dice.pick(vocabulary.LISTS)
        return {
            "entity": [self._ref(LISTED)],
            "authority": [authority],
            "authorityId": [f"{short}-{dice.digits(6)}"],
            "country": [country],
            "program": [program],
            "programUrl": [self._url("program")],
            "programId": [f"{short}-{dice.pick(('RUS', 'SYR', 'IRN', 'DPRK', 'BLR', 'TERR'))}"],
            "listingDate": self._dates(2004, 10, 80, 10),
            "reason": [self._text(2, 5) for _ in range(dice.count(5, 70, 25))],
            "provisions": ["asset freeze", "travel ban", "trade restrictions"][: dice.count(10, 50, 30, 10)],
            "status": ["active"] if dice.chance(0.7) else [],
            **self._link(2004),
        }

    def _identification(self) -> Props:
        dice = self.dice
        country = dice.pick(vocabulary.CITIES)[1]
        return {
            "holder": [self._ref(("Person",))],
            "number": [dice.digits(9)],
            "type": [dice.pick(("national identity card", "driving licence", "tax card", "Personalausweis"))],
            "country": [country],
            "authority": [dice.pick(vocabulary.BODIES)],
            "summary": [self._text(1, 1)] if dice.chance(0.3) else [],
            **self._link(),
        }

    def _passport(self) -> Props:
        dice = self.dice
        culture = dice.pick(vocabulary.CULTURES)
        first, last, _ = self._names(culture)
        return {
            "holder": [self._ref(("Person",))],
            "number": [f"{dice.pick('ABCEKNP')}{dice.digits(8)}"],
            "type": ["passport"],
            "country": [dice.pick(culture.countries)],
            "givenName": [first],
            "surname": [last],
            "birthDate": [dice.date(1932, 2000)],
            "gender": [dice.pick(("male", "female"))],
            **self._link(),
        }

    def _family(self) -> Props:
        return {
            "person": [self._ref(("Person",))],
            "relative": [self._ref(("Person",))],
            "relationship": [self.dice.pick(vocabulary.KINSHIP)],
            **self._link(),
        }

    def _occupancy(self) -> Props:
        dice = self.dice
        return {
            "holder": [self._ref(("Person",))],
            "post": [self._ref(("Position",))],
            "status": [dice.pick(("current", "ended", "unknown"))],
            "constituency": [dice.pick(vocabulary.CITIES)[0]] if dice.chance(0.5) else [],
            "politicalGroup": [f"{dice.pick(vocabulary.BRANDS)} Party"] if dice.chance(0.5) else [],
            "declarationDate": self._dates(2016, 20, 30, 50),
            **self._link(),
        }
