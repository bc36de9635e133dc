"""Importing entities and statements from files."""

import json
import logging
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import IO, Literal

from lakehouse_assets import layout
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.model.names import check_origin
from lakehouse_assets.operations.base import DatasetJobOperation
from lakehouse_assets.statements.imports import Advance
from lakehouse_assets.statements.inputs import Source, file_source
from lakehouse_assets.statements.lines import BadLine
from lakehouse_assets.storage.jobs import JobRun

log = logging.getLogger(__name__)

Mode = Literal["safe", "trusted"]

_TOLD = 20
"""So many bad lines are told one by one: who imports the wrong file need not read a million lines."""


class ImportJob(DatasetJob):
    """
    An import of entities or statements; `done` counts entities, `errors` lines that could not be imported.

    `rejected` counts values that cleaning refused and `unknown` those of properties that the schema does not have, by
    `Schema.property`. `quarantine` is where the bad lines are kept, and `deleted` counts the statements that
    `replace` took back.
    """

    files: list[str] = []
    origin: str = "default"
    mode: Mode = "safe"
    strict: bool = False
    override_origin: bool = False
    role: str | None = None
    last_seen: datetime | None = None
    replace: bool = False
    entities: int = 0
    rows: int = 0
    deleted: int = 0
    bytes: int = 0
    seconds: float = 0.0
    rejected: dict[str, int] = {}
    unknown: dict[str, int] = {}
    empty: int = 0
    quarantine: str | None = None
    content_version: str | None = None


class ImportOperation(DatasetJobOperation[ImportJob]):
    """Imports entities, in one commit; asked for, it is always done."""

    sources: Sequence[Source] | None = None
    """What to read instead of the job's files."""

    def handle(self, run: JobRun[ImportJob], *args: object, **kwargs: object) -> None:
        """Read, check, stage and commit; InvalidData for a bad line when the job is strict."""
        job = run.job
        check_origin(job.origin)
        options = self.parts.location.storage_options
        sources = (
            self.sources if self.sources is not None else [file_source(name, options) for name in job.files]
        )
        with Quarantine(self, run) as quarantine:
            imported = self.parts.store.import_lines(
                sources,
                origin=job.origin,
                trusted=job.mode == "trusted",
                strict=job.strict,
                override_origin=job.override_origin,
                role=job.role,
                last_seen=job.last_seen,
                replace=job.replace,
                keep_bad=quarantine.keep,
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


class Quarantine:
    """Keeps the lines that could not be imported: one JSON object each, with file, line, reason and text."""

    def __init__(self, operation: ImportOperation, run: JobRun[ImportJob]) -> None:
        self._location = operation.parts.location
        self._job = run.job
        self._file: IO[bytes] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> "Quarantine":
        return self

    def keep(self, name: str, line: int, bad: BadLine) -> None:
        """Take a bad line."""
        if self._file is None:
            self._file = self._stack.enter_context(
                tempfile.SpooledTemporaryFile(1 << 20, prefix="lakehouse-quarantine-")  # noqa: SIM115
            )
        self._job.errors += 1
        if self._job.errors <= _TOLD:
            log.warning("%s, line %s: %s", name, line, bad.reason)
        elif self._job.errors == _TOLD + 1:
            log.warning("more bad lines follow; all of them are kept in the quarantine")
        text = bad.text.decode(errors="replace").rstrip("\r\n")
        entry = {"file": name, "line": line, "reason": bad.reason, "text": text}
        self._file.write(json.dumps(entry).encode() + b"\n")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._stack:
            if self._file is not None and kind is None:
                self._job.quarantine = layout.quarantine(self._job.run_id)
                self._file.seek(0)
                with self._location.writer(self._job.quarantine) as writer:
                    shutil.copyfileobj(self._file, writer)
