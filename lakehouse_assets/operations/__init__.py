"""Operations: what can be done with a dataset, with their jobs and the decision whether there is anything to do."""

from lakehouse_assets.model.crawl import HandleExistingMode
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.operations.compactions import CompactJob, CompactOperation
from lakehouse_assets.operations.crawling.job import CrawlJob
from lakehouse_assets.operations.crawls import CrawlOperation
from lakehouse_assets.operations.deletes import DeleteJob, DeleteOperation
from lakehouse_assets.operations.download import DownloadArchiveJob, DownloadArchiveOperation
from lakehouse_assets.operations.exports import (
    ExportDocumentsJob,
    ExportDocumentsOperation,
    ExportEntitiesJob,
    ExportEntitiesOperation,
    ExportIndexJob,
    ExportIndexOperation,
    ExportJob,
    ExportStatementsJob,
    ExportStatementsOperation,
    ExportStatisticsJob,
    ExportStatisticsOperation,
)
from lakehouse_assets.operations.factories import (
    compact,
    crawl,
    download_archive,
    export_documents,
    export_entities,
    export_index,
    export_statements,
    export_statistics,
    make,
    merge,
    vacuum,
)
from lakehouse_assets.operations.flush import FlushJob, FlushOperation
from lakehouse_assets.operations.imports import ImportJob, ImportOperation
from lakehouse_assets.operations.make import MakeJob, MakeOperation
from lakehouse_assets.operations.mappings import MappingJob, MappingOperation
from lakehouse_assets.operations.merges import MergeJob, MergeOperation
from lakehouse_assets.operations.vacuums import VacuumJob, VacuumOperation

__all__ = [
    "CompactJob",
    "CompactOperation",
    "CrawlJob",
    "CrawlOperation",
    "DatasetJobOperation",
    "DeleteJob",
    "DeleteOperation",
    "DownloadArchiveJob",
    "DownloadArchiveOperation",
    "ExportDocumentsJob",
    "ExportDocumentsOperation",
    "ExportEntitiesJob",
    "ExportEntitiesOperation",
    "ExportIndexJob",
    "ExportIndexOperation",
    "ExportJob",
    "ExportStatementsJob",
    "ExportStatementsOperation",
    "ExportStatisticsJob",
    "ExportStatisticsOperation",
    "FlushJob",
    "FlushOperation",
    "HandleExistingMode",
    "ImportJob",
    "ImportOperation",
    "MakeJob",
    "MakeOperation",
    "MappingJob",
    "MappingOperation",
    "MergeJob",
    "MergeOperation",
    "VacuumJob",
    "VacuumOperation",
    "compact",
    "crawl",
    "download_archive",
    "export_documents",
    "export_entities",
    "export_index",
    "export_statements",
    "export_statistics",
    "make",
    "merge",
    "vacuum",
]
