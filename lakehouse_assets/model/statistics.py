"""Counts of a dataset, as in exports/statistics.json and in the index."""

from pydantic import BaseModel


class CountryCount(BaseModel):
    """How many entities have to do with a country."""

    code: str
    count: int
    label: str | None = None


class SchemaCount(BaseModel):
    """How many entities are of a schema."""

    name: str
    count: int
    label: str | None = None
    plural: str | None = None


class Counts(BaseModel):
    """The counts of things, or those of intervals."""

    total: int = 0
    countries: list[CountryCount] = []
    schemata: list[SchemaCount] = []


class Statistics(BaseModel):
    """The counts of a dataset; zero without entities."""

    things: Counts = Counts()
    intervals: Counts = Counts()
    entity_count: int = 0
    start: str | None = None
    end: str | None = None
    countries: list[str] = []
