"""Entities that a program hands over, as inputs of an import."""

import csv
import io
import json
import tempfile
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, BinaryIO, cast

import orjson

from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.inputs import Format, Source
from lakehouse_assets.storage.spilling import spilling

if TYPE_CHECKING:
    from followthemoney.proxy import EntityProxy
    from followthemoney.statement.entity import StatementEntity
    from followthemoney.statement.statement import Statement

    Given = Iterable[EntityProxy | Mapping[str, object]]

_COLUMNS = [
    s.ENTITY_ID, s.SCHEMA, s.PROP, s.VALUE, s.ORIGINAL_VALUE, s.LANG, s.ORIGIN, s.EXTERNAL, s.FIRST_SEEN, s.LAST_SEEN,
]  # fmt: skip
_HELD = 8 << 20
# what plain JSON does not know is no entity
_AS_JSON = (
    orjson.OPT_APPEND_NEWLINE
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


def given_sources(entities: "Given") -> list[Source]:
    """
    Mappings and proxies as lines of JSON, and after them the statements of those entities that consist of statements.

    The entities are taken one by one while the first source is read; statements wait in a temporary file.
    """
    statements = GivenStatements()
    lines = Source("the entities given", lambda: io.BufferedReader(_Lines(entities, statements)))
    return [lines, Source("the statements given", statements.open, format=Format.csv)]


class GivenStatements:
    """A CSV of statements that is written first and read once."""

    def __init__(self, temp_directory: str | None = None) -> None:
        self._file = tempfile.SpooledTemporaryFile(_HELD, prefix="lakehouse-given-", dir=temp_directory)  # noqa: SIM115
        self._text: io.TextIOWrapper | None = None

    def take(self, entity: "StatementEntity") -> None:
        """Write the statements of an entity."""
        if self._text is None:
            # half a character goes on to be refused like in any file
            self._text = io.TextIOWrapper(
                cast(BinaryIO, self._file), encoding="utf-8", errors="surrogatepass", newline=""
            )
            self._writer = csv.writer(self._text, dialect=csv.unix_dialect)
            self._writer.writerow(_COLUMNS)
        self._writer.writerows(_cells(statement) for statement in entity.statements)

    def open(self) -> BinaryIO:
        """All of it, from the start; closing it removes it."""
        if self._text is not None:
            self._text.flush()
            self._text.detach()
        self._file.seek(0)
        return cast(BinaryIO, self._file)


def _cells(statement: "Statement") -> list[object]:
    return [
        statement.entity_id,
        statement.schema,
        statement.prop,
        statement.value,
        statement.original_value,
        statement.lang,
        statement.origin,
        "true" if statement.external else "false",
        statement.first_seen,
        statement.last_seen,
    ]


class _Lines(io.RawIOBase):
    """Entities as a file of JSON lines, made as it is read."""

    def __init__(self, entities: "Given", statements: GivenStatements) -> None:
        self._entities = iter(entities)
        self._statements = statements
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while len(self._rest) < len(buffer):
            entity = next(self._entities, None)
            if entity is None:
                break
            self._rest += line_of(entity, self._statements)
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def line_of(entity: "EntityProxy | Mapping[str, object]", statements: GivenStatements) -> bytes:
    """An entity as a line of JSON; nothing for one whose statements say more than a line can: they are taken."""
    if isinstance(entity, Mapping):
        data = dict(entity)
    elif entity.id is not None and hasattr(entity, "statements"):
        with spilling(None):
            statements.take(cast("StatementEntity", entity))
        return b""
    else:
        data = entity.to_dict()
    try:
        return orjson.dumps(data, option=_AS_JSON)
    except TypeError:
        # half a character, a number beyond 64 bits: the parser of the import decides
        return json.dumps(data, ensure_ascii=False).encode(errors="surrogatepass") + b"\n"
