"""Importing entities and statements: lines and rows in, one Delta commit out."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.statements.assemble import assemble
from lakehouse_assets.statements.clean import ValueCleaner
from lakehouse_assets.statements.columns import EntitySource, entities_of
from lakehouse_assets.statements.csv_rows import read_csv
from lakehouse_assets.statements.explode import Stamp, Tally, explode, state
from lakehouse_assets.statements.inputs import Format, Meter, Source, read_chunks, recognize
from lakehouse_assets.statements.lines import BadLine, place, read_blocks
from lakehouse_assets.statements.parquet_rows import read_parquet
from lakehouse_assets.statements.parse import identify, parse
from lakehouse_assets.statements.rows import check_rows
from lakehouse_assets.statements.sorting import ROW_BLOCK_BYTES, LineSorter
from lakehouse_assets.statements.stage import Staging
from lakehouse_assets.statements.vocabulary import vocabulary
from lakehouse_assets.storage.sql import Sql

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

log = logging.getLogger(__name__)

Inputs = Sequence[Source | EntitySource]
"""What an import reads: lines and rows, or entities in columns."""

Revive = Callable[["pl.DataFrame"], "pl.DataFrame"]
"""Gives rows that a tombstone would hide a newer time."""


@dataclass
class Imported:
    """
    What an import did. `rejected` and `unknown` count values by `Schema.property`, `deleted` rows that were replaced.
    """

    entities: int = 0
    rows: int = 0
    bytes: int = 0
    bad_lines: int = 0
    deleted: int = 0
    stripped_ids: int = 0
    empty_values: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)


class BadLines:
    """Counts bad lines and hands them on with the names of their files; refuses the first when strict or alone."""

    def __init__(
        self, sources: Inputs, keep: Callable[[str, int, BadLine], None] | None, *, strict: bool
    ) -> None:
        self._sources = sources
        self._keep = keep
        self._strict = strict
        self.count = 0
        self.first = ""

    def __call__(self, bad: BadLine) -> None:
        """Take a bad line; InvalidData when strict."""
        file, line = place(bad.position)
        name = self._sources[file].name
        if self._strict or self._keep is None:
            msg = f"{name}, line {line}: {bad.reason}. Nothing was imported; mend the line or leave out --strict"
            raise InvalidData(msg)
        self.count += 1
        self.first = self.first or f"{name}, line {line}: {bad.reason}"
        self._keep(name, line, bad)


@dataclass(frozen=True)
class Advance:
    """How far an import is: lines done of those found so far, and bytes read of those there are, if that is known."""

    done: int
    lines: int
    read: int
    size: int | None


class Intake:
    """
    Takes in entities and statements, and writes their rows to a staging.

    Lines and rows of all inputs are sorted by entity first, so that each partition gets one sorted file of each kind.
    """

    def __init__(
        self,
        sources: Inputs,
        *,
        stamp: Stamp,
        trusted: bool,
        on_bad: BadLines,
        revive: Revive,
        temp_directory: str | None,
        progress: Callable[[Advance], None],
    ) -> None:
        self._sources = sources
        self._stamp = stamp
        self._words = vocabulary()
        self._cleaner = None if trusted else ValueCleaner(self._words)
        self._allow_nul = not trusted
        self._on_bad = on_bad
        self._revive = revive
        self._temp_directory = temp_directory
        self._progress = progress
        self._sql = Sql()
        self._tally = Tally()
        self._meter = Meter.of(sources)
        self._lines = self._done = 0
        self._result = Imported()

    def stage(self, staging: Staging) -> Imported:
        """Read everything; nothing is visible before the files of the staging are committed."""
        result, tally = self._result, self._tally
        with (
            LineSorter(self._temp_directory) as lines,
            LineSorter(self._temp_directory, block_bytes=ROW_BLOCK_BYTES) as rows,
            LineSorter(self._temp_directory) as columns,
        ):
            for number, source in enumerate(self._sources):
                if isinstance(source, EntitySource):
                    self._take(source, columns)
                else:
                    self._read(number, source, lines, rows)
            for table in lines.blocks():
                self._write(self._exploded(table), len(table), staging)
            staging.finish()
            for table in rows.blocks():
                self._write(self._assembled(table), len(table), staging)
            staging.finish()
            for table in columns.blocks():
                self._write(self._stated(table), len(table), staging)
            staging.finish()
        result.bytes = self._meter.plain
        result.entities = tally.entities
        result.bad_lines = self._on_bad.count
        result.empty_values = tally.empty
        result.rejected, result.unknown = tally.rejected, tally.unknown
        if result.stripped_ids:
            log.info("%s ids carried the signature of a namespace, which was taken off", result.stripped_ids)
        return result

    def _read(self, number: int, source: Source, lines: LineSorter, rows: LineSorter) -> None:
        """Sort what one input holds."""
        found, chunks = recognize(source, read_chunks(source, self._meter))
        if found is Format.entities:
            for block in read_blocks(chunks, number, self._on_bad):
                identified = identify(block, self._sql, self._on_bad)
                self._result.stripped_ids += identified.stripped
                self._took(len(block))
                if identified.table.num_rows:
                    lines.add(identified.table)
            return
        raw_rows = (
            read_csv(source.name, chunks, number, self._on_bad)
            if found is Format.csv
            else read_parquet(source, chunks, number, self._temp_directory)
        )
        for raw in raw_rows:
            table = check_rows(
                raw, self._words, on_bad=self._on_bad, tally=self._tally, allow_nul=self._allow_nul
            )
            self._took(len(table))
            if table.num_rows:
                rows.add(table)

    def _take(self, source: EntitySource, columns: LineSorter) -> None:
        """Sort entities that are in columns already."""
        for table in source.tables():
            self._took(len(table))
            if table.num_rows:
                columns.add(table)

    def _took(self, lines: int) -> None:
        self._lines += lines
        self._progress(Advance(0, self._lines, self._meter.taken, self._meter.size))

    def _exploded(self, table: "pa.Table") -> "pl.DataFrame":
        def quoting(bad: BadLine) -> None:
            self._on_bad(replace(bad, text=_line_at(table, bad.position)))

        return explode(
            parse(table, self._sql, self._on_bad, allow_nul=self._allow_nul),
            self._sql,
            stamp=self._stamp,
            words=self._words,
            cleaner=self._cleaner,
            tally=self._tally,
            on_bad=quoting,
        )

    def _assembled(self, table: "pa.Table") -> "pl.DataFrame":
        return assemble(
            table,
            self._sql,
            stamp=self._stamp,
            words=self._words,
            cleaner=self._cleaner,
            tally=self._tally,
        )

    def _stated(self, table: "pa.Table") -> "pl.DataFrame":
        entities, values = entities_of(table)
        return state(entities, values, self._sql, stamp=self._stamp, words=self._words, tally=self._tally)

    def _write(self, rows: "pl.DataFrame", lines: int, staging: Staging) -> None:
        rows = self._revive(rows)
        staging.write(rows)
        self._result.rows += len(rows)
        self._done += lines
        self._progress(Advance(self._done, self._lines, self._meter.taken, self._meter.size))


def _line_at(table: "pa.Table", position: int) -> bytes:
    import pyarrow.compute as pc

    found = table["line"].filter(pc.equal(table["position"], position))
    return str(found[0].as_py()).encode()
