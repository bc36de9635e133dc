"""
The log of a Delta table: which files make up each of its versions.

A commit is one small file, created where none is: of two writers who want the same version one gets it. That is how
every program commits to a Delta table; so others may read these tables and write to them. Every hundredth version, the
whole state is written down beside it (a checkpoint), so that nobody need read the log from its beginning.
"""

import hashlib
import json
import logging
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import unquote

from lakehouse_assets import __version__
from lakehouse_assets.collections.checkpoint import STATE, checkpoint_of, read_checkpoint, state_of
from lakehouse_assets.collections.commits import (
    WRITTEN,
    Action,
    Commit,
    DataFile,
    Snapshot,
    addition,
    check_action,
    commit_of,
    file_of,
    lines,
    millis,
    parse_actions,
    removal,
)
from lakehouse_assets.collections.log_files import checkpoint_key, commit_key, first_of, listed, name_newest
from lakehouse_assets.errors import Conflict, LakehouseError, NotFound
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel

log = logging.getLogger(__name__)

LINEAGE = "_lineage.json"
"""The file that tells which versions a table had that are trimmed away; other readers of tables ignore it."""

MOVED = "MOVED"
"""The operation of the last commit of a table whose collection goes on in another one."""

T = TypeVar("T")

_CHECKPOINT_EVERY = 100
_KEPT_SNAPSHOTS = 8
_TRIES = 5
# nobody's vacuum and nobody's cleaning of the log takes versions away: `trim` and `gc` do
_FOR_EVER = "interval 36500 days"
_CONFIGURATION = {
    "delta.logRetentionDuration": _FOR_EVER,
    "delta.deletedFileRetentionDuration": _FOR_EVER,
    "delta.enableExpiredLogCleanup": "false",
}


class DeltaLog:
    """
    The log of the table in a folder.

    Example:
        >>> table = DeltaLog(Location("memory://table"))
        >>> table.create(Schema(time="int*").delta(), partition_by=["series"])
        >>> table.snapshot().version
        0
    """

    def __init__(self, location: Location, *, index: str | None = None) -> None:
        """`index` is the column by whose bounds files are found."""
        self.location = location
        self._index = index
        self._newest: Snapshot | None = None
        self._commits: dict[int, Commit] = {}
        self._earlier: OrderedDict[int, Snapshot] = OrderedDict()

    def create(self, schema: str, *, partition_by: Sequence[str] = (), name: str | None = None) -> None:
        """A new table without rows; Conflict when there is one."""
        table: dict[str, object] = {
            "id": str(uuid.uuid4()),
            "name": name,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": schema,
            "partitionColumns": list(partition_by),
            "configuration": _CONFIGURATION,
            "createdTime": millis(now_utc()),
        }
        needs_features = '"timestamp_ntz"' in schema
        protocol: dict[str, object] = {"minReaderVersion": 1, "minWriterVersion": 2}
        if needs_features:
            features = ["timestampNtz"]
            protocol = {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": features,
                "writerFeatures": features,
            }
        info = self._info("CREATE TABLE", {}, now_utc())
        data = lines([{"commitInfo": info}, {"protocol": protocol}, {"metaData": table}])
        if not self._put(0, data):
            msg = f"there is a table already in {self.location.uri}; nothing was changed"
            raise Conflict(msg)

    def snapshot(self) -> Snapshot:
        """The newest version; NotFound when there is no table."""
        found = self._newest or self._opened()
        while (data := self.location.read_or_none(commit_key(found.version + 1))) is not None:
            found = self._replayed(found, found.version + 1, data)
        self._newest = found
        return found

    def at(self, version: int) -> Snapshot:
        """An earlier version; NotFound when the log does not tell of it (any more)."""
        newest = self._newest
        if newest is not None and newest.version == version:
            return newest
        found = self._earlier.get(version)
        if found is None:
            found = self._opened(version)
            self._earlier[version] = found
            while len(self._earlier) > _KEPT_SNAPSHOTS:
                self._earlier.popitem(last=False)
        return found

    def commits(self) -> list[Commit]:
        """All commits that the log still tells of, the oldest first."""
        newest, there = self.snapshot(), listed(self.location)
        # a trim that was killed leaves commits whose state nobody can tell any more
        first = first_of(*there)
        versions = [version for version in there[0] if first <= version <= newest.version]
        self._read(versions)
        return [self._commits[version] for version in versions if version in self._commits]

    def of(self, versions: Iterable[int]) -> list[Commit]:
        """The commits of these versions, as far as the log still tells of them."""
        numbers = list(versions)
        self._read(numbers)
        return [self._commits[number] for number in numbers if number in self._commits]

    def first(self) -> int:
        """The oldest version that can be read."""
        return self.span()[0]

    def span(self) -> tuple[int, int]:
        """The oldest version that can be read, and the newest one; NotFound when there is no table."""
        versions, checkpoints = listed(self.location)
        if not versions and not checkpoints:
            raise NotFound(
                f"there is no table in {self.location.uri}; it was never written, or is trimmed away"
            )
        return first_of(versions, checkpoints), max([*versions, *checkpoints])

    def dropped(self) -> set[str]:
        """The files that the oldest version that can be read knows to have been taken out before it."""
        actions = self._checkpointed(self.first(), ("remove",))
        return {unquote(str(action["remove"]["path"])) for action in actions or []}

    def commit(
        self,
        base: Snapshot,
        *,
        add: Sequence[DataFile] = (),
        remove: Iterable[str] = (),
        operation: str = "WRITE",
        info: Mapping[str, object] | None = None,
        data_change: bool = True,
    ) -> Commit:
        """
        Make the version after `base`; Conflict when somebody else did so first, and nothing was changed then.

        The files to be added lie there already.
        """
        removed = [base.files[key] for key in remove]
        at = now_utc()
        self._read([base.version])
        before = self._commits.get(base.version)
        if before is not None and before.at >= at:
            # the clock of who wrote before goes fast
            at = before.at + timedelta(microseconds=1)
        told = self._info(operation, info or {}, at)
        actions: list[Action] = [{"commitInfo": told}]
        actions += [{"remove": removal(file, at, data_change=data_change)} for file in removed]
        actions += [{"add": addition(file, data_change=data_change)} for file in add]
        data = lines(actions)
        version = base.version + 1
        if not self._put(version, data):
            msg = (
                f"somebody else changed {self.location.uri} at the same time; nothing was changed, try again"
            )
            raise Conflict(msg)
        made = Commit(version, at, told, tuple(add), tuple(file.key for file in removed))
        self._commits[version] = made
        if self._newest is None or self._newest.version == base.version:
            self._newest = base.after(made)
        if version % _CHECKPOINT_EVERY == 0:
            self.checkpoint(version)
        return made

    def operation(self, version: int) -> str:
        """What a version did, as its commit calls it; empty when the log does not tell any more."""
        self._read([version])
        commit = self._commits.get(version)
        return str(commit.info.get("operation") or "") if commit else ""

    def text(self, version: int) -> bytes | None:
        """What the log has of a version, None when it does not tell of it (any more)."""
        return self.location.read_or_none(commit_key(version))

    def mark(self, version: int) -> str | None:
        """What tells a version from any other of its number, trimmed ones too; None when it is not known."""
        data = self.text(version)
        if data is not None:
            return hashlib.sha256(data).hexdigest()
        return self._lineage().get(str(version))

    def note_lineage(self, before: int) -> None:
        """Keep the marks of the versions before this one, for the day when they are trimmed away."""
        marks = self._lineage()
        for version in listed(self.location)[0]:
            if version < before and (found := self.mark(version)) is not None:
                marks[str(version)] = found
        self.location.write(LINEAGE, json.dumps(marks).encode())

    def _lineage(self) -> dict[str, str]:
        data = self.location.read_or_none(LINEAGE)
        return dict(json.loads(data)) if data else {}

    def adopt(self, version: int, data: bytes) -> bool:
        """Make a version of what the log of another table says; False when there is another one."""
        return self._put(version, data)

    def checkpoint(self, version: int | None = None) -> bool:
        """Write down a version's state, by default the newest one's; False when that failed."""
        try:
            self.write_checkpoint(self.location, self.span()[1] if version is None else version)
        except LakehouseError as exc:
            # nothing is lost without it: the log is only longer to read
            log.warning("no checkpoint was written of %s: %s", self.location.uri, exc)
            return False
        return True

    def write_checkpoint(self, target: Location, version: int) -> None:
        """Write down a version's state in the log of this table, or of its copy in another folder."""
        state = self._settled(lambda: self._state(version))
        target.write(checkpoint_key(version), checkpoint_of(state, table=self.location.uri))
        name_newest(target, version, len(state))

    def forget(self, version: int) -> None:
        """Drop what is known of the versions before this one, which are gone from the log."""
        self._commits = {number: commit for number, commit in self._commits.items() if number >= version}
        self._earlier.clear()

    def _put(self, version: int, data: bytes) -> bool:
        key = commit_key(version)
        # the answer to a request that got through may be lost: then the file is there, and it is ours
        return self.location.create(key, data) or self.location.read_or_none(key) == data

    def _info(self, operation: str, more: Mapping[str, object], at: datetime) -> dict[str, object]:
        told: dict[str, object] = {
            "timestamp": millis(at),
            "operation": operation,
            "operationParameters": {},
        }
        engine = {"engineInfo": f"lakehouse-assets {__version__}", "txnId": uuid.uuid4().hex}
        return {**told, **engine, WRITTEN: at.isoformat(), **more}

    def _opened(self, version: int | None = None) -> Snapshot:
        """A version, by default the newest, from what the log says alone."""
        return self._settled(lambda: self._replay(version))

    def _settled(self, look: "Callable[[], T | None]") -> T:
        """What a look at the log finds of which nothing is trimmed meanwhile."""
        for _ in range(_TRIES):
            found = look()
            if found is not None:
                return found
        msg = f"the log of {self.location.uri} is trimmed all the time; try again later"
        raise Conflict(msg)

    def _sources(self, version: int | None) -> tuple[int, list[int]]:
        """The checkpoint that a version goes out from, -1 without one, and the commits behind it."""
        versions, checkpoints = listed(self.location)
        last = max([*versions, *checkpoints], default=-1) if version is None else version
        start = max((found for found in checkpoints if found <= last), default=-1)
        wanted = [found for found in versions if start < found <= last]
        if last < 0 or wanted != list(range(start + 1, last + 1)):
            msg = f"no version {last}" if last >= 0 else "no table"
            raise NotFound(f"there is {msg} in {self.location.uri}; it was never written, or is trimmed away")
        return start, wanted

    def _replay(self, version: int | None) -> Snapshot | None:
        """A version by what lies in the log; None when something was trimmed while it was read."""
        start, wanted = self._sources(version)
        actions = self._checkpointed(start)
        if actions is None:
            return None
        found = self._from_checkpoint(start, actions)
        self._read(wanted)
        for number in wanted:
            if number not in self._commits:
                return None
            found = found.after(self._commits[number])
        return found

    def _state(self, version: int) -> list[Action] | None:
        """All that the log up to a version comes to; None when something was trimmed while it was read."""
        start, wanted = self._sources(version)
        actions, texts = self._checkpointed(start, None), list(in_parallel(self.text, wanted))
        if actions is None:
            return None
        for number, data in zip(wanted, texts, strict=True):
            if data is None:
                return None
            actions += parse_actions(data, place=self._place(number))
        return state_of(actions)

    def _checkpointed(self, version: int, kinds: Sequence[str] | None = STATE) -> list[Action] | None:
        """The actions of a checkpoint, none before the first one; None when it is gone."""
        if version < 0:
            return []
        key = checkpoint_key(version)
        try:
            with self.location.open(key) as file:
                return read_checkpoint(file, kinds, place=self.location.url(key))
        except NotFound:
            return None

    def _from_checkpoint(self, version: int, actions: Sequence[Action]) -> Snapshot:
        files = {}
        for action in actions:
            check_action(action, self.location.uri)
            if add := action.get("add"):
                file = file_of(add, table=self.location.uri, index=self._index)
                files[file.key] = file
        return Snapshot(version, files)

    def _replayed(self, base: Snapshot, version: int, data: bytes) -> Snapshot:
        self._commits[version] = self._parsed(version, data)
        return base.after(self._commits[version])

    def _read(self, versions: Iterable[int]) -> None:
        """Have the commits of these versions at hand, as far as they are there."""
        missing = [version for version in versions if version not in self._commits]
        if not missing:
            return
        read = in_parallel(lambda version: self.location.read_or_none(commit_key(version)), missing)
        for version, data in zip(missing, read, strict=True):
            if data is not None:
                self._commits[version] = self._parsed(version, data)

    def _parsed(self, version: int, data: bytes) -> Commit:
        actions = parse_actions(data, place=self._place(version))
        return commit_of(
            version, actions, place=self._place(version), table=self.location.uri, index=self._index
        )

    def _place(self, version: int) -> str:
        return self.location.url(commit_key(version))
