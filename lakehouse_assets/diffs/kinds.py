"""What differences are kept of, and what they look like."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.exports.digests import ID, PATH
from lakehouse_assets.exports.documents import FIELDS, HEADER
from lakehouse_assets.exports.index import CSV
from lakehouse_assets.exports.text import concat, csv_text, json_escaped
from lakehouse_assets.model import deltas

if TYPE_CHECKING:
    import polars as pl

OP = "op"
ADD = "ADD"
MOD = "MOD"
DEL = "DEL"

_JSON_LINES = "application/json+ftm"
_LEAD = b'{"op":"ADD","entity":'


@dataclass(frozen=True)
class Entry:
    """One change of a file: what is done, to which line of the export, and the line itself unless it is deleted."""

    op: str
    id: str
    path: str
    line: bytes | None


class Form(Protocol):
    """How changes are written, whichever program reads them."""

    @property
    def header(self) -> bytes:
        """What the file begins with."""

    @property
    def lead(self) -> int:
        """How many bytes stand before a line of the export."""

    @property
    def end(self) -> bytes:
        """How a line of the export ends, which is not part of what is told of it."""

    def begins(self, changes: "pl.DataFrame") -> "pl.Series":
        """What the line of each change begins with."""

    def render(self, changes: "pl.DataFrame", lines: "pl.Series") -> "pl.Series":
        """Changes with the lines of the export, without their ends; null for what is deleted."""

    def read(self, file: BinaryIO) -> Iterator[Entry]:
        """The changes of a file."""


class JsonForm:
    """`{"op":"ADD","entity":{...}}`, one a line."""

    header = b""
    lead = len(_LEAD)
    end = b"\n"

    def begins(self, changes: "pl.DataFrame") -> "pl.Series":
        """An entity begins with its id."""
        return changes.select(concat(['{"id":"', _literal(json_escaped(changes[ID])), '"'])).to_series()

    def render(self, changes: "pl.DataFrame", lines: "pl.Series") -> "pl.Series":
        """Each change as a line; of what is deleted only the id is told."""
        import polars as pl

        told = pl.coalesce(_literal(lines), concat(['{"id":"', _literal(json_escaped(changes[ID])), '"}']))
        return changes.select(concat(['{"op":"', pl.col(OP), '","entity":', told, "}\n"])).to_series()

    def read(self, file: BinaryIO) -> Iterator[Entry]:
        """The changes of a file; what ftm-lakehouse writes, too."""
        import orjson

        for line in file:
            start = line.find(b'"entity":') + len(b'"entity":')
            try:
                found = orjson.loads(line)
                op, entity_id = found[OP], found["entity"]["id"]
            except (ValueError, KeyError, TypeError) as exc:
                msg = f"not a change of an entity: {line[:100]!r}"
                raise InvalidData(msg) from exc
            yield Entry(op, entity_id, "", None if op == DEL else line.rstrip()[start:-1])


class CsvForm:
    """The line of documents.csv, behind a first column `op`."""

    header = b"op," + HEADER
    lead = len(b"ADD,")
    end = b"\r\n"

    def begins(self, changes: "pl.DataFrame") -> "pl.Series":
        """A file begins with its id."""
        return changes.select(concat([csv_text(changes[ID]), ","])).to_series()

    def render(self, changes: "pl.DataFrame", lines: "pl.Series") -> "pl.Series":
        """Each change as a line; of what is deleted id and folder are told."""
        import polars as pl

        known = {"id": csv_text(changes[ID]), "path": csv_text(changes[PATH])}
        pieces: list[str | pl.Expr] = []
        for name in FIELDS:
            pieces += [known.get(name, ""), ","]
        told = pl.coalesce(_literal(lines), concat(pieces[:-1]))
        return changes.select(concat([pl.col(OP), ",", told, "\r\n"])).to_series()

    def read(self, file: BinaryIO) -> Iterator[Entry]:
        """The changes of a file; what ftm-lakehouse writes, too."""
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        for row in csv.DictReader(text):
            if OP not in row or ID not in row:
                msg = "not a list of changed documents: it has no column op or id"
                raise InvalidData(msg)
            yield Entry(row[OP], row[ID], row.get(PATH) or "", None if row[OP] == DEL else _line(row))


def _line(row: dict[str, str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([row.get(name) or "" for name in FIELDS])
    return line.getvalue().encode()


def _literal(column: "pl.Series") -> "pl.Expr":
    import polars as pl

    return pl.lit(column)


@dataclass(frozen=True)
class DiffKind:
    """
    One chain of differences.

    `target` is its folder, `export` the file whose lines it compares, `artifact` the export that writes that file;
    `keys` are the columns that name a line.
    """

    name: deltas.Kind
    artifact: str
    target: str
    export: str
    keys: tuple[str, ...]
    is_compressed: bool
    mime_type: str
    form: Form


ENTITIES = DiffKind(
    name="entities",
    artifact="entities",
    target=layout.DIFF_ENTITIES,
    export=layout.ENTITIES,
    keys=(ID,),
    is_compressed=True,
    mime_type=_JSON_LINES,
    form=JsonForm(),
)
DOCUMENTS = DiffKind(
    name="documents",
    artifact="documents",
    target=layout.DIFF_DOCUMENTS,
    export=layout.DOCUMENTS,
    keys=(ID, PATH),
    is_compressed=False,
    mime_type=CSV,
    form=CsvForm(),
)
CRAWLED = DiffKind(
    name="documents.crawl",
    artifact="documents",
    target=layout.DIFF_DOCUMENTS_CRAWL,
    export=layout.DOCUMENTS_CRAWL,
    keys=(ID, PATH),
    is_compressed=False,
    mime_type=CSV,
    form=CsvForm(),
)
KINDS = (ENTITIES, DOCUMENTS, CRAWLED)


def kinds_of(artifact: str) -> list[DiffKind]:
    """The chains of an export: of documents two, of statements none."""
    return [kind for kind in KINDS if kind.artifact == artifact]


def kind_of(name: deltas.Kind) -> DiffKind:
    """The chain of this name."""
    return next(kind for kind in KINDS if kind.name == name)
