"""What the columns of tables mean, for the asset pages: known before anything was made."""

import dagster as dg

_TYPES = {"external": "boolean", "size": "integer"}
_TIMES = {"first_seen", "last_seen", "deleted_at", "created_at", "updated_at"}

_STATEMENT = {
    "id": "sha1 of dataset, entity, property and value: the same claim always has the same id",
    "entity_id": "the entity that the claim is about",
    "dataset": "the dataset that makes the claim",
    "bucket": "kind of entity: document, interval, mention, page or thing",
    "origin": "which program, file or mapping said so",
    "source": "reference to the source within the origin",
    "schema": "FollowTheMoney schema of the entity, like Person or Ownership",
    "prop": "the property that the value belongs to; `id` stands for the entity itself",
    "prop_type": "type of the property, like name, date or country",
    "value": "the value, cleaned",
    "original_value": "the value as it came, if cleaning changed it",
    "lang": "language of the value, three letters",
    "external": "whether the claim only suggests something that others must confirm",
    "first_seen": "when the claim first came in",
    "last_seen": "when the claim was last confirmed",
    "fragment": "part of the source that the claim was read from; a newer reading replaces it whole",
    "role": "who or what added the claim, if that was recorded",
    "deleted_at": "when the claim was taken back",
    "shard": "which part of a dataset that is split into several",
    "canonical_id": "the entity that others were merged into; here the entity itself",
}
_REQUIRED = {
    "id", "entity_id", "dataset", "bucket", "origin", "schema", "prop", "value", "shard", "path", "namespace",
    "label", "uid", "schema_json", "created", "changes",
}  # fmt: skip

_TABLE_ORDER = (
    "shard", "id", "entity_id", "dataset", "bucket", "origin", "source", "schema", "prop", "prop_type",
    "value", "original_value", "lang", "external", "first_seen", "last_seen", "fragment", "role",
    "deleted_at",
)  # fmt: skip
_CSV_ORDER = (
    "id", "entity_id", "canonical_id", "prop", "prop_type", "schema", "value", "original_value", "dataset",
    "origin", "lang", "external", "first_seen", "last_seen", "fragment", "role",
)  # fmt: skip

_ENTITY = {
    "id": "the entity's id",
    "caption": "a name to show",
    "schema": "FollowTheMoney schema, the one that all its claims agree on",
    "properties": "each property with all its values, sorted",
    "referents": "ids of entities that were merged into this one",
    "datasets": "the datasets that speak of the entity",
    "origin": "which programs, files or mappings spoke of it",
    "role": "who or what added its claims, if that was recorded",
    "first_seen": "when its first claim came in",
    "last_seen": "when one of its claims was last confirmed",
    "last_change": "when a claim last came anew",
}
_STATISTICS = {
    "things": "counts of things, like people and companies: total, by country, by schema",
    "intervals": "counts of what links things, like ownerships: total, by country, by schema",
    "entity_count": "entities of any kind",
    "start": "the earliest date that any entity names",
    "end": "the latest date that any entity names",
    "countries": "every country that any entity names",
}
_DOCUMENT = {
    "id": "the document's entity id",
    "checksum": "sha1 or sha256 of the file, its name in the archive",
    "name": "file name",
    "mimetype": "file type",
    "path": "folder that the file was found in",
    "size": "bytes",
    "updated_at": "when the document last changed",
    "public_url": "where it can be downloaded, if the dataset is published",
}
_OP = {"op": "ADD, MOD or DEL: it is new, is different, or is gone"}
_CHANGED = {**_OP, "entity": "the whole entity as it is now; of a deleted one only the id"}
_MAPPING = {
    "file": "checksum of the table, its name in the archive",
    "path": "the paths under which it is archived",
    "makes": "the schemata of the entities that its rows become",
    "statements": "what the last run made of it",
    "why": "why it is fresh or stale",
}
_FILE = {
    "key": "path in the source that the file was found in",
    "name": "file name",
    "checksum": "sha256 of the content, its name in the archive",
    "size": "bytes",
    "mimetype": "file type",
    "origin": "what brought the file in: crawl, archive or a program",
    "id": "the document's entity id",
    "parent": "entity id of the folder that it lies in",
    "created_at": "when it was made, as its source says",
    "updated_at": "when it last changed, as its source says",
}
_INDEX = {
    "name": "the dataset's name",
    "title": "its title",
    "resources": "the published files with size, checksum and address",
    "entity_count": "entities of any kind",
    "thing_count": "entities that are things",
    "stats": "the counts of statistics.json",
    "updated_at": "when the content last changed",
    "last_export": "when the exports were last made",
}
_CATALOG = {"datasets": "the index of every dataset in the lake"}

_REGISTRY = {
    "namespace": "where the label counts: collection, archive, or one of your own",
    "label": "what it is called, no two the same in a namespace",
    "uid": "its id, which stays when it gets another label, also in other lakes",
    "schema_json": "its columns and their types",
    "path": "the folder of its rows",
    "created": "when it was made",
    "deleted_at": "when it was deleted; it can be brought back until garbage is collected",
    "changes": "how often its label or its deletion changed",
}


def _schema(columns: dict[str, str], **types: str) -> dg.TableSchema:
    return dg.TableSchema(columns=[_column(name, text, types) for name, text in columns.items()])


def _column(name: str, description: str, types: dict[str, str]) -> dg.TableColumn:
    guessed = "timestamp" if name in _TIMES else _TYPES.get(name, "string")
    constraints = dg.TableColumnConstraints(nullable=name not in _REQUIRED)
    return dg.TableColumn(name, types.get(name, guessed), description=description, constraints=constraints)


STATEMENTS = _schema({name: _STATEMENT[name] for name in _TABLE_ORDER})
STATEMENTS_CSV = _schema({name: _STATEMENT[name] for name in _CSV_ORDER})
ENTITIES = _schema(
    _ENTITY, properties="object", referents="list", datasets="list", origin="list", role="list"
)
STATISTICS = _schema(
    _STATISTICS, things="object", intervals="object", entity_count="integer", countries="list"
)
DOCUMENTS = _schema(_DOCUMENT)
ENTITIES_DIFF = _schema(_CHANGED, entity="object")
DOCUMENTS_DIFF = _schema({**_OP, **_DOCUMENT})
FILES = _schema(_FILE)
MAPPINGS = _schema(_MAPPING, statements="integer")
INDEX = _schema(_INDEX, resources="list", entity_count="integer", thing_count="integer", stats="object")
CATALOG = _schema(_CATALOG, datasets="list")
REGISTRY = _schema(_REGISTRY, created="timestamp", changes="integer")
