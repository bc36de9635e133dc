"""
Where the states of jobs are kept: two small files for each job, below one folder.

    <job>_running.json      written by `update`: how far the job got that is at work now, or that crashed
    <job>_completed.json    written by `complete`: what others may rely on

Each write makes the generation one larger. It goes through only when the state on disk is still the one that was
loaded; a lease for each job holds all others off from that look to the end of the write. On an object store the write
itself is conditional, too.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lakehouse_assets.state import names
from lakehouse_assets.state.data import StateData
from lakehouse_assets.state.files import JobFiles, StateFile
from lakehouse_assets.state.header import Header
from lakehouse_assets.state.writes import Writes
from lakehouse_assets.storage.file_leases import FileLeases
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

_LOCK_TIMEOUT = 60.0
_LEASE_SECONDS = 30.0


class StateStore:
    """
    The states of jobs in a folder: on local disk, in memory, on S3.

    On other stores that fsspec knows it works for one writer at a time.

    Example:
        >>> store = StateStore("memory://lake/acme/state")
        >>> state = store.get_or_create("orders")
        >>> state.status, state.get("last_id", 0)
        ('new', 0)
        >>> state.add_element("last_id", 4711)
        >>> store.complete(state)
        >>> store.get_or_create("orders")
        <StateData 'orders', completed, generation 1: {'last_id': 4711}>
    """

    def __init__(
        self,
        root: str | Path | Location,
        storage_options: Mapping[str, str] | None = None,
        *,
        username: str | None = None,
        lock_timeout: float = _LOCK_TIMEOUT,
        lease_seconds: float = _LEASE_SECONDS,
    ) -> None:
        """
        The states in a folder, which need not be there yet.

        `username` is noted in the files. `lock_timeout` says how long to wait for another writer, `lease_seconds` after
        how long a writer that stands still is held to be dead, both in seconds.
        """
        self.location = root if isinstance(root, Location) else Location(root, storage_options)
        leases = FileLeases(
            self.location,
            timeout=lock_timeout,
            lease_seconds=lease_seconds,
            advice=f"wait {lease_seconds:g} s, then its lease is over",
            owner=username,
        )
        self._writes = Writes(self.location, leases, username=username)

    @classmethod
    def from_amorphic_layout(
        cls,
        lz_bucket: str,
        dlz_bucket: str,
        state_domain: str,
        state_dataset: str,
        username: str | None = None,
        file_type: str = "others",
        *,
        storage_options: Mapping[str, str] | None = None,
    ) -> "StateStore":
        """
        The states of a dataset of a domain in Amorphic's buckets: `s3://DLZ_BUCKET/DOMAIN/DATASET`.

        They are written to where they are read: the bucket of the landing zone and the type of file do not matter.
        """
        return cls(f"s3://{dlz_bucket}/{state_domain}/{state_dataset}", storage_options, username=username)

    @property
    def uri(self) -> str:
        """The folder's address."""
        return self.location.uri

    def jobs(self) -> list[str]:
        """The names of all jobs that have a state, sorted."""
        found = {names.job_of(key) for key in self.location.keys("")}
        return sorted(job for job in found if job is not None)

    def get_or_create(self, job_name: str, *, run_id: str | None = None) -> StateData:
        """
        The state of a job as it is now, an empty one if there is none; writes nothing.

        What an earlier run left unfinished is `interrupted`. `run_id` is noted in what is written of it. StateCorrupt
        when a file cannot be read.
        """
        return _state(JobFiles(self.location, job_name).read().current, job_name, run_id)

    def last_completed(self, job_name: str) -> StateData | None:
        """The last state that a job completed, which is what other jobs rely on; None before the first."""
        found = JobFiles(self.location, job_name).read_one("completed")
        return _state(found, job_name) if found else None

    def update(self, data: StateData) -> None:
        """
        Write how far the job got. Call it after the data up to here is committed, never before.

        StateConflict when somebody else wrote since the state was loaded; nothing is written then.
        """
        self._writes.write(data, "running")

    def complete(self, data: StateData) -> None:
        """
        Write a state that others may rely on; nothing when it is completed already and did not change.

        StateConflict as for `update`.
        """
        self._writes.write(data, "completed")

    @contextmanager
    def session(
        self, job_name: str, commit: bool = True, *, run_id: str | None = None
    ) -> Iterator[StateData]:
        """
        The state of a job, which is completed when the block ends well, unless `commit` is off.

        When the block fails, what it wrote with `update` stays, and the next session goes on from there.
        """
        data = self.get_or_create(job_name, run_id=run_id)
        yield data
        if commit:
            self.complete(data)

    def rollback(self, job_name: str) -> StateData:
        """
        Drop what the job did since it last completed, also a file that cannot be read; returns where it is now.

        Whoever holds the dropped state gets a StateConflict.
        """
        if self._writes.rollback(job_name):
            log.info("rolled back the state of %s in %s", job_name, self.uri)
        return self.get_or_create(job_name)

    def reset(self, job_name: str) -> bool:
        """Forget the state of a job, also one that cannot be read; False when there was none."""
        done = self._writes.reset(job_name)
        if done:
            log.info("reset the state of %s in %s", job_name, self.uri)
        return done

    def prepare(self, data: StateData) -> None:
        """
        See that nobody else wrote since a state was loaded, and write down its epoch if it has none yet.

        Who names things by epoch and generation before the state is written needs that: after a crash, a new state
        would get another epoch. The file holds what was there before, and nothing of what the state became since.
        """
        self._writes.prepare(data)

    def __repr__(self) -> str:
        return f"StateStore({self.uri!r})"


def _state(found: StateFile | None, job: str, run_id: str | None = None) -> StateData:
    """What a file holds as a state, an empty one without it."""
    values, header = (found.values, found.header) if found else ({}, Header(job=job))
    return StateData(values).loaded_as(header, run_id=run_id)
