"""Small tables and mappings for tests."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl

from lakehouse_assets.mapping.config import DatasetMapping, FileOptions
from lakehouse_assets.mapping.opening import open_table
from lakehouse_assets.mapping.tables import BadRow

HASH = "5a" * 32
HEADER = ["id", "name", "country"]
ROWS = [["1", "Müller & Söhne", "de"], ["2", "Société Générale", "fr"], ["3", "Acme, Inc.", "us"]]


def csv_bytes(
    rows: Sequence[Sequence[str]] = (HEADER, *ROWS), *, encoding: str = "utf-8", **dialect: Any
) -> bytes:
    """A CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, **dialect).writerows(rows)
    return text.getvalue().encode(encoding)


def write(folder: Path, data: bytes, name: str = "table") -> Path:
    """A file, by default with a name that tells nothing."""
    path = folder / name
    path.write_bytes(data)
    return path


def workbook(folder: Path, **sheets: Sequence[Sequence[object]]) -> Path:
    """An xlsx workbook with some sheets."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    path = folder / "book.xlsx"
    book.save(path)
    return path


def read(
    path: Path, *, likely: Sequence[str] = ("name",), columns: Sequence[str] = HEADER, **options: object
) -> tuple[list[tuple[int, ...]], list[BadRow], dict[str, str]]:
    """The rows of a table, each with its number in front, the bad ones, and how it was read."""
    rows: list[tuple[Any, ...]] = []
    bad: list[BadRow] = []
    with open_table(path, FileOptions.model_validate(options), likely=likely, name=path.name) as table:
        for batch in table.batches(columns):
            rows += zip(batch.numbers, *batch.cells.to_dict(as_series=False).values(), strict=True)
            bad += batch.bad
        return rows, bad, dict(table.description)


def mapping(**changes: Any) -> DatasetMapping:
    """A mapping of the columns of `HEADER` to companies."""
    properties = {"name": {"column": "name"}, "country": {"column": "country"}}
    company = {"schema": "Company", "keys": ["id"], "properties": properties}
    values = {"dataset": "acme", "content_hash": HASH, "queries": [{"entities": {"company": company}}]}
    return DatasetMapping.model_validate({**values, **changes})


MAPPING = """\
acme:
  queries:
    - csv_url: https://example.org/companies.csv
      entities:
        company:
          schema: Company
          keys: [id]
          properties:
            name: {column: name}
            country: {column: country}
"""
