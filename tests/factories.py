"""Small lakes, files and entities for tests."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.operations import ImportJob

Entity = dict[str, Any]


def company(entity_id: str = "c1", **properties: list[str]) -> Entity:
    """A company; by default with a name."""
    return entity(entity_id, "Company", **(properties or {"name": ["Acme Inc."]}))


def person(entity_id: str = "p1", **properties: list[str]) -> Entity:
    """A person; by default with a name."""
    return entity(entity_id, "Person", **(properties or {"name": ["Jane Doe"]}))


def entity(entity_id: str, schema: str, **properties: list[str]) -> Entity:
    """Any entity as a line of JSON has it."""
    return {"id": entity_id, "schema": schema, "properties": properties}


def write_lines(path: Path, entities: Iterable[Entity]) -> Path:
    """A file of JSON lines."""
    path.write_text(
        "".join(json.dumps(data, ensure_ascii=False) + "\n" for data in entities), encoding="utf-8"
    )
    return path


def make_dataset(folder: Path, name: str = "acme", **config: Any) -> Dataset:
    """A new dataset in a lake in a folder."""
    return Lake(folder).create_dataset(name, **config)


def rows_of(dataset: Dataset) -> pl.DataFrame:
    """All statements that count."""
    frames = list(dataset.statements.reader.scan())
    return pl.concat(frames) if frames else pl.DataFrame()


def values_of(dataset: Dataset) -> list[tuple[str, str, str]]:
    """Entity, property and value of all statements that count, without those of the entities themselves; sorted."""
    return sorted(iter_values(dataset))


def iter_values(dataset: Dataset) -> Iterator[tuple[str, str, str]]:
    """The same, as they come."""
    for rows in dataset.statements.reader.scan(["entity_id", "prop", "value"]):
        yield from rows.filter(pl.col("prop") != "id").iter_rows()


def tree(folder: Path, *, reports: bool = False) -> dict[str, str]:
    """
    Every file below a folder with the SHA-256 of its bytes.

    Left out is what any operation may leave: job records and the quarantine, unless `reports` asks for them, and the
    guard file of swaps.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        key = path.relative_to(folder).as_posix()
        if path.is_file() and path.name != ".guard" and (reports or not _is_report(key)):
            found[key] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _is_report(key: str) -> bool:
    return "jobs/runs/" in key or "quarantine/" in key


def quarantined(dataset: Dataset, job: ImportJob) -> list[dict[str, Any]]:
    """The entries of the quarantine of an import."""
    if job.quarantine is None:
        return []
    return [json.loads(line) for line in dataset.location.read(job.quarantine).splitlines()]
