"""Collections to CSV and Parquet files, and back: a folder for each, with its schema and a file per series."""

import json
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from lakehouse_assets.collections.bounds import Interval, compare
from lakehouse_assets.collections.changes import Change, Load, Upsert
from lakehouse_assets.collections.collection import Collection
from lakehouse_assets.collections.frames import is_sorted, to_stored
from lakehouse_assets.collections.labels import checked_label, file_name, label_of
from lakehouse_assets.collections.reading import frames_of
from lakehouse_assets.collections.schema import Schema
from lakehouse_assets.collections.series import Series
from lakehouse_assets.collections.writing import FILE_TYPES, write_file
from lakehouse_assets.errors import InvalidData, LakehouseError, NotFound
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    import polars as pl

    from lakehouse_assets.collections.repo import Repo

log = logging.getLogger(__name__)

SCHEMA = "_schema.json"
"""The file of a collection's schema; its `files` names the file of each series, in the folder beside it."""


def export_collections(
    repo: "Repo", dest: Location, labels: Sequence[str] | None, file_type: str
) -> dict[str, int]:
    """Write collections to files; gives how many rows of each. All are looked up before the first is written."""
    _check_type(file_type)
    found = repo.search() if labels is None else [repo.get(label) for label in labels]
    return {collection.label: _export(collection, dest, file_type) for collection in found}


def import_collections(repo: "Repo", src: Location, labels: Sequence[str] | None) -> dict[str, int]:
    """Read collections from files; gives how many rows of each."""
    folders = {label: name for name in src.folders() if (label := label_of(name)) is not None}
    there = [label for label, name in folders.items() if src.exists(f"{name}/{SCHEMA}")]
    wanted = sorted(there) if labels is None else [checked_label(label) for label in labels]
    for label in wanted:
        if label not in there:
            msg = f"there is no exported collection {label!r} in {src.uri}: its folder needs a {SCHEMA}"
            raise NotFound(msg)
    return {label: _import(repo, label, src / folders[label]) for label in wanted}


def export_file(series: Series, folder: Location, name: str, file_type: str) -> int:
    """Write a series to one file; gives how many rows."""
    _check_type(file_type)
    return write_file(series.schema, _stored(series), folder, name, file_type)


def import_file(series: Series, folder: Location, name: str) -> int:
    """Read a series from one file; gives how many rows."""
    change, rows = _load(series.schema, series.label, folder, name)
    if change is not None:
        series.collection.table.apply([change], operation="IMPORT")
    return rows


def _export(collection: Collection, dest: Location, file_type: str) -> int:
    folder, rows, files = file_name(collection.label), 0, {}
    before = _listed(dest, f"{folder}/{SCHEMA}")
    # all series of one and the same version
    snapshot = collection.table.snapshot()
    labels = sorted({file.series for file in snapshot.files.values() if file.series}) if snapshot else []
    for label in labels:
        name = f"{file_name(label)}.{file_type}"
        frames = collection.table.rows(snapshot, label)
        rows += write_file(collection.schema, frames, dest, f"{folder}/{name}", file_type)
        files[label] = name
    told = {**json.loads(collection.schema.dumps()), "files": files}
    dest.write(f"{folder}/{SCHEMA}", json.dumps(told, ensure_ascii=False, indent=1).encode())
    for name in set(before.values()) - set(files.values()):
        # of a series that is not there any more: the next import would bring it back
        dest.delete(f"{folder}/{name}")
    log.info("exported %s to %s: %s series, %s rows", collection.label, dest.uri, len(files), rows)
    return rows


def _import(repo: "Repo", label: str, folder: Location) -> int:
    text = folder.read(SCHEMA)
    schema = Schema.loads(text)
    known = repo.registry_collection(label)
    if known is not None and known.schema != schema:
        msg = f"the collection {label!r} has another schema, {known.schema}, than {folder.url(SCHEMA)}, {schema}"
        raise InvalidData(f"{msg}; rename one of them")
    changes: list[Change] = []
    rows = 0
    for series, name in _files(folder).items():
        change, count = _load(schema, series, folder, name)
        rows += count
        if change is not None:
            changes.append(change)
    # the collection is made when all files are known to be right
    found = known or repo.create_collection(schema, label, raise_if_exists=False)
    found.table.apply(changes, operation="IMPORT")
    log.info("imported %s from %s: %s series, %s rows", label, folder.uri, len(changes), rows)
    return rows


def _files(folder: Location) -> dict[str, str]:
    """The file of each series in a folder; as its schema lists them, or all where it lists none."""
    named = _listed(folder, SCHEMA)
    if not named:
        found = [(name, name.rpartition(".")) for name in folder.names()]
        return {
            label: name
            for name, (stem, _, kind) in found
            if kind in FILE_TYPES and not name.startswith("_") and (label := label_of(stem)) is not None
        }
    for name in named.values():
        if not folder.exists(name):
            msg = f"{folder.url(SCHEMA)} lists {name}, which is not there; export the collection again"
            raise NotFound(msg)
    return named


def _listed(folder: Location, key: str) -> dict[str, str]:
    """The files that an export's schema lists, by series; those with names that no export gives are InvalidData."""
    data = folder.read_or_none(key)
    try:
        named = dict(json.loads(data).get("files") or {}) if data else {}
    except (ValueError, AttributeError) as exc:
        msg = f"{folder.url(key)} is no schema of an exported collection: {exc}; export it again"
        raise InvalidData(msg) from exc
    for label, name in named.items():
        plain = checked_label(label, "series")
        if name not in {f"{file_name(plain)}.{kind}" for kind in FILE_TYPES}:
            msg = f"{folder.url(key)} lists {name!r} for the series {label!r}, which no export writes; export it again"
            raise InvalidData(msg)
    return named


def _load(schema: Schema, series: str, folder: Location, name: str) -> tuple[Change | None, int]:
    """The change that a file means, after all of it was looked at; and its rows."""
    place = folder.url(name)

    def frames() -> "Iterator[pl.DataFrame]":
        for frame in frames_of(schema, folder, name):
            try:
                yield to_stored(schema, frame)
            except LakehouseError as exc:
                msg = f"{place} does not fit: {exc}"
                raise type(exc)(msg) from exc

    if schema.is_kv:
        return _upsert(schema, series, frames())
    first: tuple[object, ...] | None = None
    last: tuple[object, ...] | None = None
    rows = 0
    for frame in frames():
        if frame.is_empty():
            continue
        index = frame.select(schema.index)
        head = index.row(0)
        if not is_sorted(schema, frame) or (last is not None and compare(cast(tuple[int], last), head) > 0):
            msg = f"the rows of {place} are not sorted by {', '.join(schema.index)}; sort them first"
            raise InvalidData(msg)
        first, last, rows = first or head, index.row(-1), rows + frame.height
    if first is None or last is None:
        return None, 0
    span = Interval(cast(tuple[int], first), cast(tuple[int], last), True, True)
    return Load(series, frames, span, rows), rows


def _upsert(schema: Schema, series: str, frames: "Iterator[pl.DataFrame]") -> tuple[Change | None, int]:
    import polars as pl

    rows = pl.concat([pl.DataFrame(schema=schema.stored), *frames])
    return Upsert.of(schema, series, rows, rows.select(schema.index).clear()), rows.height


def _stored(series: Series) -> "Iterator[pl.DataFrame]":
    table = series.collection.table
    return table.rows(table.snapshot(), series.label)


def _check_type(file_type: str) -> None:
    if file_type not in FILE_TYPES:
        msg = f"collections are not written as {file_type!r}; take {' or '.join(FILE_TYPES)}"
        raise InvalidData(msg)
