"""What the stages write: parts of the entity that a document is, its pages, and what it mentions."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from papertrail.finding import Found
from papertrail.texts import Text

Entity = Mapping[str, object]
"""An entity as JSON has it: its id, its schema, and its properties with their values."""


@dataclass(frozen=True)
class Document:
    """A document as every part of it needs it."""

    id: str
    schema: str

    def part(self, properties: Mapping[str, Sequence[str]]) -> Entity:
        """An entity of its id, which becomes one with what others say of it."""
        return {"id": self.id, "schema": self.schema, "properties": properties}


def text_entities(document: Document, text: Text) -> list[Entity]:
    """A document with what it says, and each of its pages that says anything."""
    pages = [page_entity(document, number, page) for number, page in enumerate(text.pages, 1) if page.strip()]
    return [document.part({**text.properties, "processingStatus": ["success"]}), *pages]


def page_entity(document: Document, number: int, text: str) -> Entity:
    """A page, counted from 1."""
    properties = {"document": [document.id], "index": [str(number)], "bodyText": [text.strip()]}
    return {"id": f"{document.id}-page-{number}", "schema": "Page", "properties": properties}


def failure_entity(document: Document, reason: str) -> Entity:
    """A document that cannot be read, and why."""
    return document.part({"processingStatus": ["failure"], "processingError": [reason]})


def mention_entities(document: Document, mentioned: Iterable[Found]) -> Iterator[Entity]:
    """What a document mentions: on the document, so that it is found by it, and each as a Mention."""
    values: dict[str, list[str]] = {}
    for found in mentioned:
        values.setdefault(found.prop, []).append(found.value)
        properties = {
            "document": [document.id],
            "name": [found.name],
            "detectedSchema": [found.schema],
            "contextCountry": [found.country] if found.country else [],
        }
        if found.context:
            properties[found.context] = [found.value]
        yield {"id": _mention_id(document, found), "schema": "Mention", "properties": properties}
    if values:
        yield document.part(values)


def _mention_id(document: Document, found: Found) -> str:
    # the same each time, whoever looks
    return "mention-" + hashlib.sha256(f"{document.id}\0{found.prop}\0{found.value}".encode()).hexdigest()
