"""What is wrong with a mapping, before any row is read: each problem with its place."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pydantic import BaseModel

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.mapping.config import (
    DatasetMapping,
    EntityMapping,
    FileOptions,
    PropertyMapping,
    TableQuery,
)
from lakehouse_assets.model.documents import Place, point_out
from lakehouse_assets.model.ftm import ftm_model

if TYPE_CHECKING:
    from followthemoney.mapping.query import QueryMapping
    from followthemoney.property import Property
    from followthemoney.schema import Schema


def check_mapping(mapping: DatasetMapping, place: str) -> DatasetMapping:
    """The mapping itself if it can be run, else InvalidData with all problems."""
    problems = find_problems(mapping)
    if problems:
        raise InvalidData(point_out(problems, b"", place))
    return mapping


def find_problems(mapping: DatasetMapping) -> list[tuple[Place, str]]:
    """Every problem with its place in the document; none when the mapping can be run."""
    problems = list(_of_file(mapping.file, ("file",)))
    for number, query in enumerate(mapping.queries):
        problems += _of_query(query, ("queries", number))
    if problems:
        return problems
    for number, query in enumerate(mapping.queries):
        problems += _of_followthemoney(query, mapping.dataset, ("queries", number))
    return problems


def build_query(query: TableQuery, dataset: str) -> "QueryMapping":
    """The mapping of followthemoney for a query; it raises its own InvalidMapping."""
    from followthemoney import model

    data = query.model_dump(by_alias=True)
    return model.make_mapping({**data, "csv_url": "/dev/null"}, key_prefix=dataset)


def _of_query(query: TableQuery, at: Place) -> Iterator[tuple[Place, str]]:
    yield from _unknown_keys(query, at)
    yield from _of_file(query.file, (*at, "file"))
    for column, wanted in query.filters.items():
        if not wanted:
            yield (*at, "filters", column), "no row would pass; write [null] to let empty cells through"
    if not query.entities:
        yield (*at, "entities"), "names no entity; write at least one, with schema, keys and properties"
    for name, entity in query.entities.items():
        yield from _of_entity(entity, query, (*at, "entities", name))


def _of_file(file: FileOptions | None, at: Place) -> Iterator[tuple[Place, str]]:
    if file is not None:
        yield from _unknown_keys(file, at)


def _of_entity(entity: EntityMapping, query: TableQuery, at: Place) -> Iterator[tuple[Place, str]]:
    yield from _unknown_keys(entity, at)
    if not entity.key_columns:
        yield (
            at,
            "nothing to make its id from; name the columns that tell one from another, like `keys: [id]`",
        )
    if entity.id_column is not None and (entity.key or entity.keys):
        yield at, "has both keys and id_column; leave one of them out"
    for name, prop in entity.properties.items():
        yield from _of_property(name, prop, entity, query, (*at, "properties", name))


def _of_property(
    name: str, prop: PropertyMapping, entity: EntityMapping, query: TableQuery, at: Place
) -> Iterator[tuple[Place, str]]:
    yield from _unknown_keys(prop, at)
    schema = ftm_model().schemata[entity.schema_name]
    if name not in {known.name for known in schema.properties}:
        yield at, _unknown_property(name, entity.schema_name, [known.name for known in schema.properties])
    elif not prop.has_source:
        yield at, "has no value; name a column, columns, a literal, a template, or another entity"
    if prop.entity is not None and prop.entity not in query.entities:
        hint = _near(prop.entity, query.entities) or f"there are {', '.join(query.entities)}"
        yield (*at, "entity"), f"no entity of this query is called {prop.entity!r}; {hint}"


def _unknown_property(name: str, schema: str, known: Iterable[str]) -> str:
    reverse = _reverse_of(name, schema)
    if reverse is not None:
        return f"holds no values of its own; give them to {reverse}, the other end of it"
    hint = _near(name, known)
    return f"no property of {schema} is called {name!r}" + (f"; {hint}" if hint else "")


def _reverse_of(name: str, schema: str) -> str | None:
    """The property that fills one which is only seen from the other side."""
    from followthemoney import model

    found = model[schema].get(name)
    return found.reverse.qname if found is not None and found.reverse is not None else None


def _unknown_keys(part: BaseModel, at: Place) -> Iterator[tuple[Place, str]]:
    known = [field.alias or name for name, field in type(part).model_fields.items()]
    for name in sorted(part.model_extra or {}):
        hint = _near(name, known) or f"there are {', '.join(known)}"
        yield (*at, name), f"means nothing here; {hint}"


def _near(name: str, known: Iterable[str]) -> str | None:
    by_lower = {found.lower(): found for found in sorted(known)}
    # one that is hardly different is meant, whatever else is like it
    near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.85)
    near = near or get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(by_lower[found] for found in near)}?" if near else None


def _of_followthemoney(query: TableQuery, dataset: str, at: Place) -> list[tuple[Place, str]]:
    """What followthemoney itself finds, once everything has a known name."""
    from followthemoney import model
    from followthemoney.exc import FollowTheMoneyException

    found = []
    for name, entity in query.entities.items():
        schema = model[entity.schema_name]
        for prop_name, prop in entity.properties.items():
            place = (*at, "entities", name, "properties", prop_name)
            known = schema.properties[prop_name]
            found += [(place, reason) for reason in _of_values(prop, known)]
            if prop.entity is not None:
                target = model[query.entities[prop.entity].schema_name]
                found += [((*place, "entity"), reason) for reason in _of_range(prop.entity, known, target)]
    if not found:
        try:
            build_query(query, dataset)
        except FollowTheMoneyException as exc:
            found.append(((*at, "entities"), str(exc)))
    return found


def _of_values(prop: PropertyMapping, known: "Property") -> Iterator[str]:
    if prop.format is None:
        return
    try:
        known.type.clean_text("1", format=prop.format)
    except Exception as exc:
        # whatever its parsers raise for a format that is none; they would raise it again at the first row
        yield f"cannot use the format {prop.format!r}: {exc}"


def _of_range(name: str, known: "Property", target: "Schema") -> Iterator[str]:
    if known.range is None:
        yield f"{known.qname} holds texts and no entities; take the values from columns"
    elif not target.is_a(known.range):
        yield f"{known.qname} leads to a {known.range.name}, and {name!r} is a {target.name}"
