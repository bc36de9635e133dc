"""Opens the table in a file of any kind; which kind it is, its content tells."""

import shutil
import tempfile
import zipfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lakehouse_assets.errors import InvalidData
from lakehouse_assets.mapping.config import FileOptions
from lakehouse_assets.mapping.tables import Table, reading
from lakehouse_assets.storage.compression import decompressed


@contextmanager
def open_table(
    path: Path, options: FileOptions | None = None, *, likely: Collection[str] = (), name: str = ""
) -> Iterator[Table]:
    """
    The table in a file: CSV in any form, xlsx or parquet, also compressed; InvalidData when it is none.

    `likely` are columns that it should have: they tell the header and the delimiter. `name` stands in messages.
    """
    name = name or str(path)
    with ExitStack() as stack:
        file = stack.enter_context(_plain(path, name))
        yield _table(file, options or FileOptions(), likely, name, stack)


def _table(
    file: "_File", options: FileOptions, likely: Collection[str], name: str, stack: ExitStack
) -> Table:
    """Each kind is imported where it is met: most files are CSV."""
    head = file.head
    if head.startswith(b"PAR1"):
        from lakehouse_assets.mapping.parquet_tables import ParquetTable

        return ParquetTable(file.path, name)
    if head.startswith(b"PK\x03\x04"):
        from lakehouse_assets.mapping.sheets import SheetTable, open_workbook

        _check_workbook(file.path, name)
        return SheetTable(stack.enter_context(open_workbook(file.path, name)), options, likely, name)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        msg = f"{name} is a workbook of Excel before 2007; save it as .xlsx or CSV"
        raise InvalidData(msg)
    from lakehouse_assets.mapping.csv_tables import CsvTable

    return CsvTable(file.packed, options, likely, name)


@dataclass(frozen=True)
class _File:
    """A file without its compression, where that is no text; the text of a CSV is decompressed as it is read."""

    path: Path
    packed: Path
    head: bytes


@contextmanager
def _plain(path: Path, name: str) -> Iterator[_File]:
    with ExitStack() as stack:
        with reading(name):
            raw = stack.enter_context(open(path, "rb"))
            plain = decompressed(raw)
            head = plain.read(8)
            copy = None
            if plain is not raw and head.startswith((b"PAR1", b"PK\x03\x04")):
                # both are read from their end
                copy = stack.enter_context(tempfile.NamedTemporaryFile(prefix="lakehouse-table-"))
                copy.write(head)
                shutil.copyfileobj(plain, copy)
                copy.flush()
        yield _File(Path(copy.name) if copy is not None else path, path, head)


def _check_workbook(path: Path, name: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except zipfile.BadZipFile as exc:
        msg = f"cannot read {name}: {exc}; get the file again"
        raise InvalidData(msg) from exc
    if "xl/workbook.xml" not in names:
        msg = f"{name} is a zip archive and no .xlsx workbook; map a table that is in it, or save it as .xlsx or CSV"
        raise InvalidData(msg)
