"""Paths of folders, as documents.csv has them."""

from typing import TYPE_CHECKING

from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.reader import Reader

if TYPE_CHECKING:
    import polars as pl

FOLDER = "Folder"
DOCUMENT_BUCKET = "document"

_NAME = "fileName"
_PARENT = "parent"


def folder_paths(reader: Reader) -> "pl.DataFrame":
    """
    Every folder that has a name, as rows of `parent` (its id) and `path`.

    Folders are kept in memory: there are far fewer of them than of files.
    """
    import polars as pl

    names: dict[str, str] = {}
    parents: dict[str, str] = {}
    for rows in reader.scan([s.ENTITY_ID, s.SCHEMA, s.PROP, s.VALUE], buckets={DOCUMENT_BUCKET}):
        folders = rows.filter((pl.col(s.SCHEMA) == FOLDER) & pl.col(s.PROP).is_in([_NAME, _PARENT]))
        for entity_id, _, prop, value in folders.iter_rows():
            known = names if prop == _NAME else parents
            known[entity_id] = min(value, known.get(entity_id, value))
    paths = [(folder, path_of(folder, names, parents)) for folder in sorted(names)]
    return pl.DataFrame(paths, schema={"parent": pl.String, "path": pl.String}, orient="row")


def path_of(folder: str, names: dict[str, str], parents: dict[str, str]) -> str:
    """
    The names from the topmost known folder down to this one.

    Example:
        >>> path_of("b", {"a": "top", "b": "sub"}, {"b": "a"})
        'top/sub'
    """
    parts: list[str] = []
    seen: set[str] = set()
    at: str | None = folder
    # folders may stand in a circle
    while at is not None and at in names and at not in seen:
        seen.add(at)
        parts.append(names[at])
        at = parents.get(at)
    return "/".join(reversed(parts))
