"""Build the example datasets: tables of public facts in, FollowTheMoney entities out.

python examples/build.py            # write examples/<dataset>.ftm.json
python examples/build.py --check    # fail when a written file is not what the tables say
"""

import argparse
import csv
import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypedDict

from followthemoney import model
from followthemoney.exc import InvalidData
from followthemoney.types import registry

HERE = Path(__file__).parent
TABLES = HERE / "tables"

# table name -> schema of its rows; a column called "schema" says otherwise for single rows
SCHEMATA = {
    "addresses": "Address",
    "bodies": "PublicBody",
    "companies": "Company",
    "directorships": "Directorship",
    "memberships": "Membership",
    "ownerships": "Ownership",
    "people": "Person",
    "sanctions": "Sanction",
    "successions": "Succession",
}

# links have no id column: the two things they connect, which they need, and their begin name them
LINK_KEYS = {
    "Directorship": ("director", "organization", "startDate"),
    "Membership": ("member", "organization", "startDate"),
    "Ownership": ("owner", "asset", "startDate"),
    "Sanction": ("entity", "programId", "startDate"),
    "Succession": ("predecessor", "successor"),
}

# countries that write the postal code behind the town
CODE_AFTER_TOWN = {"gb", "ie", "lv", "mt", "ro", "ru", "ua"}


class Entity(TypedDict):
    """One line of an FtM JSON file."""

    id: str
    schema: str
    properties: dict[str, list[str]]


class TableError(ValueError):
    """A table says something that cannot become an entity; names file and line."""


def build(folder: Path) -> dict[str, list[Entity]]:
    """Every dataset below `folder` as entities sorted by id.

    >>> build(TABLES)["eu_bodies"][0]["schema"]
    'Address'
    """
    return {path.name: build_dataset(path) for path in sorted(folder.iterdir()) if path.is_dir()}


def build_dataset(folder: Path) -> list[Entity]:
    """The entities of one folder of tables, checked and sorted by id."""
    entities: dict[str, Entity] = {}
    origins: dict[str, str] = {}
    for path in sorted(folder.glob("*.csv")):
        for where, entity in read_table(path):
            if entity["id"] in entities:
                raise TableError(f"{where}: {entity['id']} is already in {origins[entity['id']]}")
            entities[entity["id"]] = entity
            origins[entity["id"]] = where
    for key, entity in entities.items():
        check_references(origins[key], entity, entities)
    mark_sanctioned(entities)
    return [entities[key] for key in sorted(entities)]


def read_table(path: Path) -> Iterator[tuple[str, Entity]]:
    """Each row of one CSV file as an entity, with `file:line` for messages."""
    if path.stem not in SCHEMATA:
        raise TableError(f"{path}: unknown table, use one of {', '.join(SCHEMATA)}")
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream, strict=True)
        for row in reader:
            where = f"{path.parent.name}/{path.name}:{reader.line_num}"
            if None in row or None in row.values():
                raise TableError(f"{where}: the row has not as many cells as the header")
            yield where, read_row(where, row, SCHEMATA[path.stem])


def read_row(where: str, row: Mapping[str, str], default_schema: str) -> Entity:
    """One row as an entity: each column is a property, `;` parts its values."""
    values = {column: split(cell) for column, cell in row.items()}
    schema = "".join(values.pop("schema", [])) or default_schema
    given_id = values.pop("id", [])
    properties = {name: sorted(set(found)) for name, found in sorted(values.items()) if found}
    required = ("city", "country") if schema == "Address" else LINK_KEYS.get(schema, ())[:2]
    if missing := [name for name in (*required, "sourceUrl") if name not in properties]:
        raise TableError(f"{where}: fill in {', '.join(missing)}")
    if schema == "Address":
        properties["full"] = [full_address(properties)]
    check_values(where, schema, properties)
    key = given_id[0] if given_id else link_id(where, schema, properties)
    return {"id": key, "schema": schema, "properties": dict(sorted(properties.items()))}


def split(cell: str) -> list[str]:
    """The values of a cell, without empty ones."""
    return [part.strip() for part in cell.split(";") if part.strip()]


def full_address(properties: Mapping[str, list[str]]) -> str:
    """The address in one line, as the country writes it."""
    part = {name: values[0] for name, values in properties.items()}
    town = [part.get("postalCode", ""), part["city"]]
    if part["country"] in CODE_AFTER_TOWN:
        town.reverse()
    lines = [part.get("street", ""), " ".join(filter(None, town)), registry.country.caption(part["country"])]
    return ", ".join(filter(None, lines))


def link_id(where: str, schema: str, properties: Mapping[str, list[str]]) -> str:
    """An id made of what the link connects and when it began."""
    if schema not in LINK_KEYS:
        raise TableError(f"{where}: a {schema} needs an id")
    parts = [schema, *(value for name in LINK_KEYS[schema] for value in properties.get(name, []))]
    plain = unicodedata.normalize("NFKD", " ".join(parts).lower())
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")


def check_values(where: str, schema: str, properties: dict[str, list[str]]) -> None:
    """Refuse a property the model lacks and a value its cleaning would change."""
    known = model.get(schema)
    if known is None:
        raise TableError(f"{where}: the model has no schema {schema}")
    try:
        known.validate({"properties": properties})
    except InvalidData as error:
        raise TableError(f"{where}: {error} {error.errors}") from error
    for name, values in properties.items():
        prop = known.get(name)
        if prop is None or prop.stub:
            raise TableError(f"{where}: {schema} has no property {name}")
        for value in values:
            cleaned = prop.type.clean(value, format=prop.format)
            if cleaned != value:
                raise TableError(f"{where}: {name} {value!r} should be written {cleaned!r}")


def check_references(where: str, entity: Entity, entities: Mapping[str, Entity]) -> None:
    """Refuse a link to nothing, or to something of the wrong kind."""
    for name, values in entity["properties"].items():
        prop = model[entity["schema"]].properties[name]
        if prop.range is None:
            continue
        for value in values:
            if value not in entities:
                raise TableError(f"{where}: {name} {value} is in no table")
            if not model[entities[value]["schema"]].is_a(prop.range):
                raise TableError(f"{where}: {name} {value} is not of schema {prop.range.name}")


def mark_sanctioned(entities: Mapping[str, Entity]) -> None:
    """Give the topic `sanction` to organizations with a sanction that was not lifted.

    People are left out on purpose: the examples say of nobody that they are sanctioned.
    """
    for entity in entities.values():
        if entity["schema"] != "Sanction":
            continue
        for key in entity["properties"]["entity"]:
            target = entities[key]
            if target["schema"] == "Person":
                raise TableError(f"{entity['id']}: the examples hold no sanctions on people")
            if "endDate" not in entity["properties"]:
                topics = target["properties"].get("topics", [])
                target["properties"]["topics"] = sorted({*topics, "sanction"})
                target["properties"] = dict(sorted(target["properties"].items()))


def render(entities: Iterable[Entity]) -> str:
    """FtM JSON lines, one entity each."""
    return "".join(json.dumps(entity, ensure_ascii=False) + "\n" for entity in entities)


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with `--check` compare them; 1 when one differs."""
    parser = argparse.ArgumentParser(description="Build the example datasets from their tables.")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    check = parser.parse_args(arguments).check
    stale = 0
    for name, entities in build(TABLES).items():
        path, text = HERE / f"{name}.ftm.json", render(entities)
        if not check:
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"{path.name}: {len(entities)} entities")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale = 1
            print(f"{path.name} is not what the tables say: run python examples/build.py", file=sys.stderr)
    return stale


if __name__ == "__main__":
    sys.exit(main())
