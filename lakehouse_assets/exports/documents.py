"""exports/documents.csv: every file of the dataset, with its path and where its bytes are."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.archive.types import OCTET_STREAM, mimetype_of
from lakehouse_assets.exports.base import MAX_NAMED, DatasetView, ExportResult, Output, digested_output
from lakehouse_assets.exports.digests import ID, PATH, LineDigests, sizes_of, text_digests
from lakehouse_assets.exports.folders import DOCUMENT_BUCKET, FOLDER, folder_paths
from lakehouse_assets.exports.grouping import EntityRows
from lakehouse_assets.exports.schemata import descendants
from lakehouse_assets.exports.text import Z_TIME, concat, csv_text, times
from lakehouse_assets.statements import schema as s

if TYPE_CHECKING:
    import polars as pl

FIELDS = ["id", "checksum", "name", "mimetype", "path", "size", "updated_at", "public_url"]
HEADER = (",".join(FIELDS) + "\r\n").encode()

CRAWL = "crawl"
"""The origin of crawled files, which have a list of their own."""

COLUMNS = [s.ENTITY_ID, s.ORIGIN, s.SCHEMA, s.PROP, s.VALUE, s.FIRST_SEEN]
"""What must be read."""

_SHA256 = r"^[0-9a-f]{64}$"


class DocumentsCsv:
    """
    All files, and those that were crawled.

    A file whose checksum is no SHA-256 has no bytes that could be found: it is left out, the notes name it.
    """

    name = "documents"
    target = layout.DOCUMENTS
    asset = "documents_csv"
    targets = (layout.DOCUMENTS, layout.DOCUMENTS_CRAWL)
    version = 1
    is_compressed = False
    is_published = True
    sources: Sequence[str] = (layout.STATEMENTS_TABLE, layout.CONFIG)

    def write(self, view: DatasetView) -> list[ExportResult]:
        """Write both files; without documents they are the header alone."""
        import polars as pl

        folders = folder_paths(view.reader)
        with (
            _list(view, self.target, layout.DIFF_DOCUMENTS) as every,
            _list(view, layout.DOCUMENTS_CRAWL, layout.DIFF_DOCUMENTS_CRAWL) as crawled,
        ):
            for rows in view.reader.scan(COLUMNS, buckets={DOCUMENT_BUCKET}):
                rows = rows.filter(pl.col(s.SCHEMA) != FOLDER)
                every.add(find_documents(rows, folders))
                crawled.add(find_documents(rows.filter(pl.col(s.ORIGIN) == CRAWL), folders))
        return [every.result(), crawled.result()]


@dataclass(frozen=True)
class Documents:
    """Files as columns named like the fields, and the ids of those whose checksum is none."""

    frame: "pl.DataFrame"
    without_checksum: list[str]


class _List:
    """One of the two files."""

    def __init__(self, file: Output, digests: LineDigests | None, prefix: str | None) -> None:
        self._file = file
        self._digests = digests
        self._prefix = prefix
        self._left_out: list[str] = []
        self._count = 0

    def add(self, documents: Documents) -> None:
        lines = render_documents(documents.frame, self._prefix)
        self._file.write_lines(lines)
        if self._digests is not None:
            said = render_documents(_without_times(documents.frame), self._prefix)
            self._digests.add(_keys(documents.frame), text_digests(said), sizes_of(lines))
        self._count += len(documents.without_checksum)
        self._left_out += documents.without_checksum[: MAX_NAMED - len(self._left_out)]

    def result(self) -> ExportResult:
        if not self._count:
            return self._file.result()
        return self._file.result(without_checksum=self._left_out, without_checksum_count=self._count)


@contextmanager
def _list(view: DatasetView, key: str, diff: str) -> Iterator[_List]:
    with digested_output(view, key, diff=diff, keys=[ID, PATH]) as (file, digests):
        file.write(HEADER)
        if digests is not None:
            digests.skip(len(HEADER))
        yield _List(file, digests, view.public_prefix)


def _keys(documents: "pl.DataFrame") -> "pl.DataFrame":
    """What names a line: a file is listed once for each folder that it lies in."""
    import polars as pl

    return documents.select(pl.col("id").alias(ID), pl.col("path").fill_null("").alias(PATH))


def _without_times(documents: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    return documents.with_columns(pl.lit(None, dtype=pl.String).alias("updated_at"))


def find_documents(rows: "pl.DataFrame", folders: "pl.DataFrame") -> Documents:
    """The files among the entities of a frame: one row per file and folder that it lies in."""
    import polars as pl

    rows = rows.filter(pl.col(s.SCHEMA).is_in(descendants("Document") - {FOLDER}))
    if not len(rows):
        return Documents(pl.DataFrame(schema=dict.fromkeys(FIELDS[:-1], pl.String)), [])
    entities = EntityRows(rows)
    found = entities.values()
    schema, _ = entities.schemata()
    every = pl.DataFrame(
        {
            "id": entities.ids,
            "name": entities.captions(schema, found),
            "updated_at": times(entities.changed(), Z_TIME),
        }
    ).with_row_index("entity")
    values = pl.DataFrame(
        {"entity": found.entity, "prop": entities.rows[s.PROP].gather(found.rows), "value": found.values},
        schema_overrides={"entity": every.schema["entity"]},
    )
    hashed = values.filter(pl.col("prop") == "contentHash").with_columns(pl.col("value").str.to_lowercase())
    checksums = hashed.filter(pl.col("value").str.contains(_SHA256))
    bad = hashed.join(checksums, on="entity", how="anti")["entity"].unique(maintain_order=True)
    files = _with_first(every, checksums, "checksum").drop_nulls("checksum")
    files = _with_first(files, _of(values, "mimeType").filter(pl.col("value") != OCTET_STREAM), "mimetype")
    sizes = _of(values, "fileSize").filter(pl.col("value").str.contains(r"^\d{1,18}$"))
    files = _with_first(files, sizes, "size").with_columns(pl.col("size").fill_null("0"))
    files = files.with_columns(pl.coalesce("mimetype", _guessed(files["name"])).alias("mimetype"))
    parents = _of(values, "parent").select("entity", parent="value").join(folders, on="parent")
    files = files.join(parents.select("entity", "path").unique(), on="entity", how="left").sort(
        "entity", "path"
    )
    return Documents(files.select(FIELDS[:-1]), every["id"].gather(bad).to_list())


def render_documents(documents: "pl.DataFrame", prefix: str | None) -> "pl.Series":
    """Files as lines of CSV, each with its end; with addresses if there is a public prefix."""
    import polars as pl

    pieces: list[str | pl.Expr] = []
    for name in FIELDS[:-1]:
        pieces += [csv_text(documents[name]), ","]
    if prefix:
        pieces.append(_address(prefix))
    return documents.select(concat([*pieces, "\r\n"]).alias("line")).to_series()


def _of(values: "pl.DataFrame", prop: str) -> "pl.DataFrame":
    import polars as pl

    return values.filter(pl.col("prop") == prop)


def _with_first(files: "pl.DataFrame", values: "pl.DataFrame", name: str) -> "pl.DataFrame":
    """The files with the first value of each, which is the smallest."""
    import polars as pl

    first = values.unique("entity", keep="first", maintain_order=True).select(
        "entity", pl.col("value").alias(name)
    )
    return files.join(first, on="entity", how="left", maintain_order="left")


def _guessed(names: "pl.Series") -> "pl.Series":
    """The types that the names tell."""
    import polars as pl

    suffixes = names.str.extract(r"(\.[^./]+)$").str.to_lowercase().fill_null("")
    known = suffixes.unique()
    types = pl.Series([mimetype_of(f"file{suffix}") for suffix in known], dtype=pl.String)
    return suffixes.replace_strict(known, types, return_dtype=pl.String)


def _address(prefix: str) -> "pl.Expr":
    """The public address of a file, as `layout.blob` places it."""
    import polars as pl

    checksum = pl.col("checksum")
    parts: list[str | pl.Expr] = [f"{prefix}/{layout.ARCHIVE}/"]
    for start in (0, 2, 4):
        parts += [checksum.str.slice(start, 2), "/"]
    return concat([*parts, checksum, "/blob"])
