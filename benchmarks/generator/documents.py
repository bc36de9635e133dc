"""Files in folders, as a crawl leaves them: for the list of documents."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

_FOLDERS = 200
_TYPES = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "csv": "text/csv",
    "eml": "message/rfc822",
    "bin": None,
}
_SCHEMATA = {"pdf": "Pages", "txt": "PlainText", "csv": "Table", "eml": "Email", "bin": "Document"}


def iter_documents(count: int) -> Iterator[dict[str, object]]:
    """So many files in some folders, each folder in the one before it or at the top."""
    folders = min(_FOLDERS, count)
    for number in range(folders):
        parent = [f"folder-{number // 3}"] if number % 7 else []
        yield _entity(f"folder-{number}", "Folder", fileName=[f"Ordner {number}"], parent=parent)
    suffixes = list(_TYPES)
    for number in range(count):
        digest, suffix = hashlib.sha256(b"%d" % number).hexdigest(), suffixes[number % len(suffixes)]
        media_type = _TYPES[suffix]
        yield _entity(
            f"file-{digest}",
            _SCHEMATA[suffix],
            fileName=[f"Vertrag, {number} über Öl.{suffix}"],
            contentHash=[digest],
            fileSize=[str(number * 37 % 1_000_000)],
            mimeType=[media_type] if media_type else [],
            parent=[f"folder-{number % folders}"],
        )


def write_documents(out: Path, count: int) -> None:
    """Write them as JSON lines."""
    with out.open("w", encoding="utf-8") as lines:
        for entity in iter_documents(count):
            lines.write(json.dumps(entity, ensure_ascii=False) + "\n")


def _entity(entity_id: str, schema: str, **properties: list[str]) -> dict[str, object]:
    return {"id": entity_id, "schema": schema, "properties": {name: v for name, v in properties.items() if v}}
