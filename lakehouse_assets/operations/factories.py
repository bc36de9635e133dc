"""One call for each operation on a dataset that is open."""

from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets.model.crawl import HandleExistingMode
from lakehouse_assets.operations.compactions import CompactJob, CompactOperation
from lakehouse_assets.operations.crawling.job import CrawlJob
from lakehouse_assets.operations.crawls import CrawlOperation
from lakehouse_assets.operations.download import DownloadArchiveJob, DownloadArchiveOperation
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
from lakehouse_assets.operations.vacuums import VacuumJob, VacuumOperation

if TYPE_CHECKING:
    from lakehouse_assets.lake import Dataset


def export_statements(
    dataset: "Dataset", force: bool = False, *, assertions: bool = True
) -> ExportStatementsJob:
    """Write exports/statements.csv."""
    job = ExportStatementsJob.make(dataset=dataset.name, assertions=assertions)
    return ExportStatementsOperation.from_job(job, dataset).run(force=force)


def export_entities(
    dataset: "Dataset", force: bool = False, make_diff: bool = True, *, assertions: bool = True
) -> ExportEntitiesJob:
    """Write entities.ftm.json."""
    job = ExportEntitiesJob.make(dataset=dataset.name, make_diff=make_diff, assertions=assertions)
    return ExportEntitiesOperation.from_job(job, dataset).run(force=force)


def export_documents(
    dataset: "Dataset",
    force: bool = False,
    make_diff: bool = True,
    public_url_prefix: str | None = None,
    *,
    assertions: bool = True,
) -> ExportDocumentsJob:
    """Write exports/documents.csv and exports/documents.crawl.csv."""
    job = ExportDocumentsJob.make(
        dataset=dataset.name,
        make_diff=make_diff,
        public_url_prefix=public_url_prefix,
        assertions=assertions,
    )
    return ExportDocumentsOperation.from_job(job, dataset).run(force=force)


def export_statistics(
    dataset: "Dataset", force: bool = False, *, assertions: bool = True
) -> ExportStatisticsJob:
    """Write exports/statistics.json."""
    job = ExportStatisticsJob.make(dataset=dataset.name, assertions=assertions)
    return ExportStatisticsOperation.from_job(job, dataset).run(force=force)


def export_index(dataset: "Dataset", force: bool = False, *, assertions: bool = True) -> ExportIndexJob:
    """Write index.json."""
    job = ExportIndexJob.make(dataset=dataset.name, assertions=assertions)
    return ExportIndexOperation.from_job(job, dataset).run(force=force)


def make(dataset: "Dataset", force: bool = False, *, assertions: bool = True) -> MakeJob:
    """Write every export that is not fresh, and the index."""
    job = MakeJob.make(dataset=dataset.name, assertions=assertions)
    return MakeOperation.from_job(job, dataset).run(force=force)


def merge(dataset: "Dataset", force: bool = False) -> MergeJob:
    """Rewrite the statements to the rows that count."""
    return MergeOperation.from_job(MergeJob.make(dataset=dataset.name), dataset).run(force=force)


def compact(dataset: "Dataset", force: bool = False) -> CompactJob:
    """Put small files of the statements together."""
    return CompactOperation.from_job(CompactJob.make(dataset=dataset.name), dataset).run(force=force)


def vacuum(dataset: "Dataset", retention_hours: int = 0, force: bool = False) -> VacuumJob:
    """Delete the data files of the statements that no version needs any more."""
    job = VacuumJob.make(dataset=dataset.name, retention_hours=retention_hours)
    return VacuumOperation.from_job(job, dataset).run(force=force)


def crawl(
    dataset: "Dataset",
    uri: str | Path | None = None,
    prefix: str | None = None,
    exclude_prefix: str | None = None,
    glob: str | None = None,
    exclude_glob: str | None = None,
    existing: HandleExistingMode | None = HandleExistingMode.skip_path,
    make_entities: bool = False,
) -> CrawlJob:
    """Archive the files at a path or URL, or at the sources of pipeline.yml."""
    job = CrawlJob.make(
        dataset=dataset.name,
        uri=str(uri) if uri is not None else None,
        prefix=prefix,
        exclude_prefix=exclude_prefix,
        glob=glob,
        exclude_glob=exclude_glob,
        existing=existing,
        make_entities=make_entities,
    )
    return CrawlOperation.from_job(job, dataset).run()


def download_archive(dataset: "Dataset", target: str | Path, force: bool = False) -> DownloadArchiveJob:
    """Bring all archived files back to their paths, in a folder or an object store."""
    job = DownloadArchiveJob.make(dataset=dataset.name, target=str(target))
    return DownloadArchiveOperation.from_job(job, dataset).run(force=force)
