"""Running mappings: the rows of an archived table become entities, in one commit."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.mapping.config import DatasetMapping
from lakehouse_assets.mapping.run import Tally, run_mapping
from lakehouse_assets.mapping.store import MappingFile, Mappings
from lakehouse_assets.mapping.tables import BadRow
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.operations.delegating import asset_config
from lakehouse_assets.operations.flush import flush
from lakehouse_assets.operations.mapping_states import (
    check_not_replaced,
    file_names,
    mapping_state,
    origin_of,
    sources_of,
)
from lakehouse_assets.operations.quarantine import Quarantine, QuarantiningJob
from lakehouse_assets.remote.launch import Launch
from lakehouse_assets.statements.columns import EntitySource, entity_table
from lakehouse_assets.statements.imports import Advance
from lakehouse_assets.storage.jobs import JobRun
from lakehouse_assets.storage.records import Written

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)


class MappingJob(QuarantiningJob):
    """
    A run of a mapping; `done` and `entities` count the entities it made, `errors` the rows that are quarantined.

    `records` counts the rows of the table, `rows` the statements, `schemata` entities by schema, `deleted` statements
    that an earlier run made and this one did not, `rejected` values that cleaning refused by `Schema.property`.
    `missing` names columns that the file does not have, `read_as` says how it was read. With `journal` all of it waits
    in the journal for the next flush.
    """

    content_hash: str
    journal: bool = False
    entities: int = 0
    files: list[str] = []
    records: int = 0
    rows: int = 0
    deleted: int = 0
    bytes: int = 0
    seconds: float = 0.0
    schemata: dict[str, int] = {}
    missing: list[str] = []
    rejected: dict[str, int] = {}
    read_as: list[dict[str, str]] = []
    replaced: list[str] = []
    digest: str = ""
    content_version: str | None = None
    skipped: bool = False


class MappingOperation(DatasetJobOperation[MappingJob]):
    """
    Makes the entities of one mapping, unless it and its file are what they were when it last ran.

    What the earlier run of this mapping said and this one does not is deleted in the same commit, and so is all that
    was said by the mappings that it replaces.
    """

    def get_target(self) -> str:
        """The tag of the mapping's last run."""
        return layout.mapping_tag(self.job.content_hash)

    def get_dependencies(self) -> Sequence[str]:
        """The tag of the mapping itself."""
        return [layout.mapping(self.job.content_hash)]

    @property
    def mappings(self) -> Mappings:
        """The dataset's mappings."""
        return Mappings(self.parts.location, self.versions, dataset=self.job.dataset)

    def is_fresh(self) -> bool:
        """Whether the mapping is the one that last ran; moves its tag along where tags alone would say otherwise."""
        began = now_utc()
        fresh = mapping_state(self.parts, self.job.content_hash).fresh
        if fresh and not self.tags.is_latest(self.get_target(), self.get_dependencies()):
            self.tags.set(self.get_target(), began)
        return fresh

    def skip(self) -> None:
        """Note in the job what lies there."""
        super().skip()
        job = self.job
        job.skipped, job.files = True, file_names(self.parts.archive, job.content_hash)
        record = self.parts.records.get(self.get_target())
        if record is not None:
            job.digest, job.rows = record.digest, record.rows

    def launch(self, force: bool) -> Launch:
        """The asset of Dagster that runs mappings."""
        return Launch(assets=["mappings"], config={"mappings": asset_config(self.job, force=force)})

    def handle(self, run: JobRun[MappingJob], *args: object, **kwargs: object) -> None:
        """Read the table, make its entities, and commit them; InvalidData when none came of it that should have."""
        job = run.job
        found = self.mappings.read(job.content_hash)
        check_not_replaced(self.mappings, found.mapping)
        job.files = file_names(self.parts.archive, job.content_hash)
        job.replaced = list(found.mapping.replaces)
        name = job.files[0] if job.files else job.content_hash
        # what its earlier run left in the journal is replaced, too
        flush(self.parts)
        with (
            self.parts.archive.local_path(job.content_hash) as path,
            Quarantine(self.parts.location, job, unit="row") as quarantine,
        ):
            job.bytes = path.stat().st_size
            maker = _Maker(found.mapping, path, name, quarantine)
            imported = self.parts.store.import_lines(
                [EntitySource(name, maker.tables)],
                origin=origin_of(job.content_hash),
                trusted=True,
                replaced=[origin_of(each) for each in (job.content_hash, *found.mapping.replaces)],
                journal=job.journal,
                keep_bad=lambda name, line, bad: quarantine.keep(name, line, bad.reason, bad.text.decode()),
                progress=lambda advance: self._progress(run, advance, maker.tally),
            )
        self._note(job, maker.tally)
        job.rows, job.deleted = imported.rows, imported.deleted
        self._record(found, job)
        job.touch()
        job.seconds = job.took.total_seconds()
        log.info(
            "%s: made %s entities, %s statements of %s rows of %s in %.1f s, %s bad rows",
            job.dataset, job.entities, job.rows, job.records, name, job.seconds, job.errors,
        )  # fmt: skip

    def _note(self, job: MappingJob, tally: Tally) -> None:
        job.done = job.entities = sum(tally.entities.values())
        job.pending = 0
        job.records = tally.rows
        job.schemata = dict(sorted(tally.entities.items()))
        job.missing = [str(column) for column in tally.missing]
        job.rejected = dict(sorted(tally.rejected.items()))
        job.read_as = [dict(description) for description in tally.description]
        job.content_version = self.parts.store.content_version()

    def _record(self, found: MappingFile, job: MappingJob) -> None:
        """Keep on record what it was made from, and that what it replaces is gone."""
        for content_hash in found.mapping.replaces:
            tag = layout.mapping_tag(content_hash)
            self.parts.records.delete(tag)
            self.parts.location.delete(layout.tag(tag))
        job.digest = found.digest
        written = Written(
            digest=found.digest,
            size=found.size,
            rows=job.rows,
            source=sources_of(found.digest),
            path=layout.mapping(job.content_hash),
        )
        self.parts.records.put(self.get_target(), written)

    def _progress(self, run: JobRun[MappingJob], advance: Advance, tally: Tally) -> None:
        run.progress(done=advance.done, pending=advance.lines - advance.done)
        # reading is one half, and writing what was made the other
        size = run.job.bytes
        written = advance.done / max(advance.lines, 1)
        done = int(size * tally.read * (1 + written) / 2)
        self.report(done, size - done, "bytes")


class _Maker:
    """Makes the entities of a table while they are imported."""

    def __init__(self, mapping: DatasetMapping, path: Path, name: str, quarantine: Quarantine) -> None:
        self._mapping = mapping
        self._path = path
        self._name = name
        self._quarantine = quarantine
        self.tally = Tally()

    def tables(self) -> "Iterator[pa.Table]":
        """The entities, each emission of one with a number of its own."""
        import polars as pl

        tally = self.tally
        number = 0
        for made in run_mapping(self._mapping, self._path, name=self._name, tally=tally, on_bad=self._keep):
            positions = pl.int_range(number, number + len(made.ids), eager=True)
            number += len(made.ids)
            yield entity_table(positions, made.ids, made.schema, made.props, made.values)
        for column in tally.missing:
            log.warning("%s has no column %s", self._name, column)
        if not number:
            self._explain()

    def _keep(self, bad: BadRow) -> None:
        self._quarantine.keep(self._name, bad.number, bad.reason, bad.text)

    def _explain(self) -> None:
        """Refuse to make nothing of a table for a reason that can be mended: all that was there would be deleted."""
        tally = self.tally
        if tally.missing:
            columns = ", ".join(map(str, tally.missing))
            msg = f"no entity came of {self._name}: it has no column {columns}. Nothing was changed; mend the mapping"
            raise InvalidData(msg)
        if tally.bad_rows:
            msg = (
                f"no entity came of {self._name}: {tally.bad_rows} of its {tally.rows} rows cannot be read. "
                "Nothing was changed; say in the mapping how, like `file: {delimiter: ';', encoding: cp1252}`"
            )
            raise InvalidData(msg)
        log.warning("no entity came of the %s rows of %s", tally.rows, self._name)
