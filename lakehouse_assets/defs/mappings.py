"""The asset of the mappings, and what its page shows of them."""

from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.asked import AskedConfig, run_asked
from lakehouse_assets.defs.declaring import Result, asset_of
from lakehouse_assets.defs.failures import explained
from lakehouse_assets.defs.naming import Naming
from lakehouse_assets.defs.numbers import bars
from lakehouse_assets.defs.preview import Cell, cell, table
from lakehouse_assets.defs.progress import LogProgress
from lakehouse_assets.defs.resources import makes, open_lake
from lakehouse_assets.defs.telling import tell_statements
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.lake import Dataset
from lakehouse_assets.operations import MappingJob
from lakehouse_assets.operations.mapping_files import Ran

_DIGITS = 12
_MOST_NAMED = 50
# the reason stands behind a place that is long
_LONGEST = 1000


class MappingConfig(AskedConfig):
    """Which mappings to run. Those that ran as they are now are skipped."""

    hashes: list[str] = Field(
        default=[], description="Checksums of mapped files, or their first digits; all by default."
    )
    force: bool = Field(default=False, description="Run them even if nothing changed.")
    journal: bool = Field(
        default=False, description="What they make into the journal; the next flush makes it visible."
    )


def mappings_asset(naming: Naming) -> dg.AssetsDefinition:
    """The mappings of each dataset."""
    artifact = artifacts.TABLE_MAPPINGS

    @asset_of(naming, artifact, kind="files")
    def mappings(context: dg.AssetExecutionContext, config: MappingConfig) -> Result:
        with explained():
            dataset = open_lake(context, naming).dataset(context.partition_key)
            ran = _run(dataset, config, context.log)
            if not makes(context, naming, artifacts.STATEMENTS):
                # alone, it says itself that the statements changed, and fails by itself
                if any(each.job is not None and not each.job.skipped for each in ran):
                    tell_statements(context, naming, dataset, "mapped from tables")
                _insist(ran)
            return dg.MaterializeResult(
                data_version=dg.DataVersion(dataset.mappings.version()), metadata=of_mappings(dataset, ran)
            )

    return mappings


def of_mappings(dataset: Dataset, ran: Sequence[Ran] = ()) -> dict[str, dg.MetadataValue]:
    """The mappings as they are now, and what came of those that were run."""
    states = dataset.mappings.states()
    jobs = [each.job for each in ran if each.job is not None and not each.job.skipped]
    schemata: dict[str, int] = {}
    for job in jobs:
        for schema, count in job.schemata.items():
            schemata[schema] = schemata.get(schema, 0) + count
    rows: list[dict[str, Cell]] = [
        {
            "file": state.content_hash[:_DIGITS],
            "path": cell(", ".join(state.files)),
            "makes": cell(", ".join(state.schemata)),
            "statements": state.rows or 0,
            "why": (state.problem or state.why)[:_LONGEST],
        }
        for state in states[:_MOST_NAMED]
    ]
    found: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(len(states)),
        "dagster/uri": dg.MetadataValue.text(dataset.location.url(artifacts.TABLE_MAPPINGS.path)),
        "stale": dg.MetadataValue.int(sum(not state.fresh and state.replaced_by is None for state in states)),
        **table("mappings", rows),
    }
    if jobs:
        found["rows_read"] = dg.MetadataValue.int(sum(job.records for job in jobs))
        found["entities"] = dg.MetadataValue.int(sum(job.entities for job in jobs))
        found["statements"] = dg.MetadataValue.int(sum(job.rows for job in jobs))
        found["deleted"] = dg.MetadataValue.int(sum(job.deleted for job in jobs))
        found["quarantined_rows"] = dg.MetadataValue.int(sum(job.errors for job in jobs))
        found["entities_by_schema"] = dg.MetadataValue.md(f"```\n{bars(list(schemata.items()))}\n```")
        found |= table("runs", _runs(ran))
    if any(each.error is not None for each in ran):
        found["failed"] = dg.MetadataValue.int(sum(each.error is not None for each in ran))
        found |= table("failures", _failures(ran))
    return found


def _run(dataset: Dataset, config: MappingConfig, log: dg.DagsterLogManager) -> list[Ran]:
    if asked := run_asked(dataset, config, log, MappingJob, force=config.force):
        return [Ran(asked.content_hash, asked)]
    wanted = [dataset.mappings.find(digits) for digits in config.hashes] or None
    ran = []
    for each in dataset.mappings.run(
        wanted, force=config.force, journal=config.journal, progress=LogProgress(log)
    ):
        ran.append(each)
        if each.error is not None:
            log.error(f"{each.content_hash}: {each.error}")
        elif each.job is not None and not each.job.skipped:
            name = ", ".join(each.job.files) or each.content_hash
            log.info(f"made {each.job.entities:,} entities of {each.job.records:,} rows of {name}")
    return ran


def _insist(ran: Sequence[Ran]) -> None:
    """Fail with all that mappings failed with."""
    problems = [str(each.error) for each in ran if each.error is not None]
    if len(problems) == 1:
        raise InvalidData(problems[0])
    if problems:
        msg = f"{len(problems)} of {len(ran)} mappings failed:\n" + "\n".join(problems)
        raise InvalidData(msg)


def _runs(ran: Sequence[Ran]) -> list[dict[str, Cell]]:
    return [
        {
            "path": cell(", ".join(each.job.files)),
            "rows": each.job.records,
            "entities": each.job.entities,
            "statements": each.job.rows,
            "quarantined": each.job.errors,
            "missing columns": cell(", ".join(each.job.missing)),
            "seconds": round(each.job.seconds, 1),
        }
        for each in ran[:_MOST_NAMED]
        if each.job is not None and not each.job.skipped
    ]


def _failures(ran: Sequence[Ran]) -> list[dict[str, Cell]]:
    return [
        {"file": each.content_hash[:_DIGITS], "problem": str(each.error)[:_LONGEST]}
        for each in ran
        if each.error is not None
    ]
