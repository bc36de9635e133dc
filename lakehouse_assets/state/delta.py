"""
Writing to a Delta table exactly once, whatever crashes.

A step of a job is one commit to a table, and then a new generation of its state. The commit says which generation it
leads to (an application transaction of Delta) and what the state becomes (`bookmark` in its metadata). Who finds
after a crash that the next generation was committed already takes that state over, and writes nothing.
"""

import json
import logging
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Literal, TypedDict, cast

from lakehouse_assets.errors import Conflict, StateConflict, StorageError, Unconfirmed
from lakehouse_assets.state.data import StateData
from lakehouse_assets.state.store import StateStore
from lakehouse_assets.state.values import Json
from lakehouse_assets.storage.answers import explain_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arro3.core.types import ArrowArrayExportable, ArrowStreamExportable
    from deltalake import CommitProperties, DeltaTable

    Rows = ArrowStreamExportable | ArrowArrayExportable | Sequence[ArrowArrayExportable]

log = logging.getLogger(__name__)

BOOKMARK = "bookmark"
"""The key in a commit's metadata under which the new state stands, as JSON text."""

# what is looked for is nearly always among the newest
_NEWEST = 20


class Bookmark(TypedDict):
    """What a commit says of the state that it leads to."""

    app_id: str
    generation: int
    run_id: str
    data: dict[str, Json]


class ExactlyOnce:
    """
    Writes the steps of a job to one Delta table, each exactly once.

    `dataset` and the job's name tell the job from all others that write to the table.

    Example:
        >>> once = ExactlyOnce(store, DeltaTable("orders"), dataset="acme")
        >>> with store.session("orders") as state:
        ...     once.recover(state)
        ...     for rows, last_id in read_after(state.get("last_id", 0)):
        ...         state["last_id"] = last_id
        ...         once.write(state, rows)
    """

    def __init__(self, store: StateStore, table: "DeltaTable", *, dataset: str) -> None:
        self._store = store
        self._table = table
        self._dataset = dataset

    def recover(self, data: StateData) -> bool:
        """
        Take over what an earlier run committed, and crashed before it could write it down; whether there was anything.

        Call it before you read from where the state says. Conflict when the table's log does not go back so far.
        """
        self._table.update_incremental()
        found = False
        while self._is_committed(data):
            data.from_bytes(self._after(data)["data"])
            self._store.update(data)
            found = True
        if found:
            log.info("the state of %s takes generation %s over from its table", data.job, data.generation)
        return found

    def write(
        self, data: StateData, rows: "Rows", *, mode: Literal["append", "overwrite"] = "append"
    ) -> bool:
        """
        Commit rows, and then write the state, which says already that they are there.

        False when an earlier run committed this step: no row is written then. StateConflict when that run's state is
        another than this one, because it had read other rows. That state is written down: load it again, and go on from
        there. StateConflict also when another run is faster.
        """
        self._store.prepare(data)
        ours = data.to_bytes()
        if self.recover(data):
            if data.to_bytes() == ours:
                return False
            raise _conflict(data, "an earlier run that crashed had committed this step with other rows")
        self._commit(data, rows, mode)
        self._store.update(data)
        return True

    def _commit(self, data: StateData, rows: "Rows", mode: Literal["append", "overwrite"]) -> None:
        from deltalake import write_deltalake
        from deltalake.exceptions import CommitFailedError, DeltaError

        try:
            # to the very table that was looked at: Delta takes a transaction twice, and minds only what came since
            write_deltalake(self._table, rows, mode=mode, commit_properties=self._properties(data))
        except (OSError, DeltaError) as exc:
            self._explain(data, exc, refused=isinstance(exc, CommitFailedError))

    def _explain(self, data: StateData, exc: Exception, *, refused: bool) -> None:
        """Raise what a failed write means; nothing where it got in all the same, and only the answer got lost."""
        place = self._table.table_uri
        try:
            self._table.update_incremental()
            committed = self._is_committed(data)
        except Exception as second:
            msg = f"it is not known whether {place} was changed; run it again, it will see: {second}"
            raise Unconfirmed(msg) from exc
        if committed and self._after(data)["run_id"] == data.writer:
            log.warning("committed to %s, but then: %s", place, exc)
        elif committed:
            raise _conflict(data, "another run committed this step at the same time") from exc
        elif refused:
            msg = f"{place} was changed in a way that shuts these rows out; nothing was written, run it again: {exc}"
            raise Conflict(msg) from exc
        else:
            msg = f"cannot write to {place}, nothing was committed: {explain_text(str(exc))}"
            raise StorageError(msg) from exc

    def _is_committed(self, data: StateData) -> bool:
        """Whether the table, as it was last looked at, has the next generation of a state."""
        seen = self._table.transaction_version(_app_id(data, self._dataset)) if data.epoch else None
        # 0 is a number, too
        return seen is not None and seen > data.generation

    def _properties(self, data: StateData) -> "CommitProperties":
        from deltalake import CommitProperties, Transaction

        name, version = _app_id(data, self._dataset), data.generation + 1
        bookmark = Bookmark(app_id=name, generation=version, run_id=data.writer, data=data.to_dict())
        return CommitProperties(
            app_transactions=[Transaction(name, version)], custom_metadata={BOOKMARK: json.dumps(bookmark)}
        )

    def _after(self, data: StateData) -> Bookmark:
        """What the commit of a state's next generation says of it."""
        wanted = _app_id(data, self._dataset), data.generation + 1
        for entry in chain(self._table.history(_NEWEST), _lazily(self._table.history)):
            found = json.loads(entry.get(BOOKMARK) or "{}")
            if (found.get("app_id"), found.get("generation")) == wanted:
                return cast(Bookmark, found)
        msg = (
            f"{self._table.table_uri} has generation {wanted[1]} of {data.job!r} already, but its log does not tell "
            "any more what the state was then; set the state to what the table holds and call `StateStore.complete`"
        )
        raise Conflict(msg)


def _app_id(data: StateData, dataset: str) -> str:
    """
    The name under which a table keeps the generations of a state.

    It has the epoch in it: after a rollback the same generations are given again, for other rows.
    """
    return f"{dataset}:{data.job}:{data.epoch}"


def _lazily(history: Callable[[], list[dict[str, object]]]) -> Iterator[dict[str, object]]:
    yield from history()


def _conflict(data: StateData, reason: str) -> StateConflict:
    msg = f"{reason}, so nothing was written; load the state of {data.job!r} again and go on from there"
    return StateConflict(msg, expected=data.generation, found=data.generation + 1)
