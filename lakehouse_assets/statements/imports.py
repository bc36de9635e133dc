"""Importing entities: lines in, one Delta commit out."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.statements.clean import ValueCleaner
from lakehouse_assets.statements.explode import Stamp, Tally, explode
from lakehouse_assets.statements.lines import BadLine, OnBad, Source, place, read_blocks
from lakehouse_assets.statements.parse import identify, parse
from lakehouse_assets.statements.sorting import LineSorter
from lakehouse_assets.statements.stage import Staging
from lakehouse_assets.statements.vocabulary import vocabulary

if TYPE_CHECKING:
    import duckdb
    import polars as pl
    import pyarrow as pa

log = logging.getLogger(__name__)

Revive = Callable[["pl.DataFrame"], "pl.DataFrame"]
"""Gives rows that a tombstone would hide a newer time."""


@dataclass
class Imported:
    """What an import did. `rejected` and `unknown` count values by `Schema.property`."""

    entities: int = 0
    rows: int = 0
    bytes: int = 0
    bad_lines: int = 0
    stripped_ids: int = 0
    empty_values: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)


class BadLines:
    """Counts bad lines and hands them on with the names of their files; refuses the first when strict."""

    def __init__(
        self, sources: Sequence[Source], keep: Callable[[str, int, BadLine], None], *, strict: bool
    ) -> None:
        self._sources = sources
        self._keep = keep
        self._strict = strict
        self.count = 0

    def __call__(self, bad: BadLine) -> None:
        """Take a bad line; InvalidData when strict."""
        file, line = place(bad.position)
        name = self._sources[file].name
        if self._strict:
            msg = f"{name}, line {line}: {bad.reason}. Nothing was imported; mend the line or leave out --strict"
            raise InvalidData(msg)
        self.count += 1
        self._keep(name, line, bad)


def stage_entities(
    sources: Sequence[Source],
    staging: Staging,
    *,
    stamp: Stamp,
    trusted: bool,
    on_bad: BadLines,
    revive: Revive,
    temp_directory: str | None,
    progress: Callable[[int, int], None],
) -> Imported:
    """
    Read lines, and write their rows to `staging`; nothing is visible before its files are committed.

    `progress` hears of the lines done and of the rows made of them.
    """
    words = vocabulary()
    cleaner = None if trusted else ValueCleaner(words)
    result, tally = Imported(), Tally()
    con = connect()
    lines = 0

    def count(read: int) -> None:
        result.bytes += read

    def quoting(table: "pa.Table") -> OnBad:
        return lambda bad: on_bad(replace(bad, text=_line_at(table, bad.position)))

    with LineSorter(temp_directory) as sorter:
        for block in read_blocks(sources, on_bad, count):
            found = identify(block, con, on_bad)
            result.stripped_ids += found.stripped
            lines += len(block)
            progress(0, lines)
            if found.table.num_rows:
                sorter.add(found.table)
        done = 0
        for table in sorter.blocks():
            entities = parse(table, con, on_bad, allow_nul=not trusted)
            rows = explode(
                entities, con, stamp=stamp, words=words, cleaner=cleaner, tally=tally, on_bad=quoting(table)
            )
            rows = revive(rows)
            staging.write(rows)
            result.rows += len(rows)
            done += table.num_rows
            progress(done, lines)
    result.entities = tally.entities
    result.bad_lines = on_bad.count
    result.empty_values = tally.empty
    result.rejected, result.unknown = tally.rejected, tally.unknown
    if result.stripped_ids:
        log.info("%s ids carried the signature of a namespace, which was taken off", result.stripped_ids)
    return result


def _line_at(table: "pa.Table", position: int) -> bytes:
    import pyarrow.compute as pc

    found = table["line"].filter(pc.equal(table["position"], position))
    return str(found[0].as_py()).encode()


def connect() -> "duckdb.DuckDBPyConnection":
    """A DuckDB of our own that keeps the order of rows and never touches the disk."""
    import duckdb

    return duckdb.connect(
        config={"preserve_insertion_order": "true", "autoinstall_known_extensions": "false"}
    )
