"""The artifacts of a dataset, each of them an asset: what it is for, where it lies, what it looks like."""

from dataclasses import dataclass

import dagster as dg

from lakehouse_assets import layout
from lakehouse_assets.defs import columns

CONFIG = "dataset_config"
ARCHIVE = "archive"
MAPPINGS = "mappings"
JOURNAL = "journal"
STATEMENTS = "statements"
INDEX = "index_json"
CATALOG = "catalog_index"

OWNERS = ["team:data"]


@dataclass(frozen=True)
class Artifact:
    """
    One asset.

    `name` is what `Dataset.export` and `Dataset.freshness` call it, `deps` are the assets it is made from.
    """

    asset: str
    name: str
    path: str
    title: str
    purpose: str
    group: str
    kinds: frozenset[str]
    columns: dg.TableSchema | None = None
    deps: tuple[str, ...] = (STATEMENTS,)
    code_version: str = "1"

    @property
    def place(self) -> str:
        """Where it lies in the lake."""
        return self.path if self.asset == CATALOG else f"<dataset>/{self.path}"

    @property
    def description(self) -> str:
        """What the asset's page says."""
        return f"**{self.title}** {self.purpose}\n\nLies at `{self.place}` in the lake."

    @property
    def metadata(self) -> dict[str, dg.TableSchema | str]:
        """What is known about it before it was ever made."""
        known: dict[str, dg.TableSchema | str] = {"path": self.place}
        if self.columns is not None:
            known["dagster/column_schema"] = self.columns
        return known


DATASET_CONFIG = Artifact(
    asset=CONFIG,
    name="config",
    path=layout.CONFIG,
    title="What the dataset is:",
    purpose="title, publisher, coverage, licence. Edited by hand or by `lakehouse dataset create`; Dagster "
    "only watches it, and makes the index again when it changes.",
    group="statements",
    kinds=frozenset({"yaml"}),
    deps=(),
)

SOURCE_FILES = Artifact(
    asset=ARCHIVE,
    name="archive",
    path=layout.ARCHIVE,
    title="The source files, as they were found:",
    purpose="each content once, named by its checksum, with what is known of every path that it had. What is "
    "known from documents can be looked up here.\n\nThe data version changes when a file comes or goes.",
    group="files",
    kinds=frozenset({"file"}),
    columns=columns.FILES,
    deps=(),
)

TABLE_MAPPINGS = Artifact(
    asset=MAPPINGS,
    name="mappings",
    path=layout.MAPPINGS,
    title="What becomes of tables:",
    purpose="for each archived CSV, workbook or parquet file that has a `mapping.yml`, the entities that its rows are "
    "made into. Materialize it to run those that changed; what one said before and does not say any more is deleted in "
    "the same commit.\n\nIn a run that makes the statements, too, a mapping that fails keeps nothing else from being "
    "made: the check `is_latest` names it. `lakehouse map add` adds one.",
    group="files",
    kinds=frozenset({"yaml", "polars"}),
    columns=columns.MAPPINGS,
    deps=(ARCHIVE,),
)

WRITTEN = Artifact(
    asset=JOURNAL,
    name="journal",
    path=layout.JOURNAL,
    title="What programs wrote and confirmed:",
    purpose="statements that wait to be flushed, in the segments of any number of writers. The sensor "
    "`flush_journal` has them moved into the statements when they are many, or have waited for some time; so does "
    "every run of `statements`.\n\nThe data version counts the segments that were ever written.",
    group="statements",
    kinds=frozenset({"parquet"}),
    columns=columns.STATEMENTS,
    deps=(MAPPINGS,),
)

STATEMENT_TABLE = Artifact(
    asset=STATEMENTS,
    name="statements",
    path=layout.STATEMENTS_TABLE,
    title="Every claim of every source, one per row:",
    purpose="which entity, which property, which value, who said so, since when. Everything else is made "
    "from this Delta table.\n\nMaterialize it with `files` in the run config to import FollowTheMoney "
    "entities or statements; with files or without, what waits in the journal is flushed. The data version is the "
    "version of the content: merging and compacting the table do not change it.",
    group="statements",
    kinds=frozenset({"deltalake", "duckdb", "polars"}),
    columns=columns.STATEMENTS,
    deps=(JOURNAL,),
)

EXPORTS = (
    Artifact(
        asset="statements_csv",
        name="statements",
        path=layout.EXPORT_STATEMENTS,
        title="All claims as one CSV file,",
        purpose="for spreadsheets, databases and `ftm`: each value with its origin and times.",
        group="exports",
        kinds=frozenset({"csv", "polars"}),
        columns=columns.STATEMENTS_CSV,
    ),
    Artifact(
        asset="entities_json",
        name="entities",
        path=layout.ENTITIES,
        title="One entity per line,",
        purpose="the people, companies, links and documents with the claims of all origins together. What "
        "OpenAleph, yente and `ftm` read.",
        group="exports",
        kinds=frozenset({"json", "polars"}),
        columns=columns.ENTITIES,
    ),
    Artifact(
        asset="documents_csv",
        name="documents",
        path=layout.DOCUMENTS,
        title="The list of files:",
        purpose="name, folder, type, size, checksum and address of each document, to look them up or to "
        f"download them all. `{layout.DOCUMENTS_CRAWL}` beside it lists only those that were crawled.",
        group="exports",
        kinds=frozenset({"csv", "polars"}),
        columns=columns.DOCUMENTS,
    ),
    Artifact(
        asset="statistics_json",
        name="statistics",
        path=layout.STATISTICS,
        title="How much of what is in the dataset:",
        purpose="entities by schema, things by country, the earliest and the latest date.",
        group="exports",
        kinds=frozenset({"json", "polars"}),
        columns=columns.STATISTICS,
    ),
)

DIFFS = (
    Artifact(
        asset="entities_diff",
        name="entities",
        path=layout.DIFF_ENTITIES,
        title="What changed in the entities:",
        purpose="added, modified and deleted ones, a file for each export that found any. Applied in order to an "
        f"earlier export they give the newest; `{layout.DELTA_INDEX}` lists them all. A run that finds no change "
        "leaves no file, and the data version as it was.",
        group="exports",
        kinds=frozenset({"json"}),
        columns=columns.ENTITIES_DIFF,
        deps=("entities_json",),
    ),
    Artifact(
        asset="documents_diff",
        name="documents",
        path=layout.DIFF_DOCUMENTS,
        title="What changed in the list of files:",
        purpose="those that are new, have another content, name or address, or are gone; by id and folder. Of the "
        f"crawled files there is a list of their own, in `{layout.DIFF_DOCUMENTS_CRAWL}`.",
        group="exports",
        kinds=frozenset({"csv"}),
        columns=columns.DOCUMENTS_DIFF,
        deps=("documents_csv",),
    ),
)

DATASET_INDEX = Artifact(
    asset=INDEX,
    name="index",
    path=layout.INDEX,
    title="The dataset's front page for programs:",
    purpose="its metadata, its counts, and each published file with size and checksum. Written last, so that "
    "it only names files that are there.",
    group="exports",
    kinds=frozenset({"json"}),
    columns=columns.INDEX,
    deps=(CONFIG, *(export.asset for export in (*EXPORTS, *DIFFS))),
)

LAKE_CATALOG = Artifact(
    asset=CATALOG,
    name="catalog",
    path=layout.LAKE_INDEX,
    title="The catalogue of the whole lake:",
    purpose="the index of every dataset in one file, for sites and programs that offer them all.",
    group="catalog",
    kinds=frozenset({"json"}),
    columns=columns.CATALOG,
    deps=(INDEX,),
)

FILES = (*EXPORTS, DATASET_INDEX)
"""What is written as a file for each dataset, in the order of `make`."""

MADE = (SOURCE_FILES, TABLE_MAPPINGS, WRITTEN, STATEMENT_TABLE, *EXPORTS, *DIFFS, DATASET_INDEX)
"""What `make` materialises for each dataset."""


def find(asset: str) -> Artifact:
    """The artifact behind an asset."""
    return next(artifact for artifact in (DATASET_CONFIG, *MADE, LAKE_CATALOG) if artifact.asset == asset)
