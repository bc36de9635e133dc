"""
References to entities that are in no dataset of the lake, and to no archived file either.

References are taken in batches of bounded size, and each batch is held against the sorted ids of every dataset, range
by range: memory does not grow with the lake.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse_assets.errors import LakehouseError
from lakehouse_assets.operations.findings import Finding, Row
from lakehouse_assets.operations.repositories import Repositories
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.reader import Reader

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

BATCH = 1_000_000
"""References held at once, at some 150 bytes each; each batch reads the ids of the lake once."""

MAX_NAMED = 5
"""How many examples a property has."""

_NUMBER = "number"
_SHA256 = "^[0-9a-f]{64}$"
_KEY = [s.SCHEMA, s.PROP, s.VALUE]


@dataclass(frozen=True)
class Dangling:
    """The references of one property (`Ownership.owner`): how many, how many dangle, and some of those."""

    property: str
    references: int
    dangling: int
    examples: tuple[str, ...]
    """As `entity -> missing id`."""


@dataclass(frozen=True)
class References:
    """What all references of a dataset come to; `unread` are datasets of the lake that could not be looked into."""

    properties: tuple[Dangling, ...]
    unread: tuple[str, ...] = ()


def find_dangling(parts: Repositories) -> References:
    """Count the references of a dataset, and those to entities that neither it nor another dataset has."""
    references: Counter[str] = Counter()
    dangling: Counter[str] = Counter()
    examples: dict[str, list[str]] = defaultdict(list)
    unread: set[str] = set()
    for batch in _batches(parts.store.reader):
        _add(references, batch)
        missing = batch.filter(~_found(batch, parts, unread))
        _add(dangling, missing)
        for schema, prop, target, entity_id in missing.select(*_KEY, s.ENTITY_ID).iter_rows():
            named = examples[f"{schema}.{prop}"]
            if len(named) < MAX_NAMED:
                named.append(f"{entity_id} -> {target}")
    return References(
        tuple(
            Dangling(name, references[name], dangling[name], tuple(examples[name]))
            for name in sorted(references, key=lambda name: (-dangling[name], name))
        ),
        tuple(sorted(unread)),
    )


def check_references(parts: Repositories) -> Finding:
    """Whether every reference leads to an entity of some dataset."""
    found = find_dangling(parts)
    dangling = sum(each.dangling for each in found.properties)
    metadata: dict[str, int | float | str] = {
        "references": sum(each.references for each in found.properties),
        "dangling": dangling,
        "properties": sum(each.dangling > 0 for each in found.properties),
    }
    if found.unread:
        metadata["unread_datasets"] = ", ".join(found.unread)
    table: list[Row] = [
        {
            "property": each.property,
            "references": each.references,
            "dangling": each.dangling,
            "examples": ", ".join(each.examples),
        }
        for each in found.properties
        if each.dangling
    ]
    return Finding(dangling == 0, metadata, table)


def _batches(reader: Reader) -> "Iterator[pl.DataFrame]":
    """References by schema, property and target, with their number and one entity that has it."""
    import polars as pl

    columns = [s.ENTITY_ID, s.SCHEMA, s.PROP, s.PROP_TYPE, s.VALUE]
    held: list[pl.DataFrame] = []
    for rows in reader.scan(columns):
        rows = rows.filter(pl.col(s.PROP_TYPE) == "entity")
        # what several origins say is one reference
        rows = rows.unique([s.ENTITY_ID, *_KEY])
        held.append(_grouped(rows.with_columns(pl.lit(1, pl.UInt32).alias(_NUMBER))))
        if sum(map(len, held)) >= BATCH:
            yield _grouped(pl.concat(held))
            held = []
    if held:
        yield _grouped(pl.concat(held))


def _grouped(rows: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    return rows.group_by(_KEY).agg(pl.col(_NUMBER).sum(), pl.col(s.ENTITY_ID).min()).sort(s.VALUE, *_KEY[:2])


def _found(batch: "pl.DataFrame", parts: Repositories, unread: set[str]) -> "pl.Series":
    """Which references of a batch, sorted by target, lead to an entity of the lake: of this dataset, or of another."""
    import polars as pl

    targets = batch[s.VALUE]
    found = _among(targets, parts.store.reader)
    for name, reader in parts.others():
        missing = (~found).arg_true()
        if not len(missing):
            break
        try:
            again = _among(targets.gather(missing), reader())
        except LakehouseError as exc:
            log.warning("references to %s cannot be followed: %s", name, exc)
            unread.add(name)
            continue
        found = found.scatter(missing.filter(again), True)
    missing = (~found).arg_true()
    found = found.scatter(missing.filter(_archived(targets.gather(missing), parts)), True)
    return found if len(found) else pl.Series([], dtype=pl.Boolean)


def _archived(targets: "pl.Series", parts: Repositories) -> "pl.Series":
    """Which of these are checksums of archived files: what a mapping makes names its table by it, as its proof."""
    import polars as pl

    checksums = targets.filter(targets.str.contains(_SHA256)).unique()
    there = pl.Series([each for each in checksums if parts.archive.exists(each)], dtype=pl.String)
    return targets.is_in(there.implode())


def _among(targets: "pl.Series", reader: Reader) -> "pl.Series":
    """Which of these sorted ids a reader has an entity of."""
    import numpy as np
    import polars as pl

    found = np.zeros(len(targets), dtype=np.bool_)
    for rows in reader.scan([s.ENTITY_ID]):
        ids = rows[s.ENTITY_ID].unique().sort()
        start = targets.search_sorted(str(ids[0]), "left")
        end = targets.search_sorted(str(ids[-1]), "right")
        if start < end:
            found[start:end] |= targets[start:end].is_in(ids.implode()).to_numpy()
    return pl.Series(found)


def _add(counts: Counter[str], batch: "pl.DataFrame") -> None:
    import polars as pl

    summed = batch.group_by(s.SCHEMA, s.PROP).agg(pl.col(_NUMBER).sum())
    counts.update({f"{schema}.{prop}": number for schema, prop, number in summed.iter_rows()})
