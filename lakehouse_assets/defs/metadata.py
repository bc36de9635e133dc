"""What the result of an operation looks like on an asset's page."""

from collections.abc import Mapping, Sequence

import dagster as dg

from lakehouse_assets.defs import artifacts
from lakehouse_assets.defs.artifacts import Artifact
from lakehouse_assets.defs.numbers import human_size
from lakehouse_assets.defs.preview import catalog_preview, preview
from lakehouse_assets.lake import Dataset, Lake
from lakehouse_assets.operations import CompactJob, ExportJob, ImportJob, MergeJob, VacuumJob
from lakehouse_assets.operations.catalog import CatalogResult
from lakehouse_assets.operations.findings import CheckResult, Row
from lakehouse_assets.operations.freshness import Freshness
from lakehouse_assets.storage.location import Location

Metadata = dict[str, dg.MetadataValue]

# job records hold all of them
_MOST_NOTES = 50
_IS_LATEST = "is_latest"
# they stand row by row in what a check says
_FOR_PROGRAMS = {"made_from", "current"}


def of_export(dataset: Dataset, artifact: Artifact, job: ExportJob) -> Metadata:
    """A file that was written, or was fresh already."""
    return {
        **_file(dataset.location.url(job.path), rows=job.rows, size=job.bytes, digest=job.digest),
        **_work(job.seconds, skipped=job.skipped),
        **{name: _note(value) for name, value in job.notes.items()},
        **_failed(job.failed_assertions),
        **preview(dataset, artifact.asset, job.path),
    }


def of_freshness(dataset: Dataset, artifact: Artifact, state: Freshness) -> Metadata:
    """A file that was made outside Dagster."""
    return {
        **_file_of(dataset.location, state),
        **preview(dataset, artifact.asset, state.path),
    }


def of_catalog_state(lake: Lake, state: Freshness) -> Metadata:
    """A catalogue that was made outside Dagster."""
    return {**_file_of(lake.location, state), **catalog_preview(lake.location)}


def of_catalog(lake: Lake, result: CatalogResult) -> Metadata:
    """The lake's catalogue."""
    uri = lake.location.url(artifacts.LAKE_CATALOG.path)
    return {
        **_file(uri, rows=result.rows, size=result.bytes, digest=result.digest),
        **_work(result.seconds, skipped=result.skipped),
        **catalog_preview(lake.location),
    }


def of_statements(dataset: Dataset, job: ImportJob | None) -> Metadata:
    """The statements as they are now, and what an import added to them."""
    status = dataset.status()
    known: Metadata = {
        "dagster/row_count": dg.MetadataValue.int(status.statements),
        "dagster/uri": dg.MetadataValue.text(dataset.location.url(artifacts.STATEMENT_TABLE.path)),
        "entities": dg.MetadataValue.int(status.entities),
        "content_version": dg.MetadataValue.text(status.content_version),
        "partitions_to_merge": dg.MetadataValue.int(len(status.dirty_partitions)),
        **preview(dataset, artifacts.STATEMENTS, artifacts.STATEMENT_TABLE.path),
    }
    return known | (of_import(dataset, job) if job is not None else _work(0.0, skipped=True))


def of_statements_at_a_glance(dataset: Dataset) -> Metadata:
    """What is known of the statements without going through them."""
    state = dataset.freshness("statements")
    rows: Metadata = (
        {"dagster/row_count": dg.MetadataValue.int(state.rows)}
        if state.fresh and state.rows is not None
        else {}
    )
    return {
        **rows,
        "dagster/uri": dg.MetadataValue.text(dataset.location.url(artifacts.STATEMENT_TABLE.path)),
        "content_version": dg.MetadataValue.text(dataset.content_version()),
    }


def of_import(dataset: Dataset, job: ImportJob) -> Metadata:
    """What an import took in, and what it left out."""
    found: Metadata = {
        "files": dg.MetadataValue.json(job.files),
        "origin": dg.MetadataValue.text(job.origin),
        "mode": dg.MetadataValue.text(job.mode),
        "imported_entities": dg.MetadataValue.int(job.entities),
        "imported_statements": dg.MetadataValue.int(job.rows),
        "bad_lines": dg.MetadataValue.int(job.errors),
        **_size(job.bytes),
        **_work(job.seconds, skipped=False),
    }
    if job.quarantine is not None:
        found["quarantine"] = dg.MetadataValue.text(dataset.location.url(job.quarantine))
    for name, counts in (("rejected_values", job.rejected), ("unknown_properties", job.unknown)):
        if counts:
            found[name] = dg.MetadataValue.md(_counts(counts))
    return found


def of_merge(job: MergeJob) -> Metadata:
    """What a merge rewrote."""
    return {
        "partitions": dg.MetadataValue.int(len(job.partitions)),
        "rows_before": dg.MetadataValue.int(job.rows_before),
        "rows_after": dg.MetadataValue.int(job.rows_after),
        **_work(job.seconds, skipped=job.skipped),
    }


def of_compaction(job: CompactJob) -> Metadata:
    """What a compaction rewrote."""
    return {
        "partitions": dg.MetadataValue.int(len(job.partitions)),
        "files_before": dg.MetadataValue.int(job.files_before),
        "files_after": dg.MetadataValue.int(job.files_after),
        "rows": dg.MetadataValue.int(job.rows),
        **_size(job.bytes),
        **_work(job.seconds, skipped=job.skipped),
    }


def of_vacuum(job: VacuumJob) -> Metadata:
    """What a vacuum deleted."""
    return {
        "files": dg.MetadataValue.int(job.files),
        "swept": dg.MetadataValue.int(job.swept),
        "retention_hours": dg.MetadataValue.int(job.retention_hours),
        "dry_run": dg.MetadataValue.bool(job.dry_run),
        **_size(job.bytes),
        **_work(job.seconds, skipped=job.skipped),
    }


def of_check(result: CheckResult) -> Metadata:
    """The numbers of a check, which Dagster plots over time."""
    return {name: _value(value) for name, value in result.metadata.items() if name not in _FOR_PROGRAMS}


def describe(result: CheckResult) -> str | None:
    """
    What a check found, in markdown: in a sentence, row by row, and what helps.

    Its page shows this at once; markdown among the metadata would only be a link.
    """
    parts = [str(result.metadata["why"])] if "why" in result.metadata else []
    # of what passed a sentence is enough, if there is one
    if result.table and not (result.passed and parts):
        parts.append(_table(result.table))
    if result.mend:
        here = ", or materialise this partition" if result.check == _IS_LATEST else ""
        parts.append(f"**What helps:** {result.mend}{here}")
    return "\n\n".join(parts) or None


def _file_of(location: Location, state: Freshness) -> Metadata:
    known = _file(
        location.url(state.path), rows=state.rows or 0, size=state.bytes or 0, digest=state.digest or ""
    )
    if state.written_at is not None:
        known["written_at"] = dg.MetadataValue.timestamp(state.written_at)
    return known


def _file(uri: str, *, rows: int, size: int, digest: str) -> Metadata:
    return {
        "dagster/row_count": dg.MetadataValue.int(rows),
        "dagster/uri": dg.MetadataValue.text(uri),
        "sha256": dg.MetadataValue.text(digest),
        **_size(size),
    }


def _size(size: int) -> Metadata:
    return {"bytes": dg.MetadataValue.int(size), "size": dg.MetadataValue.text(human_size(size))}


def _work(seconds: float, *, skipped: bool) -> Metadata:
    return {"seconds": dg.MetadataValue.float(round(seconds, 3)), "skipped": dg.MetadataValue.bool(skipped)}


def _failed(assertions: Sequence[str]) -> Metadata:
    """What was published although it does not hold."""
    if not assertions:
        return {}
    text = "Published although\n\n" + "\n".join(f"- {assertion}" for assertion in assertions)
    return {"failed_assertions": dg.MetadataValue.md(text)}


def _note(value: int | list[str]) -> dg.MetadataValue:
    return (
        dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.json(value[:_MOST_NOTES])
    )


def _value(value: str | int | float) -> dg.MetadataValue:
    if isinstance(value, bool):
        return dg.MetadataValue.bool(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    return dg.MetadataValue.float(value) if isinstance(value, float) else dg.MetadataValue.text(value)


def _table(rows: Sequence[Row]) -> str:
    """Rows in markdown."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([_cell(cell) for cell in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |" for cells in lines)


def _cell(value: str | int | float) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, int) else value


def _counts(counts: Mapping[str, int]) -> str:
    lines = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_NOTES]
    return "| property | values |\n|---|---|\n" + "\n".join(
        f"| {name} | {count:,} |" for name, count in lines
    )
