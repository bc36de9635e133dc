"""The asset of the journal, and what has it flushed: when it has grown, or waits for some time."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.checks import IS_LATEST
from lakehouse_assets.defs.declaring import Result, asset_of
from lakehouse_assets.defs.failures import explained
from lakehouse_assets.defs.metadata import Metadata
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.preview import Cell, table
from lakehouse_assets.defs.resources import open_lake
from lakehouse_assets.defs.working import RUNNING, WAITING, datasets_at_work
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations import FlushJob
from lakehouse_assets.statements.journal import Journal, Waiting
from lakehouse_assets.storage.parallel import in_parallel

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

FLUSH = "flush"

_MOST_NAMED = 50
# an object store takes its time for each folder
_WORKERS = 16
_AGAIN = timedelta(hours=1)
"""After so long a flush that was asked for and did not happen is asked for again."""


def journal_asset(naming: Naming) -> dg.AssetsDefinition:
    """What programs wrote, and what of it waits."""

    @asset_of(naming, artifacts.WRITTEN, kind="files")
    def journal(context: dg.AssetExecutionContext) -> Result:
        with explained():
            dataset = open_lake(context, naming).dataset(context.partition_key)
            return dg.MaterializeResult(
                data_version=dg.DataVersion(dataset.statements.journal.version()),
                metadata=of_journal(dataset),
            )

    return journal


def of_journal(dataset: Dataset) -> Metadata:
    """What waits in the journal."""
    waiting = dataset.statements.journal.waiting()
    rows: list[dict[str, Cell]] = [
        {"written": segment.at.isoformat(timespec="seconds"), "statements": segment.rows}
        for segment in waiting[:_MOST_NAMED]
    ]
    found: Metadata = {
        "dagster/row_count": dg.MetadataValue.int(sum(segment.rows for segment in waiting)),
        "dagster/uri": dg.MetadataValue.text(dataset.location.url(artifacts.WRITTEN.path)),
        "waiting_segments": dg.MetadataValue.int(len(waiting)),
        **table("waiting", rows),
    }
    if waiting:
        found = {**found, "oldest": dg.MetadataValue.timestamp(waiting[0].at.timestamp())}
    return found


def of_flush(job: FlushJob) -> Metadata:
    """What a flush moved; nothing when nothing waited."""
    if job.skipped:
        return {}
    return {
        "flushed_segments": dg.MetadataValue.int(job.segments),
        "flushed_statements": dg.MetadataValue.int(job.rows),
    }


def flush_job(naming: Naming) -> "UnresolvedAssetJobDefinition":
    """The journal into the statements."""
    assets = naming.keys([artifacts.JOURNAL, artifacts.STATEMENTS])
    checks = [dg.AssetCheckKey(asset, IS_LATEST) for asset in assets]
    return dg.define_asset_job(
        naming.name(FLUSH),
        selection=dg.AssetSelection.assets(*assets).without_checks() | dg.AssetSelection.checks(*checks),
        partitions_def=naming.datasets,
        description="Makes visible what programs wrote into the journal of a dataset. What is made of the statements "
        "follows by itself.",
        tags={"kind": "make"},
    )


def flush_sensor(naming: Naming, job: "UnresolvedAssetJobDefinition") -> dg.SensorDefinition:
    """Has journals flushed."""

    @dg.sensor(
        name=naming.name("flush_journal"),
        job=job,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.resource},
        description="Asks for a flush of each dataset whose journal has grown (LAKEHOUSE_JOURNAL_ROWS) or has held "
        "something for some time (LAKEHOUSE_JOURNAL_SECONDS).",
    )
    def flush_journal(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        lake = open_lake(context, naming)
        known = set(context.instance.get_dynamic_partitions(naming.partition_set))
        waiting = {name: found for name, found in waiting_in(lake).items() if name in known}
        due = [name for name, found in waiting.items() if _is_due(lake, found)]
        # what a run is about to flush is not asked for again
        at_work = datasets_at_work(context.instance, (*WAITING, *RUNNING)) if due else set()
        asked = [name for name in due if name not in at_work]
        if not asked:
            rows = sum(segment.rows for found in waiting.values() for segment in found)
            return dg.SkipReason(
                f"{rows:,} statements wait in {len(waiting)} journals, {len(due)} of them are being flushed"
            )
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(partition_key=name, run_key=_run_key(name, waiting[name])) for name in asked
            ]
        )

    return flush_journal


def waiting_in(lake: Lake) -> Mapping[str, Sequence[Waiting]]:
    """What waits in the journals of all datasets, of those in which something does."""
    names = lake.datasets()
    # only of an object store are several asked at a time
    look = map if lake.location.path is not None else partial(in_parallel, workers=_WORKERS)
    found = look(lambda name: Journal(lake.location / name).waiting(), names)
    return {name: segments for name, segments in zip(names, found, strict=True) if segments}


def _is_due(lake: Lake, waiting: Sequence[Waiting]) -> bool:
    settings = lake.settings
    age = (now_utc() - waiting[0].at).total_seconds()
    return (
        sum(segment.rows for segment in waiting) >= settings.journal_rows or age >= settings.journal_seconds
    )


def _run_key(name: str, waiting: Sequence[Waiting]) -> str:
    """The same for the same journal, whoever asks; another one when it still waits after some time."""
    turn = int((now_utc() - waiting[0].at) / _AGAIN)
    return f"{name}:{waiting[0].name}:{waiting[-1].name}:{turn}"
