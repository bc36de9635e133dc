"""A lake of datasets: the way in for scripts, the command line and Dagster."""

import math
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse_assets import layout
from lakehouse_assets.dataset import Dataset as Dataset
from lakehouse_assets.errors import Conflict, InvalidData, LakehouseError, NotFound
from lakehouse_assets.exports.keeping import KeptParts
from lakehouse_assets.model.names import check_dataset_name, is_dataset_name
from lakehouse_assets.operations import MakeJob
from lakehouse_assets.operations.catalog import (
    CatalogResult,
    catalog_freshness,
    check_catalog,
    export_catalog,
)
from lakehouse_assets.operations.delegating import delegate_catalog
from lakehouse_assets.operations.findings import CheckResult
from lakehouse_assets.operations.freshness import Freshness
from lakehouse_assets.operations.repositories import Progress
from lakehouse_assets.operations.signs import all_signs
from lakehouse_assets.settings import Settings, get_settings
from lakehouse_assets.state import StateStore
from lakehouse_assets.storage.deletions import (
    delete_dataset,
    deleted_at,
    is_being_removed,
    undelete_dataset,
)
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel

if TYPE_CHECKING:
    import polars as pl

    from lakehouse_assets.checkpoints import CheckpointStore
    from lakehouse_assets.collections import Repo
    from lakehouse_assets.garbage.lakes import LakeGarbage
    from lakehouse_assets.replicas import DatasetStep, Pulled, Resolve
    from lakehouse_assets.storage.garbage import Collected, Marked


class Lake:
    """
    A folder of datasets, on local disk or an object store.

    Example:
        >>> lake = Lake("data")
        >>> acme = lake.create_dataset("acme", title="Acme leak")
        >>> acme.import_files(["entities.ftm.json"]).entities
        344
        >>> acme.make().artifacts["entities"]["rows"]
        344
    """

    def __init__(
        self, uri: str | Path | None = None, storage_options: Mapping[str, str] | None = None
    ) -> None:
        """The lake at a path or URL, by default that of the settings (LAKEHOUSE_URI)."""
        self.settings: Settings = get_settings()
        self.location = Location(uri or self.settings.uri, storage_options)
        if self.location.path is not None and self.location.path.is_file():
            msg = f"{self.location.path} is a file; name the folder of the lake"
            raise InvalidData(msg)

    def here(self) -> "Lake":
        """The same lake, whose operations run in this process even if LAKEHOUSE_DAGSTER_URL is set."""
        lake = copy(self)
        lake.settings = self.settings.here()
        return lake

    def remote(self, name: str) -> "Lake":
        """Another lake, by its name among the settings (LAKEHOUSE_REMOTES), or by its path or URL."""
        known = self.settings.remotes
        uri = known.get(name)
        if uri is None and not _is_address(name):
            names = ", ".join(sorted(known)) or "none are"
            msg = (
                f"no other lake is called {name!r}; known: {names}. LAKEHOUSE_REMOTES={name}=s3://bucket/lake names "
                f"one, ./{name} is a folder"
            )
            raise NotFound(msg)
        uri = uri or name
        is_near = self.uri.startswith("s3://") and uri.startswith(("s3://", "s3a://"))
        # what opens the one bucket opens the other one
        return Lake(uri, self.location.storage_options if is_near else None).here()

    @property
    def uri(self) -> str:
        """Where the lake lies."""
        return self.location.uri

    @property
    def collections(self) -> "Repo":
        """Tables of rows beside the datasets: `lake.collections / "temperature"`."""
        from lakehouse_assets.collections import Repo

        return Repo(self.location)

    @property
    def states(self) -> StateStore:
        """How far jobs got that work on the lake as a whole: bookmarks, by the name of the job."""
        return self.open_states(self.location / layout.LAKE_STATE)

    @property
    def checkpoints(self) -> "CheckpointStore[pl.LazyFrame]":
        """Frames that the steps of pipelines hand on, kept until a run is done."""
        # few need it
        from lakehouse_assets.checkpoints import CheckpointStore

        return CheckpointStore(self.location / layout.LAKE_CHECKPOINTS)

    def kept_parts(self, *, run_id: str, correlation_id: str) -> KeptParts:
        """Where tries of the same work, which share the `correlation_id`, keep parts of long exports for each other."""
        return KeptParts(
            self.checkpoints,
            run_id=run_id,
            correlation_id=correlation_id,
            least_rows=self.settings.checkpoint_rows,
        )

    def open_states(self, location: Location) -> StateStore:
        """The states in a folder, with the patience of the settings."""
        settings = self.settings
        return StateStore(location, lock_timeout=settings.lock_timeout, lease_seconds=settings.lease_seconds)

    def datasets(self) -> list[str]:
        """The names of all datasets: the folders that have a config.yml, without those that were deleted."""
        names = [name for name in self.location.folders() if is_dataset_name(name)]
        # an object store takes its time for each answer
        look = map if self.location.path is not None else in_parallel
        found = look(self._has_dataset, names)
        return [name for name, is_there in zip(names, found, strict=True) if is_there]

    def dataset(self, name: str) -> Dataset:
        """A dataset by its name; NotFound when there is none."""
        check_dataset_name(name)
        if not self._has_dataset(name):
            self._check_deleted(name, NotFound)
            msg = f"no dataset {name!r} in {self.uri}; make one with `lakehouse dataset create {name}`"
            raise NotFound(msg)
        return Dataset(self, name)

    def create_dataset(self, name: str, **config: object) -> Dataset:
        """A new dataset with a config.yml; Conflict when there is one of that name."""
        check_dataset_name(name)
        self._check_deleted(name, Conflict)
        if self.location.exists(f"{name}/{layout.CONFIG}"):
            msg = f"the dataset {name!r} is there already in {self.uri}"
            raise Conflict(msg)
        return Dataset.create(name, lake=self, **config)

    def delete_dataset(self, name: str) -> None:
        """
        Delete a dataset: it is listed no more, and nothing is made of it; NotFound when there is none.

        `undelete_dataset` brings it back, until `gc` has removed its files.
        """
        delete_dataset(self.location, check_dataset_name(name))
        self.export_catalog()

    def undelete_dataset(self, name: str) -> Dataset:
        """Bring back a dataset that was deleted; InvalidData when it was not, or when its files are going."""
        undelete_dataset(self.location, check_dataset_name(name))
        self.export_catalog()
        return self.dataset(name)

    def deleted_datasets(self) -> dict[str, datetime]:
        """The datasets that were deleted and can be brought back, with the time since when they are (UTC)."""
        from lakehouse_assets.garbage.lakes import deleted_datasets

        return deleted_datasets(self.location)

    def gc(
        self,
        grace: timedelta | float | None = None,
        *,
        names: Sequence[str] | None = None,
        without: Sequence[str] = (),
        dry_run: bool = False,
        before: datetime | None = None,
    ) -> "Collected":
        """
        Delete files that nobody needs, if they were marked longer than `grace` ago (seconds; a week), and mark others.

        In all datasets and collections, or in those of some names, `without` some datasets. Nothing is deleted that was
        written since `before`; give it the time when the oldest run began that is still at work. With `dry_run` only
        tell.
        """
        return self._garbage(names, without).collect(grace, before=before, dry_run=dry_run)

    def gc_mark(self, *, names: Sequence[str] | None = None, without: Sequence[str] = ()) -> "Marked":
        """Mark the files that nobody needs, `without` those of some datasets; none is deleted."""
        return self._garbage(names, without).mark()

    def gc_sweep(
        self,
        grace: timedelta | float | None = None,
        *,
        names: Sequence[str] | None = None,
        without: Sequence[str] = (),
        before: datetime | None = None,
    ) -> "Collected":
        """Delete the files that were marked longer than `grace` ago and are needless still; none is marked."""
        return self._garbage(names, without).sweep(grace, before=before)

    def check_references(
        self, names: Sequence[str] | None = None, *, sample: int | None = None
    ) -> CheckResult:
        """
        Whether all files are there that something refers to, in all datasets and collections or those of some names.

        So many bytes of archived contents, a `sample`, are read and compared with their names; by default a gigabyte.
        """
        from lakehouse_assets.garbage import checks

        datasets = [name for name in self.datasets() if names is None or name in names]
        most = checks.SAMPLE if sample is None else sample
        return checks.check_references(self.location, datasets, names, sample=most)

    def _garbage(self, names: Sequence[str] | None, without: Sequence[str] = ()) -> "LakeGarbage":
        # few need it
        from lakehouse_assets.garbage.lakes import LakeGarbage

        return LakeGarbage(self.location, self.settings, names, without)

    def _has_dataset(self, name: str) -> bool:
        is_there = self.location.exists(f"{name}/{layout.CONFIG}")
        return is_there and deleted_at(self.location, name) is None

    def _check_deleted(self, name: str, error: type[LakehouseError]) -> None:
        if is_being_removed(self.location, name):
            msg = f"the dataset {name!r} was deleted, and `gc` is removing its files; run `lakehouse collections gc`"
            raise error(msg)
        if deleted_at(self.location, name) is not None:
            msg = f"the dataset {name!r} is deleted; `lakehouse dataset undelete {name}` brings it back"
            raise error(msg)

    def make(
        self,
        names: Sequence[str] | None = None,
        *,
        force: bool = False,
        assertions: bool = True,
        progress: Progress | None = None,
    ) -> dict[str, MakeJob]:
        """Make datasets, by default all, one after the other, and the catalogue at the end."""
        found = {}
        for name in self.datasets() if names is None else names:
            found[name] = self.dataset(name).make(
                force=force, assertions=assertions, progress=progress, catalog=False
            )
        self.export_catalog(force=force)
        return found

    def plan_pull(
        self, remote: "Lake | str | Path", *names: str, shallow: bool = False
    ) -> "list[DatasetStep]":
        """What a pull would do with each dataset, and how much it would bring; nothing is changed."""
        from lakehouse_assets.replicas import pull

        there = self._other(remote)
        wanted, gone = self._wanted(there, names)
        return pull.plan_all(
            self.location, there.location, wanted, self.settings, shallow=shallow, deleted=gone
        )

    def pull(
        self,
        remote: "Lake | str | Path",
        *names: str,
        shallow: bool = False,
        resolve: "Resolve | None" = None,
        progress: Progress | None = None,
    ) -> "Pulled":
        """
        Bring datasets of another lake here, by default all: files, statements, documents and exports.

        Only what is missing is brought. Diverged when statements were changed on both sides, and nothing is changed
        then: with `resolve="union"` all rows of both sides count, with "ours" or "theirs" those of one side alone.
        `shallow` brings new datasets without their earlier versions. Deletions come along. Tables of rows are brought
        by `lake.collections.pull(remote.collections)`.
        """
        from lakehouse_assets.replicas import pull

        there = self._other(remote)
        wanted, gone = self._wanted(there, names)
        done = pull.pull_all(
            self.location,
            there.location,
            wanted,
            self.settings,
            shallow=shallow,
            resolve=resolve,
            deleted=gone,
            conclude=self._list_brought,
            progress=progress,
        )
        if done.datasets:
            self.here().export_catalog()
        return done

    def push(
        self,
        remote: "Lake | str | Path",
        *names: str,
        shallow: bool = False,
        resolve: "Resolve | None" = None,
        progress: Progress | None = None,
    ) -> "Pulled":
        """Bring datasets of this lake to another one: the same as a pull from there, seen from here."""
        turned: dict[Resolve | None, Resolve | None] = {"ours": "theirs", "theirs": "ours"}
        whose = turned.get(resolve, resolve)
        return self._other(remote).pull(self, *names, shallow=shallow, resolve=whose, progress=progress)

    def glance(self, remote: "Lake | str | Path", name: str) -> "DatasetStep":
        """
        How a dataset here stands to the one in another lake, told quickly; nothing is changed.

        Statements and documents are compared; `plan_pull` lists the archived files, too.
        """
        from lakehouse_assets.replicas.pull import Exchange

        there = self._other(remote)
        exchange = Exchange(name, self.location, there.location, self.settings)
        at = deleted_at(there.location, name)
        return exchange.glance() if at is None else exchange.plan_deletion(at)

    def named(self, names: Sequence[str]) -> list[str]:
        """These datasets, or all without names; NotFound when one of them is not there."""
        found = self.datasets()
        if missing := sorted(set(names) - set(found)):
            msg = f"no dataset {', '.join(map(repr, missing))} in {self.uri}; there are {', '.join(found) or 'none'}"
            raise NotFound(msg)
        return [name for name in found if not names or name in names]

    def _wanted(self, there: "Lake", names: Sequence[str]) -> tuple[list[str], dict[str, datetime]]:
        """
        The datasets to bring, and those that were deleted there and not here; of some names, if any are given.

        Those that were deleted here are left out; Conflict for such a name.
        """
        gone = there.deleted_datasets() if not names else there._deleted_of(names)
        gone = {name: at for name, at in gone.items() if self._has_dataset(name)}
        left = [name for name in names if name not in gone]
        found = there.named(left) if left or not names else []
        deleted = self._deleted_of(found)
        for name in deleted if names else ():
            self._check_deleted(name, Conflict)
        return [name for name in found if name not in deleted], gone

    def _deleted_of(self, names: Sequence[str]) -> dict[str, datetime]:
        found = {name: deleted_at(self.location, name) for name in names}
        return {name: at for name, at in found.items() if at is not None}

    def _other(self, remote: "Lake | str | Path") -> "Lake":
        return remote if isinstance(remote, Lake) else self.remote(str(remote))

    def _list_brought(self, name: str) -> None:
        """Let the index of a dataset tell of what was brought."""
        self.here().dataset(name).export("index", assertions=False, flush_first=False, update_index=False)

    def signs(self, names: Sequence[str] | None = None, *, seconds: float = math.inf) -> dict[str, str]:
        """
        Of each dataset a text that changes when something of it may have changed; quick, as nothing is read.

        Only of some, of other ones each time, when it takes longer than so many `seconds`.
        """
        names = self.datasets() if names is None else names
        return all_signs(self.location, names, self.settings, seconds=seconds)

    def export_catalog(self, *, force: bool = False) -> CatalogResult:
        """Write the lake's index.json from the indexes of its datasets, unless it is fresh."""
        if self.settings.dagster_url:
            return delegate_catalog(self.settings, self.location, self.datasets(), force=force)
        return export_catalog(self.location, self.datasets(), force=force)

    def catalog_freshness(self) -> Freshness:
        """The state of the lake's index.json."""
        return catalog_freshness(self.location, self.datasets())

    def check_catalog(self) -> CheckResult:
        """Whether the lake's index.json says what the datasets' indexes say now."""
        return check_catalog(self.location, self.datasets())

    def __repr__(self) -> str:
        return f"<Lake({self.uri})>"


def _is_address(text: str) -> bool:
    return "/" in text or "\\" in text or text.startswith(".") or Path(text).is_dir()
