"""Keeping what could not be imported."""

import json
import logging
import shutil
import tempfile
from contextlib import ExitStack
from typing import IO

from lakehouse_assets import layout
from lakehouse_assets.model.job import DatasetJob
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.spilling import spilling

log = logging.getLogger(__name__)

_TOLD = 20
"""So many are told one by one: who imports the wrong file need not read a million lines."""


class QuarantiningJob(DatasetJob):
    """A job whose `errors` count lines or rows that are kept in the file `quarantine` names."""

    quarantine: str | None = None


class Quarantine:
    """
    Keeps lines and rows that could not be imported: one JSON object each, with file, line, reason and text.

    The file appears when the block ends well.
    """

    def __init__(self, location: Location, job: QuarantiningJob, *, unit: str = "line") -> None:
        self._location = location
        self._unit = unit
        self._job = job
        self._file: IO[bytes] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> "Quarantine":
        return self

    def keep(self, name: str, line: int, reason: str, text: str) -> None:
        """Take one, and count it in the job."""
        with spilling(None):
            self._write({"file": name, "line": line, "reason": reason, "text": text.rstrip("\r\n")})
        self._job.errors += 1
        if self._job.errors <= _TOLD:
            log.warning("%s, %s %s: %s", name, self._unit, line, reason)
        elif self._job.errors == _TOLD + 1:
            log.warning("more bad %ss follow; all of them are kept in the quarantine", self._unit)

    def _write(self, entry: dict[str, object]) -> None:
        if self._file is None:
            self._file = self._stack.enter_context(
                tempfile.SpooledTemporaryFile(1 << 20, prefix="lakehouse-quarantine-")  # noqa: SIM115
            )
        self._file.write(json.dumps(entry).encode() + b"\n")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._stack:
            if self._file is not None and kind is None:
                self._job.quarantine = layout.quarantine(self._job.run_id)
                self._file.seek(0)
                with self._location.writer(self._job.quarantine) as writer:
                    shutil.copyfileobj(self._file, writer)
