"""Statements that fit a question, in the order of exports/statements.csv."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lakehouse_assets.operations.names import check_bucket, check_prop, check_schema
from lakehouse_assets.operations.queries import first_seen_since
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.reader import Reader

if TYPE_CHECKING:
    import polars as pl

_LOOK_UPS = 100


@dataclass(frozen=True)
class Selection:
    """
    What is asked of statements, all of it: to be about some entities, of an origin, bucket, schema or property, or
    first seen at or after a time.

    InvalidData when a name can only be a typo.

    Example:
        >>> for block in dataset.statements_csv(Selection(origin="leak", prop="name")): ...
    """

    ids: Collection[str] | None = None
    origin: str | None = None
    bucket: str | None = None
    schema: str | None = None
    prop: str | None = None
    changed_since: datetime | None = None

    def __post_init__(self) -> None:
        if self.schema is not None:
            check_schema(self.schema)
        if self.prop is not None:
            check_prop(self.prop)
        if self.bucket is not None:
            check_bucket(self.bucket)

    def conditions(self) -> "list[pl.Expr]":
        """What has to hold for a row."""
        import polars as pl

        found = [
            pl.col(name) == wanted
            for name in (s.ORIGIN, s.BUCKET, s.SCHEMA, s.PROP)
            if (wanted := getattr(self, name)) is not None
        ]
        if self.changed_since is not None:
            found.append(first_seen_since(self.changed_since))
        return found


ALL = Selection()


def selected_rows(reader: Reader, selection: Selection, columns: Sequence[str]) -> "Iterator[pl.DataFrame]":
    """The rows that fit, with these columns; partitions and columns that the question leaves out are not read."""
    conditions = selection.conditions()
    asked = [name for condition in conditions for name in condition.meta.root_names()]
    for rows in _rows(reader, selection, list(dict.fromkeys([*columns, *asked, s.ENTITY_ID]))):
        fitting = rows.filter(*conditions) if conditions else rows
        if len(fitting):
            yield fitting.select(columns)


def _rows(reader: Reader, selection: Selection, columns: Sequence[str]) -> "Iterator[pl.DataFrame]":
    """All rows of the partitions and entities that are asked for."""
    import polars as pl

    ids = None if selection.ids is None else sorted(set(selection.ids))
    if ids is not None and len(ids) <= _LOOK_UPS:
        found = reader.entities(ids, list(dict.fromkeys([*columns, s.SHARD, s.BUCKET])))
        yield found.sort(s.SHARD, s.BUCKET, s.ENTITY_ID, maintain_order=True)
        return
    yield from reader.scan(
        columns,
        buckets=None if selection.bucket is None else [selection.bucket],
        origins=None if selection.origin is None else [selection.origin],
        among=None if ids is None else pl.Series(ids, dtype=pl.String),
    )
