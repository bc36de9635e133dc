"""The asset of the source files, and what its page shows of them."""

import dagster as dg

from lakehouse_assets.archive.summary import Summary
from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.crawls import CrawlConfig, of_crawls, run_crawls
from lakehouse_assets.defs.declaring import Result, asset_of
from lakehouse_assets.defs.failures import explained
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.numbers import bars, human_size
from lakehouse_assets.defs.preview import Cell, cell, table
from lakehouse_assets.defs.resources import makes, open_lake
from lakehouse_assets.defs.telling import tell_statements
from lakehouse_assets.lake import Dataset
from lakehouse_assets.operations.crawling.states import CrawlState

_MOST_NAMED = 20


def archive_asset(naming: Naming) -> dg.AssetsDefinition:
    """The archive of each dataset."""
    artifact = artifacts.SOURCE_FILES

    @asset_of(naming, artifact, kind="files")
    def archive(context: dg.AssetExecutionContext, config: CrawlConfig) -> Result:
        with explained():
            dataset = open_lake(context, naming).dataset(context.partition_key)
            before = dataset.content_version()
            jobs = run_crawls(dataset, config, context.log)
            if dataset.content_version() != before and not makes(context, naming, artifacts.STATEMENTS):
                tell_statements(context, naming, dataset, "crawled")
            summary = dataset.archive.summary()
            return dg.MaterializeResult(
                data_version=dg.DataVersion(summary.listing.version),
                metadata={**of_archive(dataset, summary), **of_crawls(dataset, jobs)},
            )

    return archive


def of_archive(dataset: Dataset, summary: Summary) -> dict[str, dg.MetadataValue]:
    """The files as they are now: how many, of which types, the newest, and those whose content is gone."""
    listing = summary.listing
    sizes = {name: size for name, (_, size) in summary.types.items()}
    counts = {f"{name} ({human_size(sizes[name])})": count for name, (count, _) in summary.types.items()}
    return {
        "dagster/row_count": dg.MetadataValue.int(listing.files),
        "dagster/uri": dg.MetadataValue.text(dataset.location.url(artifacts.SOURCE_FILES.path)),
        "contents": dg.MetadataValue.int(listing.contents),
        "bytes": dg.MetadataValue.int(summary.bytes),
        "size": dg.MetadataValue.text(human_size(summary.bytes)),
        "missing": dg.MetadataValue.int(len(listing.missing)),
        "quarantined": dg.MetadataValue.int(summary.quarantined),
        **({"by_type": dg.MetadataValue.md(f"```\n{bars(list(counts.items()))}\n```")} if counts else {}),
        **table("newest", _newest(summary)),
        **table("states", [_state(state) for state in dataset.sources.states()]),
        **table("missing_files", _missing(dataset, summary)),
    }


def of_listing(dataset: Dataset) -> dict[str, dg.MetadataValue]:
    """What the names of the files tell; none of them is read."""
    listing = dataset.archive.listing()
    return {
        "dagster/row_count": dg.MetadataValue.int(listing.files),
        "dagster/uri": dg.MetadataValue.text(dataset.location.url(artifacts.SOURCE_FILES.path)),
        "contents": dg.MetadataValue.int(listing.contents),
        "missing": dg.MetadataValue.int(len(listing.missing)),
    }


def _newest(summary: Summary) -> list[dict[str, Cell]]:
    return [
        {
            "path": cell(file.key),
            "type": file.mimetype,
            "size": human_size(file.size),
            "changed": f"{file.updated_at:%Y-%m-%d %H:%M} UTC",
            "checksum": file.checksum[:12],
        }
        for file in summary.newest
    ]


def _state(state: CrawlState) -> dict[str, Cell]:
    """From which state of a source's crawls the archive came."""
    status = "unreadable" if state.problem is not None else "left half done" if state.left else state.status
    return {
        "source": cell(state.source or state.job),
        "state": status,
        "generation": state.generation,
        "hash": state.hash,
        "updated": state.updated_at,
    }


def _missing(dataset: Dataset, summary: Summary) -> list[dict[str, Cell]]:
    """Files that are known, and whose content is not there: crawling their source brings it back."""
    return [
        {"path": cell(file.key), "checksum": checksum}
        for checksum in summary.listing.missing[:_MOST_NAMED]
        for file in dataset.archive.get_all_files(checksum)
    ]
