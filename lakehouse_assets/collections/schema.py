"""What columns the rows of a collection have, and which of them tell rows apart."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from lakehouse_assets.collections.types import Type, parse_type, type_of
from lakehouse_assets.errors import InvalidData

if TYPE_CHECKING:
    import polars as pl

SERIES = "series"
"""The column of a collection's table that tells its series apart."""

KV = "kv"

# other programs that read Delta tables take no others
_NO_NAME = re.compile(r"[ ,;{}()\n\t=]|^$")


@dataclass(frozen=True)
class Column:
    """A column: its name, its type, and whether rows are sorted and found by it."""

    name: str
    type: Type
    is_index: bool = False

    def __str__(self) -> str:
        return f"{self.type.name}{'*' if self.is_index else ''}"


class Schema:
    """
    The columns of a collection; those with a `*` are its index.

    Example:
        >>> schema = Schema(timestamp="int*", value="float")
        >>> schema.index
        ['timestamp']
        >>> Schema.loads(schema.dumps()) == schema
        True
    """

    def __init__(self, **columns: str) -> None:
        """Columns in their order, by name: `int*`, `float`, `str`, `timestamp*`, `object` ..."""
        self._set([_parsed(name, text) for name, text in columns.items()], None)

    @classmethod
    def kv(cls, **columns: str) -> "Schema":
        """Columns of collections whose rows are written by key: those with a `*` are the key."""
        made = cls(**columns)
        made.kind = KV
        return made

    @classmethod
    def from_frame(cls, frame: object, idx_columns: Sequence[str] | None = None) -> "Schema":
        """The schema of a frame, or of a polars schema; all columns are its index unless some are named."""
        types = _types_of(frame)
        for name in idx_columns or []:
            if name not in types:
                msg = f"the frame has no column {name!r}; it has {', '.join(types)}"
                raise InvalidData(msg)
        index = list(types) if idx_columns is None else idx_columns
        return cls._of([Column(name, found, name in index) for name, found in types.items()])

    @classmethod
    def loads(cls, data: str | bytes | Mapping[str, object]) -> "Schema":
        """The schema that `dumps` gave, as JSON text or as what it means; InvalidData when it is none."""
        try:
            found = json.loads(data) if isinstance(data, str | bytes) else data
            told = cast("dict[str, dict[str, object]]", found["columns"])
            columns = [
                Column(name, parse_type(str(each["dt"])), bool(each["idx"])) for name, each in told.items()
            ]
            kind = found.get("kind")
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            if isinstance(exc, InvalidData):
                raise
            msg = f"not a schema of a collection: {exc}; write it by Schema.dumps()"
            raise InvalidData(msg) from exc
        if kind not in (None, KV):
            msg = f"not a kind of schema: {kind!r}; it is null or 'kv'"
            raise InvalidData(msg)
        return cls._of(columns, kind)

    @classmethod
    def _of(cls, columns: Sequence[Column], kind: str | None = None) -> "Schema":
        made = cls.__new__(cls)
        made._set(columns, kind)
        return made

    def _set(self, columns: Sequence[Column], kind: str | None) -> None:
        _check(columns)
        self.kind = kind
        self.columns = {column.name: column for column in columns}
        self.index = [column.name for column in columns if column.is_index]
        """The names of the index columns, in the order of which rows are sorted."""
        self.first = self.columns[self.index[0]]
        """The index column that rows are sorted by first."""

    def dumps(self) -> str:
        """The schema as JSON text."""
        columns = {c.name: {"dt": c.type.name, "idx": c.is_index} for c in self.columns.values()}
        return json.dumps({"kind": self.kind, "columns": columns})

    @property
    def is_kv(self) -> bool:
        """Whether rows are written by key."""
        return self.kind == KV

    @property
    def values(self) -> list[str]:
        """The names of all other columns."""
        return [column.name for column in self.columns.values() if not column.is_index]

    @property
    def stored(self) -> "pl.Schema":
        """The columns as polars holds them while they are stored."""
        import polars as pl

        return pl.Schema({name: column.type.stored for name, column in self.columns.items()})

    @property
    def given(self) -> "pl.Schema":
        """The columns as frames have them that are read."""
        import polars as pl

        return pl.Schema({name: column.type.given for name, column in self.columns.items()})

    def delta(self, *, in_series: bool = True) -> str:
        """The schema of the Delta table, as its log holds it; with the column that tells series apart."""
        fields = [(SERIES, "string")] if in_series else []
        fields += [(column.name, column.type.delta) for column in self.columns.values()]
        told = [{"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in fields]
        return json.dumps({"type": "struct", "fields": told})

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.dumps() == other.dumps()

    def __hash__(self) -> int:
        return hash(self.dumps())

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={str(column)!r}" for name, column in self.columns.items())
        return f"Schema{'.kv' if self.is_kv else ''}({told})"


def _parsed(name: str, text: str) -> Column:
    if not isinstance(text, str):
        msg = f"the column {name!r} needs the name of a type, like 'int*' or 'float', not {text!r}"
        raise InvalidData(msg)
    # lakota names codecs behind a bar: here the type decides how a column is packed
    plain = text.partition("|")[0].strip()
    is_index = plain.endswith("*") or text.rstrip().endswith("*")
    return Column(name, parse_type(plain.removesuffix("*")), is_index)


def _types_of(frame: object) -> dict[str, Type]:
    import polars as pl

    if not isinstance(frame, pl.Schema):
        from lakehouse_assets.collections.frames import as_polars

        frame = as_polars(frame).schema
    return {name: type_of(dtype) for name, dtype in frame.items()}


def _check(columns: Sequence[Column]) -> None:
    """InvalidData unless a table can have these columns."""
    index = [column for column in columns if column.is_index]
    if not index:
        msg = "a schema needs an index: mark the columns that rows are sorted by with a '*', like 'int*'"
        raise InvalidData(msg)
    for column in index:
        if not column.type.can_be_index:
            msg = f"rows cannot be sorted by {column.name!r}, which is {column.type.name}; take the '*' away"
            raise InvalidData(msg)
    names = [column.name for column in columns]
    for name in names:
        if _NO_NAME.search(name):
            msg = f"not a name of a column: {name!r}; write it without spaces, commas and brackets"
            raise InvalidData(msg)
        if name.lower() == SERIES:
            msg = f"a column cannot be called {name!r}: that one tells series apart; take another name"
            raise InvalidData(msg)
    if len({name.lower() for name in names}) < len(names):
        msg = "two columns have the same name, but for capitals, which other programs do not tell apart"
        raise InvalidData(msg)
