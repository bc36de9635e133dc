"""
The Delta table: which files it has, how commits get in, and which version its content has.

What lies on disk is what ftm-lakehouse writes: protocol (1, 2), no configuration, the schema of `schema`. Our own
notes stand in the commits' metadata, where other programs pass them by.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.errors import Conflict, InvalidData, LakehouseError, StorageError, Unconfirmed
from lakehouse_assets.statements import schema as s
from lakehouse_assets.statements.datafiles import (
    DataFile,
    Snapshot,
    StagedFile,
    Step,
    addition,
    files_in,
    removal,
)
from lakehouse_assets.statements.marks import CONTENT_VERSION, LAYOUT_ONLY, TableLog
from lakehouse_assets.storage.answers import explain_text
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.options import for_delta

if TYPE_CHECKING:
    import deltalake
    from deltalake.transaction import AddAction, RemoveAction

log = logging.getLogger(__name__)

NO_TABLE = "none"

COMMIT_TRIES = 20
# what delta-rs calls an object store that refuses
_STORE = "Generic S3 error"


class StatementTable:
    """
    The statements table of a dataset, at its newest version at each call.

    Example:
        >>> table = StatementTable(Location("data/acme"))
        >>> table.snapshot() is None, table.content_version()
        (True, 'none')
    """

    def __init__(self, dataset: Location) -> None:
        self.location = dataset / layout.STATEMENTS_TABLE
        self._dataset = dataset
        self._known: tuple[deltalake.DeltaTable, Snapshot] | None = None

    def snapshot(self) -> Snapshot | None:
        """The newest version and its files, None while there is no table; InvalidData when it is no table of ours."""
        table = self._open()
        if table is None:
            self._known = None
            return None
        if self._known is not None and self._known[1].version == table.version():
            return self._known[1]
        self._check(table)
        actions = table.get_add_actions(flatten=True)
        snapshot = Snapshot(str(table.metadata().id), table.version(), tuple(files_in(actions)))
        self._known = (table, snapshot)
        return snapshot

    def exists(self) -> bool:
        """Whether there is a table."""
        return self._open() is not None

    def create(self) -> None:
        """Make an empty table; whoever calls holds the exclusive lease."""
        import deltalake

        try:
            deltalake.DeltaTable.create(
                self._uri(),
                deltalake.Schema.from_arrow(s.table_schema()),
                mode="error",
                partition_by=s.PARTITION_BY,
                storage_options=self._options(),
            )
        except OSError as exc:
            msg = f"cannot make the table {self.location.uri}, nothing was changed: {explain_text(str(exc))}"
            raise StorageError(msg) from exc

    def append(
        self,
        files: Sequence[StagedFile],
        *,
        metadata: Mapping[str, str] | None = None,
        step: Step | None = None,
    ) -> int:
        """
        Take files in, in one commit; returns its version.

        An append beside a merge fails on a stale snapshot, so each try is made on a fresh one. Conflict when none
        got in, or when the table has this step already.
        """
        return self._commit([file.action() for file in files], metadata or {}, tries=COMMIT_TRIES, step=step)

    def has_step(self, step: Step) -> bool:
        """Whether a commit carried this step, or a later one of the same name."""
        table = self._open()
        return table is not None and _has_step(table, step)

    def last_step(self, name: str) -> int:
        """The number of the last step of this name, 0 when there was none."""
        table = self._open()
        return (table.transaction_version(name) or 0) if table is not None else 0

    def replace(
        self, read: Sequence[DataFile], files: Sequence[StagedFile], *, same_rows: bool = False
    ) -> int:
        """
        Put files in the place of those that they were made from, in one commit that leaves the content as it is.

        Conflict when the table does not have those files any more, or somebody committed in between.
        """
        gone = [removal(file, new=not same_rows) for file in read]
        actions: list[AddAction | RemoveAction] = [*gone, *(file.action(new=not same_rows) for file in files)]
        return self._commit(actions, {}, tries=1, instead_of=frozenset(file.key for file in read))

    def turn_into(self, base: Snapshot, files: Sequence[DataFile], *, metadata: Mapping[str, str]) -> int:
        """
        Have these files and no others from now on, in one commit on the version `base`; they lie there already.

        Conflict when somebody committed in between.
        """
        kept, wanted = {file.key for file in base.files}, {file.key for file in files}
        gone = [removal(file, new=True) for file in base.files if file.key not in wanted]
        actions: list[AddAction | RemoveAction] = [
            *gone,
            *(addition(file) for file in files if file.key not in kept),
        ]
        return self._commit(actions, metadata, tries=1, base=base.version)

    def note(self, base: Snapshot, metadata: Mapping[str, str]) -> int:
        """A commit on the version `base` that only says something; Conflict when somebody committed in between."""
        return self._commit([], metadata, tries=1, base=base.version, same_content=True)

    def removed(self, *, hours: int) -> set[str]:
        """The files that commits took out of the version last seen, at least so many hours ago."""
        if self._known is None:
            return set()
        # only listed: what may go is not for Delta to decide
        return set(self._known[0].vacuum(hours, dry_run=True, enforce_retention_duration=False, full=False))

    def files_at(self, version: int) -> set[str]:
        """The files of an earlier version; StorageError when the log does not reach back to it."""
        return set(self.sizes_at(version))

    def sizes_at(self, version: int) -> dict[str, int]:
        """The same, with the bytes of each."""
        import deltalake
        from deltalake.exceptions import DeltaError

        try:
            table = deltalake.DeltaTable(self._uri(), version=version, storage_options=self._options())
        except (OSError, DeltaError) as exc:
            msg = f"cannot open version {version} of {self.location.uri}: {explain_text(str(exc))}"
            raise StorageError(msg) from exc
        return {file.key: file.size for file in files_in(table.get_add_actions(flatten=True))}

    def content_version(self) -> str:
        """
        `<table id>:<version>` of the last commit that could change an answer, `none` without a table.

        Merges, compactions and vacuums are passed over: ours say so in their metadata, those of other programs by
        their operation.
        """
        snapshot = self.snapshot()
        if snapshot is None or self._known is None:
            return NO_TABLE
        return self._content_of(self._known[0], snapshot)

    def _content_of(self, table: "deltalake.DeltaTable", snapshot: Snapshot) -> str:
        limit = 8
        while True:
            with self._named():
                commits = table.history(limit)
            for commit in commits:
                if CONTENT_VERSION in commit:
                    return str(commit[CONTENT_VERSION])
                if commit.get("operation") not in LAYOUT_ONLY:
                    return f"{snapshot.table_id}:{commit['version']}"
            if len(commits) < limit:
                # the log of older commits was cleaned up: what is left only changed the layout
                noted = self._noted().get("content_version")
                return str(noted or f"{snapshot.table_id}:{commits[-1]['version']}")
            limit *= 8

    def commits(self) -> list[tuple[int, int]]:
        """The versions that the log tells of, each with its time in milliseconds since 1970; none without a table."""
        table = self._open()
        if table is None:
            return []
        with self._named():
            return [(int(commit["version"]), int(commit.get("timestamp") or 0)) for commit in table.history()]

    def note_content_version(self) -> None:
        """Keep the content version in a side file, for the day when the log that tells it is cleaned up."""
        version, before = self.content_version(), self._noted()
        if before.get("content_version") != version:
            log = TableLog(self._dataset)
            self.note_content_of(version, log.content_mark, log.keep_lineage(before))

    def note_content_of(
        self, version: str, mark: str | None, more: Mapping[str, object] | None = None
    ) -> None:
        """Keep the version and the mark of a content whose commits are not in the log, or will not be."""
        told = {"content_version": version, "mark": mark, **(more or {})}
        self._dataset.write(layout.TABLE_CONTENT, json.dumps(told).encode())

    def _noted(self) -> dict[str, object]:
        data = self._dataset.read_or_none(layout.TABLE_CONTENT)
        return dict(json.loads(data)) if data else {}

    def _commit(
        self,
        actions: "list[AddAction | RemoveAction]",
        metadata: Mapping[str, str],
        *,
        tries: int,
        instead_of: frozenset[str] = frozenset(),
        step: Step | None = None,
        base: int | None = None,
        same_content: bool = False,
    ) -> int:
        """
        Commit; what only takes the place of other files needs a version that has them, and keeps its content version.

        After Conflict and StorageError nothing was committed.
        """
        from deltalake import CommitProperties, Transaction
        from deltalake.exceptions import CommitFailedError, DeltaError

        notes = dict(metadata)
        steps = [Transaction(step.name, step.number)] if step is not None else None
        for attempt in range(tries):
            snapshot = self.snapshot()
            if snapshot is None or self._known is None:
                msg = f"the table {self.location.uri} is gone; restore it, or import into a new dataset"
                raise Conflict(msg)
            # asked of the very version that is committed on: Delta itself does not see that files were rewritten
            if not instead_of <= {file.key for file in snapshot.files}:
                msg = "another program rewrote the files of this partition meanwhile; nothing was changed, run it again"
                raise Conflict(msg)
            if base not in (None, snapshot.version):
                msg = (
                    f"somebody else changed {self.location.uri} meanwhile; nothing was changed, run it again"
                )
                raise Conflict(msg)
            table = self._known[0]
            if instead_of or same_content:
                notes[CONTENT_VERSION] = self._content_of(table, snapshot)
            # Delta itself would take a step twice
            if step is not None and _has_step(table, step):
                msg = (
                    f"{self.location.uri} has step {step.number} of {step.name} already; nothing was changed"
                )
                raise Conflict(msg)
            properties = CommitProperties(custom_metadata=notes, max_commit_retries=0, app_transactions=steps)
            try:
                table.create_write_transaction(
                    actions, "append", table.schema(), s.PARTITION_BY, commit_properties=properties
                )
            except (OSError, DeltaError) as exc:
                self._known = None
                # an answer may get lost on the way, and what Delta does after a commit may fail
                if self._has(actions):
                    log.warning("committed to %s, but then: %s", self.location.uri, explain_text(str(exc)))
                    return self._known[1].version if self._known else snapshot.version + 1
                if isinstance(exc, CommitFailedError):
                    log.debug("commit %s of %s failed: %s", attempt + 1, self.location.uri, exc)
                    time.sleep(min(0.02 * 2**attempt, 1.0))
                    continue
                msg = f"cannot commit to {self.location.uri}, nothing was changed: {explain_text(str(exc))}"
                raise StorageError(msg) from exc
            self._known = None
            # not asked of the store, which may be gone by now
            return snapshot.version + 1
        msg = f"{tries} commit(s) to {self.location.uri} failed beside other writers; nothing was changed, run it again"
        raise Conflict(msg)

    def _has(self, actions: "Sequence[AddAction | RemoveAction]") -> bool:
        """Whether the table has the files that actions add; Unconfirmed when it cannot be asked."""
        from deltalake.transaction import AddAction

        try:
            snapshot = self.snapshot()
        except LakehouseError as exc:
            msg = (
                f"it is not known whether {self.location.uri} was changed, look at it before you go on: {exc}"
            )
            raise Unconfirmed(msg) from exc
        present = {file.key for file in snapshot.files} if snapshot else set()
        return any(isinstance(action, AddAction) and action.path in present for action in actions)

    def _open(self) -> "deltalake.DeltaTable | None":
        import deltalake
        from deltalake.exceptions import TableNotFoundError

        if self._known is not None:
            with self._named():
                self._known[0].update_incremental()
            return self._known[0]
        folder = self.location.path
        if folder is not None and not (folder / "_delta_log").is_dir():
            return None
        with self._named():
            try:
                return deltalake.DeltaTable(self._uri(), storage_options=self._options())
            except TableNotFoundError:
                return None

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Tell a store that cannot be reached from a table that cannot be understood."""
        try:
            yield
        except Exception as exc:
            if self.location.path is None and (isinstance(exc, OSError) or _STORE in str(exc)):
                msg = f"cannot read the table {self.location.uri}: {explain_text(str(exc))}"
                raise StorageError(msg) from exc
            msg = f"cannot open the table {self.location.uri}: {exc}"
            raise InvalidData(msg) from exc

    def _check(self, table: "deltalake.DeltaTable") -> None:
        """Refuse a table that is not ours, before anything reads it wrongly or writes to it."""
        found = {field.name for field in table.schema().fields}
        wanted = set(s.COLUMNS)
        # tables from before roles existed lack that column
        missing = sorted(wanted - found - {s.ROLE})
        extra = sorted(found - wanted)
        partitions = table.metadata().partition_columns
        if missing or extra or partitions != s.PARTITION_BY:
            reasons = [f"lacks {', '.join(missing)}"] if missing else []
            reasons += [f"has unknown {', '.join(extra)}"] if extra else []
            if partitions != s.PARTITION_BY:
                reasons.append(f"is partitioned by {partitions or 'nothing'} instead of {s.PARTITION_BY}")
            msg = f"{self.location.uri} is no statements table: it {'; '.join(reasons)}. Move it away to start anew"
            raise InvalidData(msg)

    def _uri(self) -> str:
        path = self.location.path
        return str(path) if path is not None else self.location.uri

    def _options(self) -> dict[str, str] | None:
        return None if self.location.path else for_delta(self.location.storage_options)


def _has_step(table: "deltalake.DeltaTable", step: Step) -> bool:
    seen = table.transaction_version(step.name)
    # 0 is a number, too
    return seen is not None and seen >= step.number
