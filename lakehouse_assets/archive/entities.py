"""Archived files and their folders as FollowTheMoney entities."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from lakehouse_assets.archive.files import ArchivedFile
from lakehouse_assets.archive.ids import parent_folders
from lakehouse_assets.archive.types import OCTET_STREAM, schema_of

# what followthemoney's cleaning leaves as it is
_CLEAN = re.compile(r"[^\W_](?:[\w .,()\[\]+&@#%=~!$'-]*[\w)\].])?", re.ASCII)


class MadeEntity(NamedTuple):
    """An entity that a file or a folder is, its values clean."""

    id: str
    schema: str
    properties: dict[str, list[str]]


def document_of(file: ArchivedFile) -> MadeEntity:
    """
    The document that an archived file is.

    What its `extra` holds for properties of its schema becomes a part of it.
    """
    schema = schema_of(file.mimetype)
    properties: dict[str, list[str]] = {
        "contentHash": [file.checksum],
        "fileSize": [str(file.size)],
    }
    if name := _clean(file.name):
        properties["fileName"] = [name]
    if file.mimetype != OCTET_STREAM:
        properties["mimeType"] = [file.mimetype]
    if parent := file.parent:
        properties["parent"] = [parent]
    if file.extra:
        properties = {**_extra(schema, file), **properties}
    return MadeEntity(file.id, schema, properties)


def folders_of(key: str, known: set[str]) -> Iterator[MadeEntity]:
    """The folders on the way to a file, but for those whose ids are `known`; they are from then on."""
    for folder in parent_folders(key):
        if folder.id not in known:
            known.add(folder.id)
            # its name stays as it is: a path is made of such names
            properties = {"fileName": [folder.name]}
            if folder.parent:
                properties["parent"] = [folder.parent]
            yield MadeEntity(folder.id, "Folder", properties)


def _clean(name: str) -> str | None:
    return name if _CLEAN.fullmatch(name) else _asked(name)


@lru_cache(4096)
def _asked(name: str) -> str | None:
    """What followthemoney makes of a name."""
    # it takes 0.7 s to import, which most names do not need
    from followthemoney.types import registry

    return registry.string.clean(name)


def _extra(schema: str, file: ArchivedFile) -> dict[str, list[str]]:
    from followthemoney import model

    known = model[schema].properties
    found = {}
    for name, value in file.extra.items():
        if name in known and not known[name].stub:
            values = value if isinstance(value, list) else [value]
            found[name] = [text for one in values if (text := known[name].type.clean(str(one)))]
    return {name: values for name, values in found.items() if values}
