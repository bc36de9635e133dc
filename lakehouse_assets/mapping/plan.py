"""
A query of followthemoney's mapping as steps on whole columns.

It is taken from the objects that followthemoney itself makes of a mapping, so that what they accept and in which order
they work holds here, too. `exact.py` has the same row by row; property tests compare the two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lakehouse_assets.mapping.cleaning import Rule

if TYPE_CHECKING:
    from followthemoney.mapping.entity import EntityMapping
    from followthemoney.mapping.property import PropertyMapping
    from followthemoney.mapping.query import QueryMapping

MENTIONED = "namesMentioned"
"""Where followthemoney puts the names of the entities that another one leads to."""

PROOF = "proof"


@dataclass(frozen=True)
class PropertyPlan:
    """
    How the values of one property come about: from another entity, from a template, or from literals and columns.

    `template` has texts and columns in turn, beginning and ending with a text.
    """

    name: str
    rule: Rule
    columns: tuple[str, ...]
    literals: tuple[str, ...]
    join: str | None
    split: str | None
    entity: str | None
    template: tuple[str, ...] | None
    required: bool


@dataclass(frozen=True)
class EntityPlan:
    """How one entity of each row is made. `seed` is what the hash of its key begins with."""

    name: str
    schema: str
    seed: str
    keys: tuple[str, ...]
    id_column: str | None
    properties: tuple[PropertyPlan, ...]
    mentions: bool
    has_proof: bool

    @property
    def props(self) -> list[str]:
        """The names of the properties that it can have."""
        names = dict.fromkeys(prop.name for prop in self.properties)
        extra = [name for name, has in ((MENTIONED, self.mentions), (PROOF, self.has_proof)) if has]
        return list(dict.fromkeys([*names, *extra]))


@dataclass(frozen=True)
class QueryPlan:
    """The entities of a query in the order in which they are made, and which rows it takes."""

    query: "QueryMapping"
    entities: tuple[EntityPlan, ...]
    filters: tuple[tuple[str, frozenset[str | None]], ...]
    filters_not: tuple[tuple[str, frozenset[str | None]], ...]

    @cached_property
    def columns(self) -> list[str]:
        """Every column that it reads."""
        filtered = [column for column, _ in (*self.filters, *self.filters_not)]
        return sorted({*self.query.refs, *filtered})

    @cached_property
    def is_exact(self) -> bool:
        """Whether only followthemoney can say what comes of it: a column is called like a part of a template."""
        return any("{" in column for column in self.template_columns)

    @cached_property
    def template_columns(self) -> list[str]:
        """Those that go into a template, where a text that looks like another column's place would be replaced."""
        plans = [prop for entity in self.entities for prop in entity.properties if prop.template]
        return sorted({column for plan in plans for column in (plan.template or ())[1::2]})


def plan_query(query: "QueryMapping", key_literals: Mapping[str, str | None], *, dataset: str) -> QueryPlan:
    """The plan of a query; `key_literals` has what each entity adds to its key."""
    from followthemoney.mapping.csv import CSVSource

    source = query.source
    assert isinstance(source, CSVSource)
    return QueryPlan(
        query=query,
        entities=tuple(
            _plan_entity(entity, dataset + (key_literals[entity.name] or "").strip())
            for entity in query.entities
        ),
        filters=tuple((column, frozenset(wanted)) for column, wanted in source.filters_set),
        filters_not=tuple((column, frozenset(wanted)) for column, wanted in source.filters_not_set),
    )


def _plan_entity(entity: "EntityMapping", seed: str) -> EntityPlan:
    schema = entity.schema
    return EntityPlan(
        name=entity.name,
        schema=schema.name,
        seed=seed,
        keys=tuple(entity.keys),
        id_column=entity.id_column,
        properties=tuple(_plan_property(prop) for prop in entity.properties),
        mentions=schema.get(MENTIONED) is not None and bool(entity.dependencies),
        has_proof=schema.get(PROOF) is not None,
    )


def _plan_property(mapping: "PropertyMapping") -> PropertyPlan:
    prop = mapping.prop
    template = None if mapping.template is None else tuple(mapping.FORMAT_PATTERN.split(mapping.template))
    return PropertyPlan(
        name=prop.name,
        rule=Rule(prop.type.name, mapping.fuzzy, mapping.format or prop.format),
        columns=() if template is not None else tuple(mapping.refs),
        literals=tuple(mapping.literals),
        join=mapping.join,
        split=mapping.split,
        entity=mapping.entity,
        template=template,
        required=mapping.required,
    )
