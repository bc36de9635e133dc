"""One dataset of a lake: its statements, its exports, and all that can be done with them."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.exports.keeping import KeptParts
from lakehouse_assets.exports.registry import EXPORTS
from lakehouse_assets.exports.statements_csv import COLUMNS, HEADER, render_statements
from lakehouse_assets.exports.statements_parquet import write_parquet
from lakehouse_assets.model.crawl import HandleExistingMode
from lakehouse_assets.model.dataset import DatasetConfig
from lakehouse_assets.model.job import new_run_id
from lakehouse_assets.operations import (
    CompactJob,
    CompactOperation,
    CrawlJob,
    CrawlOperation,
    DeleteJob,
    DeleteOperation,
    DownloadArchiveJob,
    DownloadArchiveOperation,
    ExportJob,
    FlushJob,
    ImportJob,
    MakeJob,
    MakeOperation,
    MergeJob,
    MergeOperation,
    VacuumJob,
    VacuumOperation,
)
from lakehouse_assets.operations.asked import run_job
from lakehouse_assets.operations.base import DJ
from lakehouse_assets.operations.checks import check_names, run_check
from lakehouse_assets.operations.crawling.report import CrawlReport, read_report
from lakehouse_assets.operations.explain import Explanation, explain
from lakehouse_assets.operations.exports import OPERATIONS
from lakehouse_assets.operations.findings import CheckResult
from lakehouse_assets.operations.flush import flush
from lakehouse_assets.operations.freshness import Freshness, config_digest, freshness_of
from lakehouse_assets.operations.given import given_sources
from lakehouse_assets.operations.mapping_states import file_names
from lakehouse_assets.operations.queries import Query
from lakehouse_assets.operations.repositories import Progress
from lakehouse_assets.operations.selections import ALL, Selection, selected_rows
from lakehouse_assets.operations.status import DatasetStatus, dataset_status
from lakehouse_assets.parts import DatasetParts
from lakehouse_assets.statements import schema as s
from lakehouse_assets.storage.digest import Sink
from lakehouse_assets.storage.holders import Holder

if TYPE_CHECKING:
    import polars as pl
    from followthemoney.proxy import EntityProxy

    from lakehouse_assets.lake import Lake

log = logging.getLogger(__name__)


class Dataset(DatasetParts):
    """
    One dataset of a lake: its statements, its exports, and what is known about it.

    Example:
        >>> acme = Lake("data").dataset("acme")
        >>> acme.status().dirty_partitions
        ['0/thing/bulk']
        >>> acme.merge().partitions
        ['0/thing/bulk']
    """

    @classmethod
    def create(cls, name: str, *, lake: "Lake | None" = None, **config: object) -> "Dataset":
        """
        A new dataset in a lake, by default that of the settings.

        StorageError when the lake's store would let writers overwrite each other's work.
        """
        if lake is None:
            # the lake imports its datasets
            from lakehouse_assets.lake import Lake

            lake = Lake()
        dataset = cls(lake, name)
        made = DatasetConfig.make(name, **{**config, "uri": dataset.uri})
        lake.location.prove_conditions(layout.probe(new_run_id()))
        dataset.versions.make(layout.CONFIG, made)
        log.info("made the dataset %s", dataset.uri)
        return dataset

    def import_files(
        self,
        files: Sequence[str | Path],
        *,
        origin: str = s.DEFAULT_ORIGIN,
        trusted: bool = False,
        strict: bool = False,
        override_origin: bool = False,
        role: str | None = None,
        last_seen: datetime | None = None,
        replace: bool = False,
        journal: bool = False,
        progress: Progress | None = None,
    ) -> ImportJob:
        """
        Import entities (JSON lines) and statements (CSV, parquet) from files, in one commit.

        A file is a path, an object (`s3://bucket/file`, with the lake's credentials or those of the environment), or
        `-` for stdin.

        Values are cleaned unless the files are `trusted`. Bad lines are kept in the quarantine and counted in
        `errors`; with `strict` the first one ends the import, and nothing is written. With `replace`, what the origins
        of the files said before and do not say any more is deleted; a bad line ends the import then. With `journal` all
        of it waits in the journal: no other writer is waited for, and the next flush makes it visible.
        """
        job = ImportJob.make(
            dataset=self.name,
            files=[str(file) for file in files],
            origin=origin,
            mode="trusted" if trusted else "safe",
            strict=strict,
            override_origin=override_origin,
            role=role,
            last_seen=last_seen,
            replace=replace,
            journal=journal,
        )
        return self.run_import(job, None, progress)

    def import_entities(
        self,
        entities: "Iterable[EntityProxy | Mapping[str, object]]",
        *,
        origin: str = s.DEFAULT_ORIGIN,
        trusted: bool = False,
        strict: bool = False,
        override_origin: bool = False,
        role: str | None = None,
        last_seen: datetime | None = None,
        replace: bool = False,
        journal: bool = False,
        progress: Progress | None = None,
    ) -> ImportJob:
        """
        Import entities from a program: mappings, followthemoney's proxies and entities of statements, in one commit.

        The options are those of `import_files`. Entities of statements keep what each statement says of itself.
        """
        sources = given_sources(entities)
        job = ImportJob.make(
            dataset=self.name,
            files=[sources[0].name],
            origin=origin,
            mode="trusted" if trusted else "safe",
            strict=strict,
            override_origin=override_origin,
            role=role,
            last_seen=last_seen,
            replace=replace,
            journal=journal,
        )
        return self.run_import(job, sources, progress)

    def run(self, job: DJ, *, force: bool = False, progress: Progress | None = None, **options: object) -> DJ:
        """Do what a job says: `run(MergeJob.make(dataset="acme"))`."""
        return run_job(job, self.repositories, force=force, progress=progress, **options)

    def delete(self, ids: Collection[str], *, origin: str | None = None) -> DeleteJob:
        """Delete entities, of all origins or one; `missing` names those that were not there."""
        job = DeleteJob.make(dataset=self.name, ids=sorted(set(ids)), origin=origin)
        return DeleteOperation(job, repositories=self.repositories).run()

    def flush(self, *, force: bool = False, progress: Progress | None = None) -> FlushJob:
        """Make visible what was written into the journal, exactly once; exports and `make` do so first."""
        return flush(self.repositories, force=force, progress=progress)

    def get(self, ids: Collection[str]) -> dict[str, bytes]:
        """Entities by id, each as a line of JSON like those of entities.ftm.json; missing ones are left out."""
        return self.entities.get_json(ids)

    def query(
        self,
        *,
        schema: str | None = None,
        where: Mapping[str, str] | None = None,
        origin: str | None = None,
        bucket: str | None = None,
        changed_since: datetime | None = None,
        limit: int | None = None,
        **properties: str,
    ) -> Iterator[bytes]:
        """
        Entities that fit all that is asked, each as a line of JSON: `query(schema="Company", country="de")`.

        `where` takes properties, too, also those that are called like another argument.
        """
        query = Query(schema, {**(where or {}), **properties}, origin, bucket, changed_since)
        return islice(self.entities.query_json(query), limit)

    def explain(self, entity_id: str, prop: str | None = None) -> Explanation:
        """Who says each value of an entity, since when, and what became of claims that do not count any more."""
        return explain(
            self.statements,
            self.name,
            entity_id,
            prop,
            file_names=lambda checksum: file_names(self.archive, checksum),
        )

    def statement_frames(self, selection: Selection = ALL) -> "Iterator[pl.DataFrame]":
        """The statements that count, all or some, by frames of the columns of statements.csv."""
        return selected_rows(self.statements.reader, selection, COLUMNS)

    def statements_csv(self, selection: Selection = ALL) -> Iterator[bytes]:
        """Blocks of a statements.csv, of all statements or some."""
        yield HEADER
        for rows in self.statement_frames(selection):
            yield "".join(render_statements(rows)).encode()

    def statements_parquet(self, file: Sink, selection: Selection = ALL) -> int:
        """Write the same statements as parquet, to anything that takes bytes; returns how many."""
        return write_parquet(self.statement_frames(selection), file)

    def export(
        self,
        name: str,
        *,
        force: bool = False,
        assertions: bool = True,
        flush_first: bool = True,
        update_index: bool = True,
        kept: KeptParts | None = None,
        progress: Progress | None = None,
        **fields: object,
    ) -> ExportJob:
        """
        Write one export unless it is fresh: statements, entities, documents, statistics or index. What waits in the
        journal is flushed first, unless `flush_first` is off because the caller did so.

        An index that lists it is written again, and the lake's catalogue, unless `update_index` is off because the
        caller does so later. AssertionFailed when the statements are not what pipeline.yml asserts, and nothing is
        written; with `assertions` off it is, and the job says what did not hold. `kept` has what earlier tries of the
        same work did of a long export, and takes what this one does. `fields` are others of the export's job, like
        `make_diff` of entities and documents.
        """
        if name not in OPERATIONS:
            msg = f"no export {name!r}; there are {', '.join(OPERATIONS)}"
            raise InvalidData(msg)
        job, operation = OPERATIONS[name]
        asked = job.make(dataset=self.name, assertions=assertions, **fields)
        step = operation(asked, repositories=self.repositories, progress=progress)
        done: ExportJob = step.run(force=force, update_index=update_index, flush=flush_first, kept=kept)
        if update_index and (not done.skipped or done.done):
            self.lake.export_catalog()
        return done

    def make(
        self,
        *,
        force: bool = False,
        assertions: bool = True,
        progress: Progress | None = None,
        catalog: bool = True,
    ) -> MakeJob:
        """
        Write every export that is not fresh, then the index, then the lake's catalogue.

        AssertionFailed when the statements are not what pipeline.yml asserts, unless `assertions` is off.
        """
        job = MakeJob.make(dataset=self.name, assertions=assertions)
        done = MakeOperation(job, repositories=self.repositories, progress=progress).run(force=force)
        if catalog:
            self.lake.export_catalog()
        return done

    def crawl(
        self,
        uri: str | Path | None = None,
        *,
        only: Collection[str] = (),
        prefix: str | None = None,
        exclude_prefix: str | None = None,
        glob: str | None = None,
        exclude_glob: str | None = None,
        existing: HandleExistingMode | None = None,
        make_entities: bool | None = None,
        journal: bool = False,
        verify: bool = False,
        retry_failed: str | None = None,
        progress: Progress | None = None,
    ) -> CrawlJob:
        """
        Archive the files at a path or URL, and make entities of them; without one, at the sources of pipeline.yml.

        `only` names some of these by their addresses, without passwords.

        What is given goes before what pipeline.yml says. What cannot be read is counted in `errors` and named in the
        report. With `verify` the archive is only compared with the source; `retry_failed` takes nothing but what failed
        in the run of that id. With `journal` the entities wait in the journal, and the next flush makes them visible.
        """
        asked = {
            "uri": str(uri) if uri is not None else None,
            "only": sorted(only) or None,
            "prefix": prefix,
            "exclude_prefix": exclude_prefix,
            "glob": glob,
            "exclude_glob": exclude_glob,
            "existing": existing,
            "make_entities": True if make_entities is None and uri is not None else make_entities,
            "retry_failed": retry_failed,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        job = CrawlJob.make(dataset=self.name, verify=verify, journal=journal, **given)
        return CrawlOperation(job, repositories=self.repositories, progress=progress).run()

    def crawl_report(self, run_id: str) -> CrawlReport:
        """What a crawl saw of which sources, and what failed, by the id of its run; NotFound without it."""
        return read_report(self.location, run_id)

    def download(
        self, target: str | Path, *, force: bool = False, progress: Progress | None = None
    ) -> DownloadArchiveJob:
        """
        Bring the archived files back to their paths, in a folder or at a URL; those that are there already stay.

        What cannot be brought is counted in `errors` and named in `failed`.
        """
        job = DownloadArchiveJob.make(dataset=self.name, target=str(target))
        operation = DownloadArchiveOperation(job, repositories=self.repositories, progress=progress)
        done = operation.run(force=force)
        # the list of documents may have been made for it, and with it the index
        self.lake.export_catalog()
        return done

    def merge(self, *, force: bool = False, progress: Progress | None = None) -> MergeJob:
        """Rewrite the partitions that a merge would change; answers stay the same."""
        job = MergeJob.make(dataset=self.name)
        return MergeOperation(job, repositories=self.repositories, progress=progress).run(force=force)

    def compact(self, *, force: bool = False, progress: Progress | None = None) -> CompactJob:
        """Put small files of the statements together, sorted by entity id; no row changes."""
        job = CompactJob.make(dataset=self.name)
        return CompactOperation(job, repositories=self.repositories, progress=progress).run(force=force)

    def vacuum(self, *, retention_hours: int = 0, dry_run: bool = False, force: bool = False) -> VacuumJob:
        """
        Delete the data files that no live version needs, unless they were needed in the last `retention_hours`.

        Versions that long reads hold stay whole. With `dry_run` files are only counted.
        """
        job = VacuumJob.make(dataset=self.name, retention_hours=retention_hours, dry_run=dry_run)
        return VacuumOperation(job, repositories=self.repositories).run(force=force)

    def content_version(self) -> str:
        """The version of what reads answer; merges leave it as it is."""
        return self.statements.content_version()

    def config_digest(self) -> str:
        """The SHA-256 of config.yml."""
        return config_digest(self.repositories)

    def freshness(self, name: str) -> Freshness:
        """The state of an export, and why it is stale."""
        return freshness_of(EXPORTS[name], self.repositories)

    def status(self) -> DatasetStatus:
        """Counts, freshness of all exports, partitions to merge, and locks."""
        return dataset_status(self.repositories)

    def check(self, asset: str, check: str) -> CheckResult:
        """One check of one asset."""
        return run_check(self.repositories, asset, check)

    def checks(self) -> list[CheckResult]:
        """All checks of all assets."""
        return [run_check(self.repositories, asset, check) for asset, check in check_names()]

    def holders(self) -> list[Holder]:
        """Everybody who holds a lease on the dataset now."""
        return self.leases.holders()

    def unlock(self) -> list[Holder]:
        """Break every lease, whoever holds it; returns who held one."""
        return self.leases.break_all()
