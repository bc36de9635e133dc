"""Changing the files of a state: one writer at a time, and only what is still as it was loaded."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from lakehouse_assets.errors import StateConflict, StateCorrupt, StorageError
from lakehouse_assets.model.times import iso, now_utc
from lakehouse_assets.state import names
from lakehouse_assets.state.data import StateData
from lakehouse_assets.state.files import Found, JobFiles, Kind, StateFile, to_file
from lakehouse_assets.state.header import Header
from lakehouse_assets.state.values import Json, digest
from lakehouse_assets.storage.file_leases import FileLeases
from lakehouse_assets.storage.lease import Lease
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)


class Writes:
    """What changes the states of a folder."""

    def __init__(self, location: Location, leases: FileLeases, *, username: str | None) -> None:
        self._location = location
        self._leases = leases
        self._username = username

    def write(self, data: StateData, kind: Kind) -> None:
        """Write the running or the completed file of a state; of a completed one the running file is removed."""
        values = data.to_dict()
        with self._locked(data.job, "update" if kind == "running" else "complete") as (files, lease):
            found = _expected(files, data)
            if kind == "completed" and _is_completed(found, values):
                return
            self._put(files, found, data, values, kind, lease)
            if kind == "completed" and found.running is not None:
                _tidy(files, data.job, found.running)

    def prepare(self, data: StateData) -> None:
        """Check a state; if it has no epoch, write its running file, with what is on disk of it."""
        if data.epoch:
            _expected(JobFiles(self._location, data.job), data)
            return
        with self._locked(data.job, "prepare") as (files, lease):
            found = _expected(files, data)
            values = found.current.values if found.current else {}
            self._put(files, found, data, values, "running", lease)

    def rollback(self, job: str) -> bool:
        """Remove the running file, whatever it holds; whether there was one."""
        with self._locked(job, "rollback") as (files, lease):
            raw = files.bytes_of("running")
            if raw is None:
                return False
            completed = files.read_one("completed")
            lease.check()
            if completed is not None and not _is_left_over(files):
                # the generations of what is dropped will be given again: of another epoch, they mean something else
                body = to_file(completed.values, completed.header.renewed())
                if not files.write("completed", completed, body):
                    raise _conflict(job, completed.header, files.read().header)
            return files.remove("running", raw)

    def reset(self, job: str) -> bool:
        """Remove both files, whatever they hold; whether there was one."""
        with self._locked(job, "reset") as (files, lease):
            order = _order_of_removal(files)
            lease.check()
            return any([files.delete(kind) for kind in order])

    @contextmanager
    def _locked(self, job: str, reason: str) -> Iterator[tuple[JobFiles, Lease]]:
        files = JobFiles(self._location, job)
        with self._leases.hold(names.lock(job), name=f"state {job}", reason=reason) as lease:
            yield files, lease

    def _next(self, data: StateData, kind: Kind, values: dict[str, Json]) -> Header:
        return Header(
            job=data.job,
            generation=data.generation + 1,
            status=kind,
            run_id=data.writer,
            updated_at=iso(now_utc()),
            hash=digest(values),
            epoch=data.epoch or uuid.uuid4().hex,
            username=self._username,
        )

    def _put(
        self,
        files: JobFiles,
        found: Found,
        data: StateData,
        values: dict[str, Json],
        kind: Kind,
        lease: Lease,
    ) -> None:
        """Write a file in the place of what was found of it; StateConflict when somebody else was faster."""
        header = self._next(data, kind, values)
        body = to_file(values, header)
        lease.check()
        if not files.write(kind, found.running if kind == "running" else found.completed, body):
            raise _conflict(data.job, data.header, files.read().header)
        if not lease.held:
            _settle(files, found, data, body, kind)
        data.written_as(header)


def _expected(files: JobFiles, data: StateData) -> Found:
    """What is on disk, if it is still what the state was loaded from; else StateConflict."""
    found = files.read()
    if (found.header.generation, found.header.epoch) != (data.generation, data.epoch):
        raise _conflict(data.job, data.header, found.header)
    return found


def _is_completed(found: Found, values: dict[str, Json]) -> bool:
    completed = found.completed
    return completed is not None and found.current is completed and digest(completed.values) == digest(values)


def _settle(files: JobFiles, found: Found, data: StateData, body: bytes, kind: Kind) -> None:
    """
    See whether a write counts that ended after its lease was lost; StateConflict when it does not.

    Between the look and the write another one may have taken the lease over and written the other file.
    """
    now = files.read()
    seen = found.running.raw if found.running else None
    if kind == "completed" and now.running is not None and now.running.raw != seen:
        # ours would hide a newer state, whose writer was told that it is written: take it back
        _take_back(files, found.completed, now.completed, body)
        raise _conflict(data.job, data.header, now.running.header)
    if now.current is None or now.current.raw != body:
        raise _conflict(data.job, data.header, now.header)


def _take_back(files: JobFiles, before: StateFile | None, now: StateFile | None, body: bytes) -> None:
    if now is None or now.raw != body:
        return
    if before is None:
        files.remove("completed", body)
    else:
        files.write("completed", now, before.raw)


def _tidy(files: JobFiles, job: str, running: StateFile) -> None:
    """Remove the running file of a state that is completed; it does not count any more, and may stay."""
    try:
        files.remove("running", running.raw)
    except StorageError as exc:
        log.warning("the running file of the state %s is left behind, which does no harm: %s", job, exc)


def _order_of_removal(files: JobFiles) -> tuple[Kind, Kind]:
    """
    In which order the files go, so that a crash in between leaves a state that was there.

    What a completed state left behind goes first: alone, it would count again. Else the running file goes last: alone,
    the completed one would give its generations a second time.
    """
    return ("running", "completed") if _is_left_over(files) else ("completed", "running")


def _is_left_over(files: JobFiles) -> bool:
    """Whether there is a running file that does not count any more; one that cannot be read might."""
    try:
        found = files.read()
    except StateCorrupt:
        return False
    return found.running is not None and found.current is found.completed


def _conflict(job: str, expected: Header, found: Header) -> StateConflict:
    msg = (
        f"the state of {job!r} was changed by somebody else: generation {expected.generation} was loaded, "
        f"generation {found.generation} is there now; nothing was written, load it again and go on from there"
    )
    return StateConflict(msg, expected=expected.generation, found=found.generation)
