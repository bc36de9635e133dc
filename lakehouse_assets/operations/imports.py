"""Importing entities and statements from files."""

import logging
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from lakehouse_assets.model.names import check_origin
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.operations.delegating import asset_config
from lakehouse_assets.operations.flush import flush
from lakehouse_assets.operations.quarantine import Quarantine, QuarantiningJob
from lakehouse_assets.remote.launch import Launch
from lakehouse_assets.statements.imports import Advance
from lakehouse_assets.statements.inputs import Source, file_source
from lakehouse_assets.statements.lines import BadLine
from lakehouse_assets.storage.jobs import JobRun

log = logging.getLogger(__name__)

Mode = Literal["safe", "trusted"]

_STDIN = "-"


class ImportJob(QuarantiningJob):
    """
    An import of entities or statements; `done` counts entities, `errors` lines that could not be imported.

    `rejected` counts values that cleaning refused and `unknown` those of properties that the schema does not have, by
    `Schema.property`. `quarantine` is where the bad lines are kept, and `deleted` counts the statements that
    `replace` took back. With `journal` it is confirmed in the journal, and visible after the next flush.
    """

    files: list[str] = []
    origin: str = "default"
    mode: Mode = "safe"
    strict: bool = False
    override_origin: bool = False
    role: str | None = None
    last_seen: datetime | None = None
    replace: bool = False
    journal: bool = False
    entities: int = 0
    rows: int = 0
    deleted: int = 0
    bytes: int = 0
    seconds: float = 0.0
    rejected: dict[str, int] = {}
    unknown: dict[str, int] = {}
    empty: int = 0
    content_version: str | None = None


class ImportOperation(DatasetJobOperation[ImportJob]):
    """Imports entities, in one commit; asked for, it is always done."""

    sources: Sequence[Source] | None = None
    """What to read instead of the job's files."""

    def runs_here(self) -> bool:
        """Whether something is read that only this process has: stdin, or what a program made."""
        return self.sources is not None or _STDIN in self.job.files

    def launch(self, force: bool) -> Launch:
        """The asset of Dagster that takes files; it has to find them where they are found here."""
        files = [file if "://" in file else str(Path(file).absolute()) for file in self.job.files]
        job = self.job.model_copy(update={"files": files})
        return Launch(assets=["statements"], config={"statements": asset_config(job)})

    def handle(self, run: JobRun[ImportJob], *args: object, **kwargs: object) -> None:
        """Read, check, stage and commit; InvalidData for a bad line when the job is strict."""
        job = run.job
        check_origin(job.origin)
        options = self.parts.location.storage_options
        sources = (
            self.sources if self.sources is not None else [file_source(name, options) for name in job.files]
        )
        if job.replace:
            # what was confirmed before is replaced, too
            flush(self.parts)
        with Quarantine(self.parts.location, job) as quarantine:
            imported = self.parts.store.import_lines(
                sources,
                origin=job.origin,
                trusted=job.mode == "trusted",
                strict=job.strict,
                override_origin=job.override_origin,
                role=job.role,
                last_seen=job.last_seen,
                replace=job.replace,
                journal=job.journal,
                keep_bad=lambda name, line, bad: quarantine.keep(name, line, bad.reason, _text(bad)),
                progress=lambda advance: self._progress(run, advance),
            )
        job.done = job.entities = imported.entities
        job.pending = 0
        job.rows, job.bytes, job.empty = imported.rows, imported.bytes, imported.empty_values
        job.deleted = imported.deleted
        job.rejected = dict(sorted(imported.rejected.items()))
        job.unknown = dict(sorted(imported.unknown.items()))
        job.content_version = self.parts.store.content_version()
        run.job.touch()
        job.seconds = job.took.total_seconds()
        log.info(
            "%s: imported %s entities, %s statements in %.1f s, %s bad lines",
            job.dataset, job.entities, job.rows, job.seconds, job.errors,
        )  # fmt: skip

    def _progress(self, run: JobRun[ImportJob], advance: Advance) -> None:
        pending = advance.lines - advance.done
        run.progress(advance.done, pending)
        if not advance.size:
            self.report(advance.done, pending, "lines")
            return
        # reading is one half, and writing what was read the other
        written = advance.read * advance.done // max(advance.lines, 1)
        done = (advance.read + written) // 2
        self.report(done, advance.size - done, "bytes")


def _text(bad: BadLine) -> str:
    return bad.text.decode(errors="replace")
