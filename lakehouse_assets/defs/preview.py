"""What the first lines of an artifact look like, for its page in Dagster."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence

import dagster as dg

from lakehouse_assets import layout
from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.numbers import bars, human_size
from lakehouse_assets.lake import Dataset
from lakehouse_assets.storage.compression import decompressing
from lakehouse_assets.storage.location import Location

# the event log keeps every preview for ever
_ROWS = 5
_LONGEST = 120
_HEAD = 256 * 1024
_MOST_DATASETS = 50

_STATEMENT_COLUMNS = ("entity_id", "schema", "prop", "value", "origin", "last_seen")

Cell = str | int | float | bool | None
Preview = Mapping[str, dg.MetadataValue]


def preview(dataset: Dataset, asset: str, path: str) -> Preview:
    """The beginning of an artifact, by the asset's name; empty when there is nothing to show."""
    if asset == artifacts.STATEMENTS:
        return _rows(b"".join(_first_blocks(dataset)), _STATEMENT_COLUMNS)
    if not dataset.location.exists(path):
        return {}
    return _FILES[asset](dataset.location, path)


def catalog_preview(location: Location) -> Preview:
    """The datasets of the lake, as its catalogue lists them."""
    data = location.read_or_none(layout.LAKE_INDEX)
    found = json.loads(data).get("datasets", []) if data else []
    return table("datasets", [_line_of_catalog(each) for each in found[:_MOST_DATASETS]])


def _line_of_catalog(dataset: Mapping[str, object]) -> dict[str, Cell]:
    return {
        "name": cell(dataset.get("name")),
        "title": cell(dataset.get("title")),
        "entities": _number(dataset.get("entity_count")),
        "updated": cell(dataset.get("updated_at")),
    }


def _first_blocks(dataset: Dataset) -> list[bytes]:
    """The header and the first block of the statements."""
    blocks = dataset.statements_csv()
    return [block for block, _ in zip(blocks, range(2), strict=False)]


def _statements(location: Location, path: str) -> Preview:
    return _rows(_head(location, path), _STATEMENT_COLUMNS)


def _documents(location: Location, path: str) -> Preview:
    return _rows(_head(location, path), ("name", "path", "mimetype", "size", "checksum"))


def _entities(location: Location, path: str) -> Preview:
    entities = [json.loads(line) for line in _whole_lines(_head(location, path))[:_ROWS]]
    shown = [
        {
            "id": cell(entity["id"]),
            "schema": entity["schema"],
            "caption": cell(entity.get("caption")),
            "values": sum(len(values) for values in entity["properties"].values()),
            "origin": cell(", ".join(entity.get("origin", []))),
        }
        for entity in entities
    ]
    return {
        **table("preview", shown),
        **({"first_entity": dg.MetadataValue.json(_shortened(entities[0]))} if entities else {}),
    }


def _statistics(location: Location, path: str) -> Preview:
    stats = json.loads(location.read(path))
    counts = [
        (each["name"], each["count"]) for kind in ("things", "intervals") for each in stats[kind]["schemata"]
    ]
    countries = [(each["label"] or each["code"], each["count"]) for each in stats["things"]["countries"]]
    return {
        "entities": dg.MetadataValue.int(stats["entity_count"]),
        "by_schema": dg.MetadataValue.md(f"```\n{bars(list(dict(counts).items()))}\n```"),
        "by_country": dg.MetadataValue.md(f"```\n{bars(countries, limit=15)}\n```"),
    }


def _index(location: Location, path: str) -> Preview:
    index = json.loads(location.read(path))
    shown: list[dict[str, Cell]] = [
        {
            "name": resource["name"],
            "size": human_size(resource.get("size") or 0),
            "checksum": cell((resource.get("checksum") or "")[:12]),
            "changed": cell(resource.get("timestamp")),
        }
        for resource in index.get("resources", [])
    ]
    return {"entities": dg.MetadataValue.int(index.get("entity_count") or 0), **table("resources", shown)}


_FILES: Mapping[str, Callable[[Location, str], Preview]] = {
    "statements_csv": _statements,
    "entities_json": _entities,
    "statistics_json": _statistics,
    "documents_csv": _documents,
    artifacts.INDEX: _index,
}


def _head(location: Location, path: str) -> bytes:
    """The first bytes of a file, decompressed."""
    with location.open(path) as raw:
        return decompressing(raw, path).read(_HEAD)


def _whole_lines(head: bytes) -> list[bytes]:
    lines = head.split(b"\n")
    # the last one is cut off, or what follows the last line's end
    return lines[:-1]


def _rows(head: bytes, columns: Sequence[str]) -> Preview:
    """The first rows of a CSV file."""
    text = head.decode(errors="ignore")
    found: list[dict[str, Cell]] = []
    for row in csv.DictReader(io.StringIO(text, newline="")):
        # the last row of a full head may be cut off
        if len(found) == _ROWS or None in row.values():
            break
        found.append({column: cell(row.get(column)) for column in columns})
    return table("preview", found)


def table(name: str, rows: Sequence[Mapping[str, Cell]]) -> Preview:
    """Rows as a table under a name; empty when there are none."""
    if not rows:
        return {}
    types = {"int": "integer", "str": "string", "NoneType": "string"}
    columns = [
        dg.TableColumn(name, types.get(type(value).__name__, "string")) for name, value in rows[0].items()
    ]
    records = [dg.TableRecord(dict(row)) for row in rows]
    return {name: dg.MetadataValue.table(records, schema=dg.TableSchema(columns=columns))}


def cell(value: object) -> str:
    """A value as a cell: its text, cut off where it is long."""
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _shortened(entity: Mapping[str, object]) -> dict[str, object]:
    """An entity with long texts and lists cut off."""
    return {name: _short(value) for name, value in entity.items()}


def _short(value: object) -> object:
    if isinstance(value, str):
        return cell(value)
    if isinstance(value, list):
        return [_short(item) for item in value[:_ROWS]]
    if isinstance(value, dict):
        return {name: _short(item) for name, item in list(value.items())[:_MOST_DATASETS]}
    return value
