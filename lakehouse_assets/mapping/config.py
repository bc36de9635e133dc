"""The mapping.yml of an archived table: which entities its rows are made into."""

import codecs
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from lakehouse_assets.model.documents import to_yaml
from lakehouse_assets.model.names import check_dataset_name
from lakehouse_assets.model.pipeline import SchemaName

_INPUTS = {"csv_url", "csv_urls", "database", "table", "tables", "joins"}
"""Keys of a query that name its input to followthemoney; here it is the archived file."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_content_hash(text: str) -> bool:
    """Whether this is how archived files are named: a SHA-256 in hex."""
    return _SHA256.fullmatch(text) is not None


def _content_hash(text: str) -> str:
    if not is_content_hash(text):
        msg = "not the checksum of a file; write the 64 hex digits of its SHA-256"
        raise ValueError(msg)
    return text


def _filled(text: str) -> str:
    if not text:
        msg = "empty; leave it out, or write at least one character"
        raise ValueError(msg)
    return text


def _one_or_more(value: object) -> object:
    """Several values, one, or none at all."""
    if value is None:
        return []
    return value if isinstance(value, list | tuple) else [value]


def _encoding(name: str) -> str:
    try:
        is_text = codecs.lookup(name)._is_text_encoding
    except LookupError:
        is_text = False
    if not is_text:
        msg = f"no encoding is called {name!r}; write utf-8, cp1252, utf-16, latin-1 ..."
        raise ValueError(msg)
    return name


def _character(text: str) -> str:
    names = {"tab": "\t", "\\t": "\t", "space": " "}
    text = names.get(text, text)
    if len(text) != 1 or text in "\r\n":
        msg = f"not one character: {text!r}; write it in quotes, like ';', or the word tab"
        raise ValueError(msg)
    return text


ContentHash = Annotated[str, AfterValidator(_content_hash)]
"""The SHA-256 of an archived file."""

FilledText = Annotated[str, AfterValidator(_filled)]
"""A text that is not empty; space counts."""

Texts = Annotated[list[FilledText], BeforeValidator(_one_or_more)]
"""A list of texts, which may be written as a single one."""

Wanted = Annotated[list[str | None], BeforeValidator(_one_or_more)]
"""What a cell may hold; null stands for an empty one."""

Encoding = Annotated[str, AfterValidator(_encoding)]
Character = Annotated[str, AfterValidator(_character)]


class _Part(BaseModel):
    """
    A part of a mapping. Keys that it does not know are kept, for `problems` to name them all with their places.

    What is not set is not written.
    """

    model_config = ConfigDict(extra="allow", frozen=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_nulls(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if value is not None}

    @model_serializer(mode="wrap")
    def _only_what_is_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        values = cast(dict[str, object], handler(self))
        return {name: value for name, value in values.items() if value not in (None, [], {}, False)}


class FileOptions(_Part):
    """
    How to read the file, where looking at it does not tell.

    `header` is the number of the row that names the columns, `sheet` the sheet of a workbook (its first by default).
    """

    encoding: Encoding | None = None
    delimiter: Character | None = None
    quote: Character | None = None
    header: int | None = Field(default=None, ge=1)
    sheet: FilledText | None = None


def _several(values: object, pairs: Mapping[str, str]) -> object:
    """Lists under the name of a single value moved to the name of several, as followthemoney reads them."""
    if not isinstance(values, dict):
        return values
    values = dict(values)
    for one, many in pairs.items():
        if isinstance(values.get(one), list):
            values[many] = [*values.pop(one), *cast(list[object], _one_or_more(values.get(many)))]
    return values


class PropertyMapping(_Part):
    """Where the values of a property come from."""

    column: FilledText | None = None
    columns: Texts = []
    join: str | None = None
    split: FilledText | None = None
    entity: FilledText | None = None
    format: FilledText | None = None
    fuzzy: bool = False
    required: bool = False
    literal: str | None = None
    literals: Texts = []
    template: FilledText | None = None

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, values: object) -> object:
        return _several(values, {"column": "columns", "literal": "literals"})

    @property
    def has_source(self) -> bool:
        """Whether any value can come of it."""
        texts = (self.column, self.entity, self.template, self.literal)
        return any(text is not None for text in texts) or bool(self.columns or self.literals)


class EntityMapping(_Part):
    """What an entity is made of; its id is one column, or made from those of its key."""

    schema_name: SchemaName = Field(alias="schema")
    key: FilledText | None = None
    keys: Texts = []
    key_literal: str | None = None
    id_column: FilledText | None = None
    properties: dict[str, PropertyMapping] = {}

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, values: object) -> object:
        return _several(values, {"key": "keys"})

    @property
    def key_columns(self) -> list[str]:
        """The columns that its id is made from."""
        if self.id_column is not None:
            return [self.id_column]
        return [*([self.key] if self.key is not None else []), *self.keys]


class TableQuery(_Part):
    """
    Entities to make from each row; rows that a filter does not let through are left out.

    `file` says how to read the table for this query alone.
    """

    entities: dict[str, EntityMapping]
    filters: dict[str, Wanted] = {}
    filters_not: dict[str, Wanted] = {}
    file: FileOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _leave_out_inputs(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if name not in _INPUTS}


class DatasetMapping(_Part):
    """
    What becomes of the rows of one archived file: its mapping.yml.

    `replaces` names the earlier files whose output goes when this one's comes; a `pinned` one stays with its file
    when a newer one of the same path is archived. Keys of other programs are kept.

    Example:
        >>> mapping = DatasetMapping(dataset="acme", content_hash="5a" * 32, queries=[query])
        >>> dataset.mappings.put(mapping)
        True
    """

    dataset: Annotated[str, AfterValidator(check_dataset_name)]
    content_hash: ContentHash
    queries: Annotated[list[TableQuery], Field(min_length=1)]
    file: FileOptions | None = None
    replaces: list[ContentHash] = []
    pinned: bool = False

    def entities(self) -> Iterator[tuple[int, str, EntityMapping]]:
        """Every entity: the number of its query, its name, and what it is made of."""
        for number, query in enumerate(self.queries):
            for name, entity in query.entities.items():
                yield number, name, entity

    def reads(self, query: TableQuery) -> FileOptions:
        """How to read the file for a query: what that says itself wins."""
        own = query.file.model_dump() if query.file is not None else {}
        shared = self.file.model_dump() if self.file is not None else {}
        return FileOptions.model_validate({**shared, **own})

    def with_changes(self, **changes: object) -> Self:
        """The same mapping with other values."""
        return self.model_copy(update=changes)

    def to_yaml(self) -> bytes:
        """The bytes of mapping.yml."""
        return to_yaml(self)
