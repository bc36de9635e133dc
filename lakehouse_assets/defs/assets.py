"""The assets of a lake. Each runs one operation of `lakehouse_assets.lake` and shows what came out."""

from datetime import datetime
from typing import Literal

import dagster as dg
from pydantic import Field

from lakehouse_assets.defs import artifacts, metadata
from lakehouse_assets.defs.archive import archive_asset
from lakehouse_assets.defs.artifacts import Artifact
from lakehouse_assets.defs.asked import AskedConfig, asked_fields, asked_job, run_asked
from lakehouse_assets.defs.automation import keep_latest, keep_present
from lakehouse_assets.defs.correlation import correlation_id
from lakehouse_assets.defs.declaring import Result, asset_of
from lakehouse_assets.defs.differences import diff_asset
from lakehouse_assets.defs.failures import RETRY, explained
from lakehouse_assets.defs.journal import journal_asset, of_flush
from lakehouse_assets.defs.mappings import mappings_asset
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.progress import LogProgress
from lakehouse_assets.defs.resources import makes, open_lake
from lakehouse_assets.defs.telling import tell_statements
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.lake import Dataset
from lakehouse_assets.model.times import parse
from lakehouse_assets.operations import DeleteJob, ExportJob, FlushJob, ImportJob


class ImportConfig(AskedConfig):
    """What to import. With files or without, what waits in the journal is flushed first."""

    files: list[str] = Field(
        default=[],
        description="Files of FollowTheMoney entities, one JSON object per line, or of statements as .csv or "
        ".parquet; .gz, .zst and .bz2, too. Paths or s3://bucket/file.",
    )
    origin: str = Field(default="bulk", description="Who says so; a line's own origin wins over it.")
    mode: Literal["safe", "trusted"] = Field(
        default="safe",
        description="safe: clean and check each value. trusted: take values as they are, for files that "
        "followthemoney wrote.",
    )
    strict: bool = Field(default=False, description="Import nothing at all if a single line is bad.")
    override_origin: bool = Field(
        default=False, description="Give each line this origin, even if it has its own."
    )
    role: str | None = Field(
        default=None, description="Who adds this; only where a line does not say it itself."
    )
    last_seen: str | None = Field(
        default=None,
        description="When the source said so, like 2026-01-31T12:00:00Z; only where a line does not say it. "
        "The time of the import by default.",
    )
    replace: bool = Field(
        default=False,
        description="Delete what the origins of the files said before and do not say any more. Refused when a "
        "single line is bad.",
    )


class ExportConfig(AskedConfig):
    """How to make it."""

    force: bool = Field(default=False, description="Make it again even if it is fresh.")
    assertions: bool = Field(
        default=True,
        description="Off: publish even if pipeline.yml asserts otherwise of the statements. That is kept on record.",
    )


def build_assets(naming: Naming) -> list[dg.AssetsDefinition | dg.SourceAsset]:
    """All assets of a lake."""
    return [
        _dataset_config(naming),
        archive_asset(naming),
        mappings_asset(naming),
        journal_asset(naming),
        _statements(naming),
        *(_export(naming, artifact) for artifact in artifacts.FILES),
        *(diff_asset(naming, artifact) for artifact in artifacts.DIFFS),
        _catalog(naming),
    ]


def _bring_in(
    dataset: Dataset, config: ImportConfig, log: dg.DagsterLogManager
) -> tuple[FlushJob, ImportJob | None]:
    """Flush the journal, then do what else a run's config asks for."""
    asked = asked_job(config, ImportJob, DeleteJob, FlushJob)
    if isinstance(asked, FlushJob):
        # under the id that the job's record is waited for
        return dataset.run(asked, progress=LogProgress(log)), None
    flushed = dataset.flush(progress=LogProgress(log))
    return flushed, run_import(dataset, config, log)


def run_import(dataset: Dataset, config: ImportConfig, log: dg.DagsterLogManager) -> ImportJob | None:
    """Import the files of a run's config, if it names any, or delete what it asks for."""
    if config.job:
        done = run_asked(dataset, config, log, ImportJob, DeleteJob)
        return done if isinstance(done, ImportJob) else None
    if not config.files:
        return None
    return dataset.import_files(
        config.files,
        origin=config.origin,
        trusted=config.mode == "trusted",
        strict=config.strict,
        override_origin=config.override_origin,
        role=config.role,
        last_seen=_time(config.last_seen),
        replace=config.replace,
        progress=LogProgress(log),
    )


def _dataset_config(naming: Naming) -> dg.SourceAsset:
    artifact = artifacts.DATASET_CONFIG

    @dg.observable_source_asset(
        key=naming.key(artifact.asset),
        partitions_def=naming.datasets,
        required_resource_keys={naming.resource},
        description=artifact.description,
        metadata=artifact.metadata,
        group_name=artifact.group,
        tags={f"dagster/kind/{kind}": "" for kind in artifact.kinds},
    )
    def dataset_config(context: dg.OpExecutionContext) -> dg.DataVersionsByPartition:
        lake = open_lake(context, naming)
        with explained():
            return dg.DataVersionsByPartition(
                {name: lake.dataset(name).config_digest() for name in lake.datasets()}
            )

    return dataset_config


def _statements(naming: Naming) -> dg.AssetsDefinition:
    artifact = artifacts.STATEMENT_TABLE

    @asset_of(naming, artifact, kind="table", by_itself=keep_present())
    def statements(context: dg.AssetExecutionContext, config: ImportConfig) -> Result:
        with explained():
            dataset = open_lake(context, naming).dataset(context.partition_key)
            flushed, job = _bring_in(dataset, config, context.log)
            return dg.MaterializeResult(
                data_version=dg.DataVersion(dataset.content_version()),
                metadata={**metadata.of_statements(dataset, job), **of_flush(flushed)},
            )

    return statements


def _export(naming: Naming, artifact: Artifact) -> dg.AssetsDefinition:
    @asset_of(naming, artifact, kind="export")
    def export(context: dg.AssetExecutionContext, config: ExportConfig) -> Result:
        with explained():
            lake = open_lake(context, naming)
            dataset = lake.dataset(context.partition_key)
            if not makes(context, naming, artifacts.STATEMENTS) and not dataset.flush().skipped:
                tell_statements(context, naming, dataset, "flushed from the journal")
            fields = {"assertions": config.assertions, **asked_fields(config, ExportJob)}
            # what the same run makes later need not be made along with the file
            job = dataset.export(
                artifact.name,
                force=config.force,
                flush_first=False,
                update_index=not makes(context, naming, artifacts.INDEX),
                kept=lake.kept_parts(run_id=context.run_id, correlation_id=correlation_id(context.run)),
                progress=LogProgress(context.log),
                **{**fields, **_deferred(context, naming, artifact)},
            )
            context.log.info(
                f"{job.path} is fresh" if job.skipped else f"wrote {job.path}, {job.rows:,} rows"
            )
            # what another program made, and is fresh, has no digest on record
            version = job.digest or dataset.freshness(artifact.name).version or ""
            return dg.MaterializeResult(
                data_version=dg.DataVersion(version), metadata=metadata.of_export(dataset, artifact, job)
            )

    return export


def _deferred(context: dg.AssetExecutionContext, naming: Naming, artifact: Artifact) -> dict[str, bool]:
    """Whether the differences of an export are left to their own asset, because that is in the run, too."""
    diff = next((diff.asset for diff in artifacts.DIFFS if artifact.asset in diff.deps), None)
    return {} if diff is None else {"defer_diff": makes(context, naming, diff)}


def _catalog(naming: Naming) -> dg.AssetsDefinition:
    artifact = artifacts.LAKE_CATALOG

    @dg.asset(
        key=naming.key(artifact.asset),
        deps=[dg.AssetDep(naming.key(artifacts.INDEX), partition_mapping=dg.AllPartitionMapping())],
        required_resource_keys={naming.resource},
        description=artifact.description,
        metadata=artifact.metadata,
        group_name=artifact.group,
        kinds=set(artifact.kinds),
        owners=artifacts.OWNERS,
        tags={"kind": "catalog"},
        code_version=artifact.code_version,
        automation_condition=keep_latest(naming),
        retry_policy=RETRY,
    )
    def catalog_index(context: dg.AssetExecutionContext, config: ExportConfig) -> Result:
        with explained():
            lake = open_lake(context, naming)
            result = lake.export_catalog(force=config.force)
            return dg.MaterializeResult(
                data_version=dg.DataVersion(result.digest), metadata=metadata.of_catalog(lake, result)
            )

    return catalog_index


def _time(text: str | None) -> datetime | None:
    """A time of run config; without an offset it is UTC."""
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError as exc:
        msg = f"last_seen is no time: {text!r}; write it like 2026-01-31T12:00:00Z"
        raise InvalidData(msg) from exc
