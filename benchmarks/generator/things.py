"""Things: people, firms, public bodies, addresses, positions, vessels, documents."""

import hashlib

from generator import vocabulary
from generator.maker import FIRMS, Maker, Props


class Things(Maker):
    """Makes the properties of entities that exist on their own."""

    def _person(self) -> Props:
        dice = self.dice
        culture = dice.pick(vocabulary.CULTURES)
        country = dice.pick(culture.countries)
        first, last, names = self._names(culture)
        spare = [name for _ in range(dice.count(30, 40, 20)) for name in self._names(culture)[2][:2]]
        return {
            "name": names[: 2 + dice.count(75, 25)],
            "alias": spare[:3],
            "weakAlias": [f"{first[0]}. {last}"] if dice.chance(0.35) else [],
            "firstName": [first],
            "lastName": [last],
            "birthDate": [dice.date(1932, 2000) for _ in range(dice.count(8, 80, 12))],
            "birthPlace": [dice.pick(vocabulary.CITIES)[0]] if dice.chance(0.7) else [],
            "nationality": [country, dice.pick(vocabulary.CITIES)[1]][: dice.count(10, 75, 15)],
            "country": [country] if dice.chance(0.7) else [],
            "gender": [dice.pick(("male", "male", "female"))] if dice.chance(0.9) else [],
            "position": [
                f"{dice.pick(vocabulary.POSTS)} ({dice.date(1998, 2024)[:4]})"
                for _ in range(dice.count(35, 35, 20))
            ],
            "profession": [dice.pick(vocabulary.PROFESSIONS)] if dice.chance(0.3) else [],
            "education": [f"{dice.pick(vocabulary.SCHOOLS)}, {dice.pick(vocabulary.CITIES)[0]}"]
            if dice.chance(0.25)
            else [],
            "topics": [dice.pick(vocabulary.PERSON_TOPICS) for _ in range(dice.count(5, 65, 30))],
            "address": [self._place()[0] for _ in range(dice.count(35, 50, 15))],
            "addressEntity": [self._ref(("Address",)) for _ in range(dice.count(35, 55, 10))],
            "notes": [self._text(1, 4) for _ in range(dice.count(33, 55, 12))],
            "idNumber": [dice.digits(10) for _ in range(dice.count(58, 37, 5))],
            "passportNumber": [
                f"{dice.pick('ABCEKNP')}{dice.digits(8)}" for _ in range(dice.count(70, 22, 8))
            ],
            "taxNumber": [dice.digits(11)] if dice.chance(0.25) else [],
            "phone": self._phone(country) if dice.chance(0.5) else [],
            "email": [f"{dice.pick('abcdehmn')}{dice.digits(6)}@{dice.pick(vocabulary.DOMAINS)}"]
            if dice.chance(0.15)
            else [],
            "wikidataId": [f"Q{dice.digits(8)}"] if dice.chance(0.2) else [],
            "program": [dice.pick(vocabulary.LISTS)[3]] if dice.chance(0.6) else [],
            "sourceUrl": [self._url("person") for _ in range(dice.count(5, 60, 35))],
            "createdAt": self._dates(2015, 40, 60),
            "modifiedAt": self._dates(2023, 70, 30),
            "spokenLanguage": [culture.language] if dice.chance(0.2) else [],
        }

    def _firm_names(self, country: str) -> list[str]:
        dice = self.dice
        stem = f"{dice.pick(vocabulary.BRANDS)} {dice.pick(vocabulary.TRADES)} {dice.between(2, 999)}"
        names = [f"{stem} {vocabulary.LEGAL_FORMS.get(country, 'Ltd')}", stem]
        if dice.chance(0.45):
            names.insert(1, f"{dice.pick(vocabulary.BRANDS_NATIVE)} {dice.between(2, 99)}")
        return names[: 1 + dice.count(25, 50, 25)]

    def _firm(self, schema: str) -> Props:
        dice = self.dice
        _, country, _, _ = dice.pick(vocabulary.CITIES)
        names = self._firm_names(country)
        if schema == "Organization" and dice.chance(0.5):
            names.append(f"{dice.pick(vocabulary.BRANDS_NATIVE)} {dice.pick(vocabulary.CAUSES)}")
        russian = country == "ru"
        return {
            "name": names,
            "alias": [self._firm_names(country)[0] for _ in range(dice.count(35, 40, 25))],
            "previousName": [self._firm_names(country)[0]] if dice.chance(0.25) else [],
            "abbreviation": ["".join(part[0] for part in names[0].split()[:4]).upper()]
            if dice.chance(0.2)
            else [],
            "legalForm": [vocabulary.LEGAL_FORMS.get(country, "Ltd")] if dice.chance(0.8) else [],
            "jurisdiction": [country],
            "country": [country, dice.pick(vocabulary.CITIES)[1]][: dice.count(25, 60, 15)],
            "incorporationDate": [dice.date(1955, 2023)] if dice.chance(0.8) else [],
            "dissolutionDate": [dice.date(2018, 2024)] if dice.chance(0.1) else [],
            "registrationNumber": [dice.digits(8) for _ in range(dice.count(10, 80, 10))],
            "innCode": [dice.inn()] if russian else [],
            "ogrnCode": [dice.ogrn()] if russian else [],
            "taxNumber": [dice.digits(10)] if dice.chance(0.4) else [],
            "leiCode": [dice.lei()] if dice.chance(0.2) else [],
            "status": [dice.pick(("active", "active", "dissolved", "in liquidation", "действующее"))],
            "sector": [dice.pick(vocabulary.SECTORS) for _ in range(dice.count(20, 55, 25))],
            "topics": [dice.pick(vocabulary.ENTITY_TOPICS) for _ in range(dice.count(20, 60, 20))],
            "address": [self._place()[0] for _ in range(dice.count(10, 60, 30))],
            "addressEntity": [self._ref(("Address",)) for _ in range(dice.count(20, 70, 10))],
            "parent": [self._ref(FIRMS)] if dice.chance(0.15) else [],
            "notes": [self._text(1, 3) for _ in range(dice.count(35, 50, 15))],
            "website": [f"https://www.{names[0].split()[0].lower()}{dice.digits(4)}.example/"]
            if dice.chance(0.3)
            else [],
            "email": [f"office{dice.digits(5)}@{dice.pick(vocabulary.DOMAINS)}"] if dice.chance(0.25) else [],
            "phone": self._phone(country) if dice.chance(0.5) else [],
            "program": [dice.pick(vocabulary.LISTS)[3]] if dice.chance(0.3) else [],
            "wikidataId": [f"Q{dice.digits(8)}"] if dice.chance(0.15) else [],
            "sourceUrl": [self._url("company") for _ in range(dice.count(5, 65, 30))],
            "createdAt": self._dates(2015, 40, 60),
            "modifiedAt": self._dates(2023, 80, 20),
        }

    def _publicbody(self) -> Props:
        dice = self.dice
        city, country, _, _ = dice.pick(vocabulary.CITIES)
        body = f"{dice.pick(vocabulary.BODIES)} {dice.between(2, 99)} ({city})"
        return {
            "name": [body, f"{dice.pick(vocabulary.BODIES)}, {city}"][: dice.count(0, 60, 40)],
            "alias": [
                f"{dice.pick(vocabulary.BODIES)} {country.upper()}" for _ in range(dice.count(30, 40, 30))
            ],
            "country": [country],
            "jurisdiction": [country],
            "topics": ["gov.national" if dice.chance(0.7) else "gov.muni"],
            "address": [self._place()[0] for _ in range(dice.count(10, 70, 20))],
            "addressEntity": [self._ref(("Address",))],
            "legalForm": ["public authority"],
            "parent": [self._ref(("PublicBody",))] if dice.chance(0.5) else [],
            "incorporationDate": [dice.date(1900, 2015)] if dice.chance(0.5) else [],
            "phone": self._phone(country),
            "email": [f"contact{dice.digits(5)}@{dice.pick(vocabulary.DOMAINS)}"],
            "website": [self._url("gov")],
            "description": [self._text(1, 2)],
            "sourceUrl": [self._url("body")],
            "wikidataId": [f"Q{dice.digits(7)}"] if dice.chance(0.6) else [],
        }

    def _address(self) -> Props:
        _, props = self._place()
        dice = self.dice
        props["remarks"] = [self._text(1, 1)] if dice.chance(0.3) else []
        props["latitude"] = [f"{dice.between(0, 69)}.{dice.digits(5)}"] if dice.chance(0.3) else []
        props["longitude"] = [f"{dice.between(0, 120)}.{dice.digits(5)}"] if props["latitude"] else []
        props["summary"] = [self._text(1, 1)] if dice.chance(0.15) else []
        return props

    def _position(self) -> Props:
        dice = self.dice
        city, country, _, _ = dice.pick(vocabulary.CITIES)
        post = dice.pick(vocabulary.POSTS)
        return {
            "name": [f"{post} ({city})", f"{post} {dice.between(2, 99)}"],
            "country": [country],
            "subnationalArea": [city],
            "topics": ["gov.national", "gov.executive"][: dice.count(0, 50, 50)],
            "organization": [self._ref(("PublicBody",))],
            "inceptionDate": [dice.date(1900, 2010)] if dice.chance(0.3) else [],
            "wikidataId": [f"Q{dice.digits(7)}"],
            "sourceUrl": [self._url("post")],
        }

    def _ship_name(self) -> str:
        dice = self.dice
        virtue = ("Star", "Spirit", "Pioneer", "Glory")
        return f"{dice.pick(vocabulary.BRANDS)} {dice.pick(virtue)} {dice.below(90)}"

    def _vessel(self) -> Props:
        dice = self.dice
        flags = [dice.pick(vocabulary.CITIES)[1] for _ in range(dice.between(1, 4))]
        return {
            "name": [self._ship_name()],
            "previousName": [
                f"MT {dice.pick(vocabulary.BRANDS)} {dice.below(900)}" for _ in range(dice.between(0, 4))
            ],
            "imoNumber": [dice.imo()],
            "mmsi": [dice.digits(9)],
            "callSign": [f"{dice.pick('ACDEHJLPTV')}{dice.digits(5)}"],
            "flag": flags[:1],
            "pastFlags": flags[1:],
            "type": [dice.pick(("Crude oil tanker", "General cargo", "Bulk carrier", "Chemical tanker"))],
            "buildDate": [dice.date(1975, 2021)],
            "grossRegisteredTonnage": [str(dice.between(400, 180_000))],
            "deadweightTonnage": [str(dice.between(900, 320_000))],
            "owner": [self._ref(FIRMS)],
            "operator": [self._ref(("Company",))],
            "topics": [dice.pick(("mare.shadow", "sanction", "mare.detained", "poi"))],
            "notes": [self._text(1, 2)],
            "sourceUrl": [self._url("vessel")],
        }

    def _document(self) -> tuple[str, Props]:
        """A file record; its schema follows the kind of file."""
        dice = self.dice
        extension, mime_type, schema = dice.pick(vocabulary.MIME_TYPES)
        title = dice.pick(vocabulary.PHRASES)
        name = f"{title.split()[0].lower()}_{dice.digits(5)}.{extension}"
        return schema, {
            "fileName": [name],
            "title": [title],
            "contentHash": [hashlib.sha256(f"{self.seed}/{self._number}/{name}".encode()).hexdigest()],
            "fileSize": [dice.digits(dice.between(3, 7))],
            "mimeType": [mime_type],
            "extension": [extension],
            "author": [self._names(dice.pick(vocabulary.CULTURES))[2][0] for _ in range(dice.between(0, 2))],
            "language": [dice.pick(vocabulary.CULTURES).language],
            "authoredAt": self._dates(2000, 20, 80),
            "publishedAt": self._dates(2000, 20, 80),
            "keywords": [dice.pick(vocabulary.SECTORS) for _ in range(dice.between(0, 4))],
            "sourceUrl": [self._url("file")],
            "summary": [self._text(1, 4)],
        }
