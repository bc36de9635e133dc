"""The assets of differences, and what their pages show: what changed, and what is kept."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import dagster as dg

from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.artifacts import Artifact
from lakehouse_assets.defs.asked import AskedConfig, asked_job
from lakehouse_assets.defs.declaring import Result, asset_of
from lakehouse_assets.defs.failures import explained
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.numbers import human_size
from lakehouse_assets.defs.preview import Cell, cell, table
from lakehouse_assets.defs.progress import LogProgress
from lakehouse_assets.defs.resources import makes, open_lake
from lakehouse_assets.lake import Dataset
from lakehouse_assets.model.deltas import Difference
from lakehouse_assets.operations.diff_checks import DiffStatus
from lakehouse_assets.operations.diffs import DiffJob

_FOLDERS = {artifact.name: artifact.path for artifact in artifacts.DIFFS}
_CHANGES = 10
_VERSIONS = 10


def diff_asset(naming: Naming, artifact: Artifact) -> dg.AssetsDefinition:
    """The differences of an export."""

    @asset_of(naming, artifact, kind="diff")
    def diff(context: dg.AssetExecutionContext, config: AskedConfig) -> Result:
        with explained():
            dataset = open_lake(context, naming).dataset(context.partition_key)
            asked = asked_job(config, DiffJob)
            job = dataset.run(
                asked or DiffJob.make(dataset=dataset.name, artifact=artifact.name),
                update_index=not makes(context, naming, artifacts.INDEX),
                progress=LogProgress(context.log),
            )
            context.log.info(f"{job.rows:,} changes" if job.rows else "nothing changed")
            status = dataset.differences.status(artifact.name)
            # of no change there is no file, and the version stays: it is told that somebody looked all the same
            return dg.MaterializeResult(
                data_version=dg.DataVersion(status.version),
                metadata=of_differences(dataset, status, job.diffs),
            )

    return diff


def of_differences(
    dataset: Dataset, status: DiffStatus, changed: Mapping[str, Mapping[str, int | str]]
) -> dict[str, dg.MetadataValue]:
    """What changed now, the newest changes, and what is kept."""
    counts = {
        name: sum(int(found[name]) for found in changed.values()) for name in ("added", "modified", "deleted")
    }
    newest = _newest(status)
    path = newest[0].path if newest else _FOLDERS[status.artifact]
    since = [state.since for state in status.states.values()]
    return {
        "changed": dg.MetadataValue.int(sum(counts.values())),
        **{name: dg.MetadataValue.int(count) for name, count in counts.items()},
        "dagster/uri": dg.MetadataValue.text(dataset.location.url(path)),
        "kept": dg.MetadataValue.int(len(status.versions)),
        **({"kept_since": dg.MetadataValue.text(min(since))} if since else {}),
        **_size(newest),
        **table("changes", list(islice(_changes(dataset, newest), _CHANGES))),
        **table("versions", [_version(version) for version in status.versions[:_VERSIONS]]),
    }


def _newest(status: DiffStatus) -> list[Difference]:
    """The newest difference of each kind, the newest of all first."""
    last = [state.last for state in status.states.values() if state.last is not None]
    return sorted(last, key=lambda version: version.version, reverse=True)


def _size(newest: Sequence[Difference]) -> dict[str, dg.MetadataValue]:
    size = sum(version.size for version in newest)
    return {"bytes": dg.MetadataValue.int(size), "size": dg.MetadataValue.text(human_size(size))}


def _version(version: Difference) -> dict[str, Cell]:
    return {
        "version": version.version,
        "of": version.kind,
        "added": version.added,
        "modified": version.modified,
        "deleted": version.deleted,
        "size": human_size(version.size),
    }


def _changes(dataset: Dataset, newest: Sequence[Difference]) -> Iterator[dict[str, Cell]]:
    """The first changes of the newest differences."""
    for version in newest:
        if not dataset.location.exists(version.path):
            continue
        for entry in islice(dataset.differences.entries(version), _CHANGES):
            told: dict[str, Cell] = {"op": entry.op, "id": cell(entry.id)}
            if version.kind == "entities":
                entity = json.loads(entry.line) if entry.line else {}
                yield {**told, "schema": cell(entity.get("schema")), "caption": cell(entity.get("caption"))}
            else:
                yield {**told, "path": cell(entry.path), "of": version.kind}
