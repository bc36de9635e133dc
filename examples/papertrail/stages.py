"""The stages of the chain: `files` finds what is to be read, `extract` reads it, `mentions` looks through it."""

from collections.abc import Iterator

from followthemoney.proxy import EntityProxy

from lakehouse_assets.archive.types import schema_of
from lakehouse_assets.jobs import DatasetJob, stage
from lakehouse_assets.operations.selections import Selection
from papertrail.entities import Document, Entity, failure_entity, mention_entities, text_entities
from papertrail.finding import find_mentions
from papertrail.texts import Unreadable, is_readable, read_text

QUEUE = "papertrail"
EXTRACT = "extract"
MENTIONS = "mentions"
"""Names of stages, and the origins of what they write."""

_LOOKED_THROUGH = ("from", "sender", "to", "cc", "bcc", "subject", "title", "author", "bodyText")


@stage("files", queue=QUEUE)
def files(job: DatasetJob) -> Iterator[DatasetJob]:
    """A job for each archived file that has a text and was not read yet."""
    dataset = job.get_dataset()
    known = {
        entity_id
        for rows in dataset.statement_frames(Selection(origin=EXTRACT, prop="processingStatus"))
        for entity_id in rows["entity_id"]
    }
    for file in dataset.archive.files():
        if is_readable(file.mimetype) and file.id not in known:
            document = {
                "id": file.id,
                "schema": schema_of(file.mimetype),
                "properties": {"contentHash": [file.checksum], "mimeType": [file.mimetype]},
            }
            yield DatasetJob.from_entity(job.dataset, job.queue, EXTRACT, document)


@stage(EXTRACT, queue=QUEUE)
def extract(job: DatasetJob) -> DatasetJob | None:
    """Read the text of a file; a file that cannot be read says why, and is not tried again."""
    texts: list[Entity] = []
    with job.get_writer(origin=EXTRACT) as writer:
        for file in job.get_file_references():
            document = Document(file.entity.id, file.entity.schema.name)
            try:
                with file.open() as stream:
                    text = read_text(stream, file.entity.first("mimeType"))
            except Unreadable as exc:
                writer.add(failure_entity(document, str(exc)))
            else:
                texts += text_entities(document, text)
        writer.add_many(texts)
    # the texts go along: to look up one document in the dataset takes longer than to look through it
    return DatasetJob.from_entities(job.dataset, job.queue, MENTIONS, texts) if texts else None


@stage(MENTIONS, queue=QUEUE)
def mentions(job: DatasetJob) -> None:
    """Look for addresses, phone numbers and accounts in what documents and their pages say."""
    with job.get_writer(origin=MENTIONS) as writer:
        for entity in job.get_entities():
            text = "\n".join(value for name in _LOOKED_THROUGH for value in entity.get(name, quiet=True))
            found = find_mentions(text, entity.get("country", quiet=True))
            writer.add_many(mention_entities(_document_of(entity), found))


def _document_of(entity: EntityProxy) -> Document:
    """The document that an entity is, or that it is a page of."""
    if entity.schema.name == "Page":
        return Document(entity.first("document"), "Pages")
    return Document(entity.id, entity.schema.name)
