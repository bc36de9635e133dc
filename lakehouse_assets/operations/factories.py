"""One call for each operation on a dataset that is open."""

from typing import TYPE_CHECKING

from lakehouse_assets.operations.exports import (
    ExportDocumentsJob,
    ExportDocumentsOperation,
    ExportEntitiesJob,
    ExportEntitiesOperation,
    ExportIndexJob,
    ExportIndexOperation,
    ExportStatementsJob,
    ExportStatementsOperation,
    ExportStatisticsJob,
    ExportStatisticsOperation,
)
from lakehouse_assets.operations.make import MakeJob, MakeOperation
from lakehouse_assets.operations.merges import MergeJob, MergeOperation

if TYPE_CHECKING:
    from lakehouse_assets.lake import Dataset


def export_statements(dataset: "Dataset", force: bool = False) -> ExportStatementsJob:
    """Write exports/statements.csv."""
    job = ExportStatementsJob.make(dataset=dataset.name)
    return ExportStatementsOperation.from_job(job, dataset).run(force=force)


def export_entities(dataset: "Dataset", force: bool = False, make_diff: bool = True) -> ExportEntitiesJob:
    """Write entities.ftm.json."""
    job = ExportEntitiesJob.make(dataset=dataset.name, make_diff=make_diff)
    return ExportEntitiesOperation.from_job(job, dataset).run(force=force)


def export_documents(
    dataset: "Dataset", force: bool = False, make_diff: bool = True, public_url_prefix: str | None = None
) -> ExportDocumentsJob:
    """Write exports/documents.csv and exports/documents.crawl.csv."""
    job = ExportDocumentsJob.make(
        dataset=dataset.name, make_diff=make_diff, public_url_prefix=public_url_prefix
    )
    return ExportDocumentsOperation.from_job(job, dataset).run(force=force)


def export_statistics(dataset: "Dataset", force: bool = False) -> ExportStatisticsJob:
    """Write exports/statistics.json."""
    job = ExportStatisticsJob.make(dataset=dataset.name)
    return ExportStatisticsOperation.from_job(job, dataset).run(force=force)


def export_index(dataset: "Dataset", force: bool = False) -> ExportIndexJob:
    """Write index.json."""
    job = ExportIndexJob.make(dataset=dataset.name)
    return ExportIndexOperation.from_job(job, dataset).run(force=force)


def make(dataset: "Dataset", force: bool = False) -> MakeJob:
    """Write every export that is not fresh, and the index."""
    return MakeOperation.from_job(MakeJob.make(dataset=dataset.name), dataset).run(force=force)


def merge(dataset: "Dataset", force: bool = False) -> MergeJob:
    """Rewrite the statements to the rows that count."""
    return MergeOperation.from_job(MergeJob.make(dataset=dataset.name), dataset).run(force=force)
