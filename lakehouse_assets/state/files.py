"""The two files of a state, and which of them counts."""

from dataclasses import dataclass, replace
from typing import Literal

from lakehouse_assets.errors import InvalidData, StateCorrupt
from lakehouse_assets.state import names
from lakehouse_assets.state.data import StateData
from lakehouse_assets.state.header import KEY, Header
from lakehouse_assets.state.values import Json, dumped, loaded
from lakehouse_assets.storage.location import Location

Kind = Literal["running", "completed"]


@dataclass(frozen=True)
class StateFile:
    """One file of a state: its bytes as they are, and what they say."""

    raw: bytes
    header: Header
    values: dict[str, Json]


@dataclass(frozen=True)
class Found:
    """What is on disk of a job's state."""

    running: StateFile | None
    completed: StateFile | None

    @property
    def current(self) -> StateFile | None:
        """
        The file that counts: the running one if it is newer, else the completed one.

        A running file that is older, or of another epoch, is what a crash left of an earlier state. Generations tell
        that, and not the times of the files: clocks differ.
        """
        running, completed = self.running, self.completed
        if running is None or completed is None:
            return running or completed
        # who wrote a file by hand gave it no epoch
        same = completed.header.epoch in ("", running.header.epoch)
        return running if same and running.header.generation > completed.header.generation else completed

    @property
    def header(self) -> Header:
        """The header of the file that counts, that of a new state when there is none."""
        return self.current.header if self.current else Header()


class JobFiles:
    """The files of one job's state in a folder."""

    def __init__(self, location: Location, job: str) -> None:
        self._location = location
        self._job = job
        self._keys = {"running": names.running(job), "completed": names.completed(job)}

    def read(self) -> Found:
        """Both files; StateCorrupt when one cannot be read."""
        # in this order: who completes a state writes the completed file first and then removes the running one
        running = self.read_one("running")
        return Found(running, self.read_one("completed"))

    def read_one(self, kind: Kind) -> StateFile | None:
        """One of them; None when it is not there, StateCorrupt when it cannot be read."""
        raw = self.bytes_of(kind)
        if raw is None:
            return None
        try:
            values = loaded(raw)
            header = Header.parse(values.pop(KEY, None))
            # a file may be a copy of another job's
            return StateFile(raw, replace(header, job=self._job, status=kind), StateData(values).to_dict())
        except InvalidData as exc:
            way = (
                "go back to the completed state by a rollback"
                if kind == "running"
                else "forget it by a reset"
            )
            path = self._location.url(self._keys[kind])
            msg = f"{path} is not the state of {self._job!r}: {exc}; mend the file, or {way}"
            raise StateCorrupt(msg, path=path) from exc

    def bytes_of(self, kind: Kind) -> bytes | None:
        """What one of them holds, whatever it is; None when it is not there."""
        return self._location.read_or_none(self._keys[kind])

    def write(self, kind: Kind, before: StateFile | None, body: bytes) -> bool:
        """Put a file in the place of what was read of it; False when that is not there any more."""
        key = self._keys[kind]
        place = self._location
        done = place.create(key, body) if before is None else place.swap(key, before.raw, body)
        # an answer may get lost on the way, and the request be repeated in vain: what is there decides
        return done or place.read_or_none(key) == body

    def remove(self, kind: Kind, raw: bytes) -> bool:
        """Remove a file that still holds these bytes; False when it does not."""
        return self._location.remove(self._keys[kind], raw)

    def delete(self, kind: Kind) -> bool:
        """Remove a file, whatever it holds; False when there was none."""
        return self._location.delete(self._keys[kind])


def to_file(values: dict[str, Json], header: Header) -> bytes:
    """What a file of a state holds."""
    return dumped(values | {KEY: header.to_json()})
