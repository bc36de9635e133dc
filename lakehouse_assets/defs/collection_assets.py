"""Tables of rows as assets: which there are, and each of them with its rows, versions and columns."""

from collections.abc import Mapping

import dagster as dg

from lakehouse_assets import layout
from lakehouse_assets.collections import Collection, Repo
from lakehouse_assets.defs import artifacts, columns
from lakehouse_assets.defs.declaring import Result
from lakehouse_assets.defs.events import DATA_VERSION, materialization
from lakehouse_assets.defs.failures import RETRY, explained
from lakehouse_assets.defs.metadata import Metadata
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.numbers import human_size
from lakehouse_assets.defs.partition_sets import keep_partitions, known_partitions
from lakehouse_assets.defs.preview import Cell, cell, table
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.defs.shared_names import Shared

GROUP = "collections"
REGISTRY = "registry"
COLLECTIONS = "collections"

# the event log keeps all that is shown for ever
_MOST_LISTED = 100
_ROWS = 5
_DIGITS = 16


def registry_asset(naming: Naming) -> dg.AssetsDefinition:
    """Which collections there are."""

    @dg.asset(
        key=naming.key(REGISTRY),
        required_resource_keys={naming.resource},
        description="**Which tables of rows the lake has beside its datasets:** prices, measurements, rates, each "
        "under a label that no other one has. Programs and commands change it, one after the other; the sensor "
        "`watch_collections` sees that and shows it here. Materialize it to have it looked at now.\n\nThe data version "
        f"is the number of its newest version.\n\nLies at `{layout.LAKE_REGISTRY}` in the lake.",
        metadata={"path": layout.LAKE_REGISTRY, "dagster/column_schema": columns.REGISTRY},
        group_name=GROUP,
        kinds={"deltalake"},
        owners=artifacts.OWNERS,
        tags={"kind": "collections"},
        code_version="1",
        retry_policy=RETRY,
    )
    def registry(context: dg.AssetExecutionContext) -> Result:
        with explained():
            repo = open_lake(context, naming).collections
            known = known_partitions(context.instance, naming.collections)
            version = str(repo.registry.version())
            keep_partitions(context.instance, naming.collections, known, labels_of(repo))
            return dg.MaterializeResult(data_version=dg.DataVersion(version), metadata=of_registry(repo))

    return registry


def collections_asset(naming: Naming) -> dg.AssetSpec:
    """The tables themselves, which no run makes."""
    return dg.AssetSpec(
        naming.key(COLLECTIONS),
        description="**The tables of rows, each with all its versions.** Programs and commands write them (`lakehouse "
        "collections write`), and pulls from other lakes; each new version is shown here some seconds later.\n\nThe "
        "data version is a digest of the newest version. Assets of your own that are made from such a table can "
        f"depend on this one.\n\nLies at `{layout.LAKE_COLLECTIONS}/<id>` in the lake.",
        group_name=GROUP,
        kinds={"deltalake", "polars"},
        owners=artifacts.OWNERS,
        partitions_def=naming.collections,
        metadata={"path": f"{layout.LAKE_COLLECTIONS}/<id>"},
    )


def labels_of(repo: Repo) -> list[str]:
    """The partitions that the tables of a place are."""
    return sorted(
        Shared(entry.label, entry.namespace).partition
        for namespace in repo.namespaces()
        for entry in repo.entries(namespace)
    )


def registry_event(naming: Naming, repo: Repo) -> dg.AssetMaterialization:
    """The registry as it is now, as an event."""
    version = str(repo.registry.version())
    return materialization(naming, REGISTRY, version, of_registry(repo), partition=None)


def collection_event(naming: Naming, collection: Collection) -> dg.AssetMaterialization:
    """A table as it is now, as an event."""
    log = collection.table.log
    mark = log.mark(log.snapshot().version) or ""
    return materialization(
        naming,
        COLLECTIONS,
        mark[:_DIGITS],
        of_collection(collection),
        partition=Shared(collection.label, collection.namespace).partition,
    )


def is_told(instance: dg.DagsterInstance, naming: Naming, event: dg.AssetMaterialization) -> bool:
    """Whether an instance knows that an asset has this version."""
    filters = dg.AssetRecordsFilter(
        event.asset_key, asset_partitions=[event.partition] if event.partition is not None else None
    )
    for record in instance.fetch_materializations(filters, limit=1).records:
        known = record.asset_materialization
        tags: Mapping[str, str] = (known.tags if known is not None else None) or {}
        return tags.get(DATA_VERSION) == (event.tags or {}).get(DATA_VERSION)
    return False


def of_registry(repo: Repo) -> Metadata:
    """The collections of a place."""
    found = [entry for namespace in repo.namespaces() for entry in repo.entries(namespace)]
    rows: list[dict[str, Cell]] = [
        {
            "label": cell(entry.label),
            "namespace": cell(entry.namespace),
            "written by": "key" if entry.schema.is_kv else "range",
            "columns": cell(" ".join(f"{name}={kind}" for name, kind in entry.schema.columns.items())),
            "created": f"{entry.created:%Y-%m-%d %H:%M}",
        }
        for entry in found[:_MOST_LISTED]
    ]
    return {
        "dagster/row_count": dg.MetadataValue.int(len(found)),
        "dagster/uri": dg.MetadataValue.text(repo.location.url(layout.LAKE_REGISTRY)),
        **table("listed", rows),
    }


def of_collection(collection: Collection) -> Metadata:
    """A table: how much of what is in it, its columns, and its first rows."""
    snapshot = collection.table.log.snapshot()
    files = list(snapshot.files.values())
    size = sum(file.size for file in files)
    series = collection.ls()
    known: Metadata = {
        "dagster/row_count": dg.MetadataValue.int(sum(file.rows or 0 for file in files)),
        "dagster/uri": dg.MetadataValue.text(collection.location.uri),
        "dagster/column_schema": dg.MetadataValue.table_schema(_schema(collection)),
        "version": dg.MetadataValue.int(snapshot.version),
        "did": dg.MetadataValue.text(collection.table.log.operation(snapshot.version)),
        "series": dg.MetadataValue.int(len(series)),
        "files": dg.MetadataValue.int(len(files)),
        "bytes": dg.MetadataValue.int(size),
        "size": dg.MetadataValue.text(human_size(size)),
    }
    return {**known, **_preview(collection, series)}


def _schema(collection: Collection) -> dg.TableSchema:
    schema = collection.schema
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                str(column).rstrip("*"),
                description="part of the index" if name in schema.index else None,
                constraints=dg.TableColumnConstraints(nullable=name not in schema.index),
            )
            for name, column in schema.columns.items()
        ]
    )


def _preview(collection: Collection, series: list[str]) -> Mapping[str, dg.MetadataValue]:
    """The first rows of the first series."""
    if not series:
        return {}
    rows: list[dict[str, Cell]] = [
        {"series": cell(series[0]), **{name: cell(value) for name, value in row.items()}}
        for row in (collection / series[0]).frame(limit=_ROWS).to_dicts()
    ]
    return table("preview", rows)
