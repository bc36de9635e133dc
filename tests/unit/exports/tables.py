"""Small tables of statements, written row by row."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from followthemoney import model

from lakehouse_assets.exports.base import DatasetView
from lakehouse_assets.model.dataset import DatasetConfig
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.reader import Reader
from lakehouse_assets.statements.stage import Staging
from lakehouse_assets.statements.table import StatementTable
from lakehouse_assets.statements.vocabulary import bucket_of
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.records import Records
from lakehouse_assets.storage.tags import Tags
from lakehouse_assets.storage.versions import Versions

DATASET = "acme"
FIRST = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
LAST = datetime(2024, 2, 2, 3, 4, 5, 6, tzinfo=UTC)

Row = dict[str, Any]


def row(entity_id: str, prop: str, value: str, schema: str = "Person", **changes: Any) -> Row:
    """A statement as it lies in the table; its id is counted out, its times are `FIRST` and `LAST`."""
    known = model.get(schema)
    type_ = s.BASE_PROP if prop == s.BASE_PROP else known.properties[prop].type.name
    lang, external = changes.get(s.LANG), changes.get(s.EXTERNAL, False)
    return {
        s.SHARD: "0",
        s.ID: s.statement_id(DATASET, entity_id, prop, value, lang, external),
        s.ENTITY_ID: entity_id,
        s.DATASET: DATASET,
        s.BUCKET: bucket_of(known),
        s.ORIGIN: "default",
        s.SOURCE: None,
        s.SCHEMA: schema,
        s.PROP: prop,
        s.PROP_TYPE: type_,
        s.VALUE: value,
        s.ORIGINAL_VALUE: None,
        s.LANG: None,
        s.EXTERNAL: False,
        s.FIRST_SEEN: FIRST,
        s.LAST_SEEN: LAST,
        s.FRAGMENT: "",
        s.ROLE: None,
        s.DELETED_AT: None,
        **changes,
    }


def base(entity_id: str, schema: str = "Person", *, checksum: str = "checksum", **changes: Any) -> Row:
    """The statement that stands for an entity itself."""
    return row(entity_id, s.BASE_PROP, checksum, schema, **changes)


def frame(rows: Iterable[Row]) -> pl.DataFrame:
    """Rows in the order of the table."""
    found = pl.DataFrame(list(rows), schema=s.frame_schema())
    return found.sort(s.SHARD, s.BUCKET, *s.ROW_ORDER)


def make_view(
    folder: Path,
    *appends: Iterable[Row],
    prefix: str | None = None,
    keep_digests: bool = False,
    **config: Any,
) -> DatasetView:
    """A dataset whose table has these rows, each group of them in a commit of its own."""
    location = Location(folder)
    table = StatementTable(location)
    if appends:
        table.create()
    for rows in appends:
        with Staging(table.location) as staging:
            staging.write(frame(rows).sort(s.ROW_ORDER))
            table.append(staging.finish())
    tags = Tags(location)
    return DatasetView(
        location=location,
        dataset=DATASET,
        config=DatasetConfig.make(DATASET, **config),
        reader=Reader(table),
        versions=Versions(location, tags),
        records=Records(location),
        tags=tags,
        keep_digests=keep_digests,
        public_url_prefix=prefix,
    )


def people() -> list[Row]:
    """Two people and what they own, with several origins, languages, roles, and odd values."""
    later = {s.ORIGIN: "crawl", s.LAST_SEEN: datetime(2025, 1, 1, tzinfo=UTC)}
    return [
        base("p1"),
        row("p1", "name", 'Jane "JD" Doe', original_value="JANE  DOE", lang="eng"),
        row("p1", "name", "Анна\nДоу", **later),
        row("p1", "name", 'Jane "JD" Doe', **later),
        row("p1", "country", "de"),
        row("p1", "country", "fr", fragment="f1", role="analyst"),
        row("p1", "birthDate", "1970-01"),
        base("p2"),
        row("p2", "notes", "back\\slash\ttab\x01 \u2028 😀"),
        row("p2", "country", "us", external=True),
        base("o1", "Ownership"),
        row("o1", "owner", "p1", "Ownership"),
        row("o1", "startDate", "2001", "Ownership"),
        base("e1", "Event"),
        row("e1", "name", "Fair", "Event"),
        row("e1", "country", "de", "Event"),
    ]
