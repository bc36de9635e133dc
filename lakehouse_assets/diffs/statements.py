"""Statements that came or went from one version of the table to another: exact, and by ranges."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from lakehouse_assets.diffs.kinds import ADD, DEL, OP
from lakehouse_assets.errors import NotFound
from lakehouse_assets.exports.aligned import aligned
from lakehouse_assets.exports.statements_csv import COLUMNS, HEADER, render_statements
from lakehouse_assets.exports.statements_parquet import write_parquet
from lakehouse_assets.exports.text import buffers, concat
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.datafiles import DataFile, Snapshot
from lakehouse_assets.statements.reader import Reader
from lakehouse_assets.storage.digest import Sink

if TYPE_CHECKING:
    import polars as pl

MOST_ROWS = 1_000_000
"""Rows of files that only one version has, up to which the entities in them are looked up; of more, all are read."""

_CONTENT = [name for name in COLUMNS if name not in (s.FIRST_SEEN, s.LAST_SEEN)]
_ORDER = [*s.ROW_ORDER, OP]


class StatementChanges:
    """
    What came and went between two versions of the statements: whole rows, as statements.csv has them.

    A row that is the same but for its times did not change. `counts` says how many have been given out, by `ADD` and
    `DEL`.

    Example:
        >>> changes = dataset.differences.statements(3, 7)
        >>> for block in changes.csv(): ...
        >>> changes.counts
        Counter({'ADD': 12, 'DEL': 3})
    """

    def __init__(self, before: Reader, after: Reader, *, since: int, until: int) -> None:
        """`since` and `until` are the versions of the table that are read."""
        self.since = since
        self.until = until
        self.counts: Counter[str] = Counter()
        self._before = before
        self._after = after

    def csv(self) -> Iterator[bytes]:
        """Blocks of CSV: the columns of statements.csv behind `op`."""
        frames = self.frames()
        first = next(frames, None)
        yield b'"op",' + HEADER
        for rows in chain([] if first is None else [first], frames):
            lines = rows.select(concat(['"', _column(rows, OP), '",', _literal(render_statements(rows))]))
            for buffer in buffers(lines.to_series()):
                yield bytes(buffer)

    def parquet(self, file: Sink) -> int:
        """Write the same as parquet, to anything that takes bytes; returns how many rows."""
        return write_parquet(self.frames(), file, first=[OP])

    def frames(self) -> "Iterator[pl.DataFrame]":
        """The rows with their `op`, by (shard, bucket) and entity id; of a row that changed, the old one first."""
        with self._before.held() as old, self._after.held() as new:
            self._check_files(old, new)
            for place in sorted(_places(old) | _places(new)):
                for rows in self._changed(place, _files(old, place), _files(new, place)):
                    self.counts.update(dict(rows[OP].value_counts(name="count").iter_rows()))
                    yield rows

    def _check_files(self, old: Snapshot | None, new: Snapshot | None) -> None:
        """NotFound when a vacuum took files that only one version has, before anything is given out."""
        sides = [{file.key for file in snapshot.files} if snapshot else set[str]() for snapshot in (old, new)]
        for version, keys in ((self.since, sides[0] - sides[1]), (self.until, sides[1] - sides[0])):
            if any(not self._after.table.location.exists(key) for key in keys):
                msg = (
                    f"version {version} of the statements cannot be read any more, a vacuum took some of its files; "
                    "ask for a later one"
                )
                raise NotFound(msg)

    def _changed(
        self, place: tuple[str, str], old: dict[str, DataFile], new: dict[str, DataFile]
    ) -> "Iterator[pl.DataFrame]":
        """What differs in one shard and bucket; files that both versions have differ in nothing."""
        gone = [file for key, file in old.items() if key not in new]
        come = [file for key, file in new.items() if key not in old]
        if not gone and not come:
            return
        among = self._entities(gone, come)
        shards, buckets = {place[0]}, {place[1]}
        sides = [
            reader.scan(COLUMNS, shards=shards, buckets=buckets, among=among)
            for reader in (self._before, self._after)
        ]
        for before, after in aligned(sides, s.ENTITY_ID):
            rows = _differing(before, after)
            if len(rows):
                yield rows

    def _entities(self, gone: list[DataFile], come: list[DataFile]) -> "pl.Series | None":
        """The ids in files that only one version has: what counts is settled entity by entity. None if too many."""
        import polars as pl

        if sum(file.rows for file in (*gone, *come)) > MOST_ROWS:
            return None
        ids = [pl.Series(s.ENTITY_ID, [], dtype=pl.String)]
        for reader, files in ((self._before, gone), (self._after, come)):
            ids += [rows[s.ENTITY_ID].unique() for rows in reader.rows_of(files, [s.ENTITY_ID])]
        return pl.concat(ids).unique().sort()


def _differing(before: "pl.DataFrame | None", after: "pl.DataFrame | None") -> "pl.DataFrame":
    """The rows of some entities that only one side has."""
    import polars as pl

    if before is None or after is None:
        rows = [_told(rows, op) for rows, op in ((before, DEL), (after, ADD)) if rows is not None]
    else:
        rows = [
            _told(before.join(after, on=_CONTENT, how="anti", nulls_equal=True), DEL),
            _told(after.join(before, on=_CONTENT, how="anti", nulls_equal=True), ADD),
        ]
    return pl.concat(rows).sort(_ORDER, descending=[name == OP for name in _ORDER], nulls_last=False)


def _told(rows: "pl.DataFrame", op: str) -> "pl.DataFrame":
    import polars as pl

    return rows.with_columns(pl.lit(op).alias(OP))


def _places(snapshot: Snapshot | None) -> set[tuple[str, str]]:
    return {(file.partition.shard, file.partition.bucket) for file in snapshot.files} if snapshot else set()


def _files(snapshot: Snapshot | None, place: tuple[str, str]) -> dict[str, DataFile]:
    """The files of one shard and bucket by their keys."""
    if snapshot is None:
        return {}
    return {
        file.key: file for file in snapshot.files if (file.partition.shard, file.partition.bucket) == place
    }


def _column(rows: "pl.DataFrame", name: str) -> "pl.Expr":
    return _literal(rows[name])


def _literal(column: "pl.Series") -> "pl.Expr":
    import polars as pl

    return pl.lit(column)
