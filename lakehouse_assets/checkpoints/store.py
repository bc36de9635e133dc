"""
Where checkpoints are kept: a folder for each run and each correlation, below one root.

    runs/<run_id>/<name>.arrow                      what only this run reads again
    correlations/<correlation_id>/<name>.arrow      what its re-executions read, too
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Generic, cast, overload

from lakehouse_assets.checkpoints.backend import Backend, Cleaner, Frame
from lakehouse_assets.checkpoints.cleaner import FolderCleaner
from lakehouse_assets.checkpoints.names import check_id, check_name, check_part
from lakehouse_assets.checkpoints.polars_backend import PolarsBackend
from lakehouse_assets.checkpoints.scope import CheckpointScope
from lakehouse_assets.checkpoints.spark_backend import SparkBackend
from lakehouse_assets.checkpoints.trees import FOLDERS, Swept, Tree, tree_at, trees_in
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger(__name__)

LEFT_BEHIND = timedelta(days=1)
"""After how long a file that somebody writes is held to be left behind."""


class CheckpointStore(Generic[Frame]):
    """
    Checkpoints in a folder: on local disk, in memory, on S3.

    Example:
        >>> import polars as pl
        >>> store = CheckpointStore("memory://checkpoints")
        >>> orders = pl.LazyFrame({"id": [1, 2]})
        >>> store.put("orders", run_id="r1", correlation_id="c1", scope=CheckpointScope.CORRELATION, data=orders)
        >>> store.get("orders", run_id="r2", correlation_id="c1").collect()["id"].to_list()
        [1, 2]
        >>> store.cleanup_correlation("c1")
    """

    @overload
    def __init__(
        self: "CheckpointStore[pl.LazyFrame]",
        root: str | Path | Location,
        backend: None = None,
        cleaner: Cleaner | None = None,
        *,
        storage_options: Mapping[str, str] | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        root: str | Path | Location,
        backend: Backend[Frame],
        cleaner: Cleaner | None = None,
        *,
        storage_options: Mapping[str, str] | None = None,
    ) -> None: ...

    def __init__(
        self,
        root: str | Path | Location,
        backend: Backend[Frame] | None = None,
        cleaner: Cleaner | None = None,
        *,
        storage_options: Mapping[str, str] | None = None,
    ) -> None:
        """
        The checkpoints in a folder, which need not be there yet.

        By default they are frames of polars. `storage_options` are the credentials and the endpoint of an object store;
        those of our backends or of a Location count, too.
        """
        options = dict(storage_options or {})
        if isinstance(root, Location):
            options = options or root.storage_options
        if isinstance(backend, PolarsBackend | SparkBackend):
            options = options or backend.storage_options
        self.location = Location(root.uri if isinstance(root, Location) else root, options)
        self._backend = backend or cast(Backend[Frame], PolarsBackend(options))
        self._cleaner = cleaner or FolderCleaner(options)

    @property
    def uri(self) -> str:
        """The folder's address."""
        return self.location.uri

    def put(
        self,
        name: str,
        *,
        run_id: str,
        correlation_id: str | None = None,
        scope: CheckpointScope,
        data: Frame,
        append: bool = False,
        part: str | None = None,
    ) -> None:
        """
        Keep a frame under a name, in place of all that stood there, or with `append` as one more part of it.

        It is there whole or not at all. A part that is named replaces the part of that name, so that a step that is
        tried again adds nothing twice; parts without a name are all kept.
        """
        check_name(name)
        base = self._base(name, CheckpointScope(scope), run_id, correlation_id)
        if part is None:
            self._backend.write(name, base, data, append=append)
        elif append:
            self._backend.write(name, base, data, append=True, part=check_part(part))
        else:
            msg = f"the part {part!r} of the checkpoint {name!r} is to be appended: pass append=True"
            raise InvalidData(msg)

    def get(self, name: str, *, run_id: str, correlation_id: str | None = None) -> Frame:
        """
        The frame under a name: that of the run, else that of the correlation; NotFound without either.

        It is read when it is collected: collect it before the checkpoint is appended to or cleaned up.
        """
        check_name(name)
        bases = [self._base(name, CheckpointScope.RUN, run_id, None)]
        if correlation_id:
            bases.append(self._base(name, CheckpointScope.CORRELATION, run_id, correlation_id))
        for base in bases:
            found = self._backend.probe(name, base)
            if found is not None:
                return found
        tried = " and not at ".join(f"{base}/{name}" for base in bases)
        hint = "" if correlation_id else ", or pass the correlation_id that it was put with"
        msg = (
            f"the checkpoint {name!r} is not at {tried}: check that the step that puts it ran{hint}; "
            "if it has expired, run all steps again"
        )
        raise NotFound(msg)

    def cleanup_run(self, run_id: str) -> None:
        """Delete all checkpoints of a run; call it when no step of the run can run any more."""
        self._clean(CheckpointScope.RUN, check_id(run_id, "run_id"))

    def cleanup_correlation(self, correlation_id: str) -> None:
        """Delete all checkpoints of a correlation; call it when none of its runs will read them again."""
        self._clean(CheckpointScope.CORRELATION, check_id(correlation_id, "correlation_id"))

    def trees(self) -> list[Tree]:
        """The runs and correlations that have checkpoints, with what they take."""
        return list(trees_in(self.location))

    def sweep(
        self,
        *,
        older: timedelta,
        is_needed: Callable[[Tree], bool] | None = None,
        dry_run: bool = False,
    ) -> Swept:
        """
        Delete what nothing was written to for some time, and what interrupted writers left behind a day ago.

        `is_needed` keeps checkpoints all the same, as those of a run that still is at work. A dry run deletes nothing,
        and does not look for what was left behind.
        """
        before = now_utc() - older
        due = [tree for tree in trees_in(self.location) if tree.newest < before]
        due = [tree for tree in due if is_needed is None or not is_needed(tree)]
        if dry_run:
            return Swept(due, [])
        gone = [tree for tree in due if self._is_still(tree, before)]
        for tree in gone:
            self._clean(tree.scope, tree.id)
        return Swept(gone, self.location.sweep(older=LEFT_BEHIND))

    def _is_still(self, tree: Tree, before: datetime) -> bool:
        """Whether nobody wrote to it since it was looked at: the questions in between may have taken long."""
        now = tree_at(self.location, tree.scope, tree.id)
        return now is not None and now.newest < before

    def _clean(self, scope: CheckpointScope, name: str) -> None:
        self._cleaner.delete_tree(f"{self.uri}/{FOLDERS[scope]}/{name}")
        log.info("cleaned the checkpoints of the %s %s in %s", scope.value, name, self.uri)

    def _base(self, name: str, scope: CheckpointScope, run_id: str, correlation_id: str | None) -> str:
        check_id(run_id, "run_id")
        if scope is CheckpointScope.RUN:
            return f"{self.uri}/{FOLDERS[scope]}/{run_id}"
        if not correlation_id:
            msg = (
                f"the checkpoint {name!r} has the scope CORRELATION and no correlation_id: pass correlation_id= "
                "to put, or take the scope RUN"
            )
            raise InvalidData(msg)
        return f"{self.uri}/{FOLDERS[scope]}/{check_id(correlation_id, 'correlation_id')}"

    def __repr__(self) -> str:
        return f"CheckpointStore({self.uri!r})"
