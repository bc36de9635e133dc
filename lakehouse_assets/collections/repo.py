"""Collections of one place: made, found, renamed, deleted."""

import logging
import uuid
from collections.abc import Collection as Some
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, overload

from lakehouse_assets import layout
from lakehouse_assets.collections import edits
from lakehouse_assets.collections.collection import Collection
from lakehouse_assets.collections.garbage import CollectionsHeap
from lakehouse_assets.collections.labels import checked_label
from lakehouse_assets.collections.places import Uri, place_of
from lakehouse_assets.collections.registry import Entry, Registry
from lakehouse_assets.collections.schema import SERIES, Schema
from lakehouse_assets.collections.series import Series
from lakehouse_assets.collections.table import Table
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.storage.deletions import delete_dataset, deleted_at
from lakehouse_assets.storage.garbage import Collected, as_grace, collect
from lakehouse_assets.storage.location import Location

if TYPE_CHECKING:
    from lakehouse_assets.collections.sync import Resolve, Step, Synced

log = logging.getLogger(__name__)

COLLECTION = "collection"
"""The namespace of collections, if no other is named."""

ARCHIVE = "archive"
DATASET = "dataset"
"""The namespace in which a lake's datasets are listed."""


class Repo:
    """
    The collections of a place: a folder, a bucket, memory, or a cache before one of them.

    What collections there are is looked up once and after each change of one's own; `refresh` looks again.

    Example:
        >>> repo = Repo("memory://weather")
        >>> temperature = repo.create_collection(Schema(day="date*", value="float"), "temperature")
        >>> repo.ls(), (repo / "temperature") == temperature, repo / "rain"
        (['temperature'], True, None)
    """

    def __init__(self, uri: Uri | None = None, storage_options: Mapping[str, str] | None = None) -> None:
        """The collections of a place; without one, of a new place in memory."""
        self._place = place_of(uri, storage_options)
        self.registry = Registry(self.location / layout.LAKE_REGISTRY)
        self._known: list[Entry] | None = None
        self._tables: dict[str, Table] = {}

    @property
    def location(self) -> Location:
        """The folder that everything lies in."""
        return self._place.location

    @property
    def uri(self) -> str:
        """The address of that folder."""
        return self.location.uri

    def ls(self, namespace: str = COLLECTION) -> list[str]:
        """The labels of the collections, sorted."""
        if namespace == DATASET:
            return [
                name
                for name in self.location.folders()
                if self.location.exists(f"{name}/{layout.CONFIG}") and deleted_at(self.location, name) is None
            ]
        return sorted(entry.label for entry in self.entries(namespace))

    def __iter__(self) -> Iterator[str]:
        return iter(self.ls())

    def entries(self, namespace: str = COLLECTION, *, deleted: bool = False) -> list[Entry]:
        """What the registry has of the collections; or of the deleted ones."""
        return [e for e in self._entries() if e.namespace == namespace and e.is_live is not deleted]

    def deleted(self) -> list[Entry]:
        """What the registry has of the deleted collections of all namespaces, which `undelete` may bring back."""
        return [entry for entry in self._entries() if not entry.is_live]

    def namespaces(self) -> list[str]:
        """The namespaces that have collections, sorted."""
        return sorted({entry.namespace for entry in self._entries() if entry.is_live})

    def signs(self) -> "Mapping[Entry, str]":
        """
        What the registry has of all collections now, each with a text that changes when it does; no log is read.

        Deleted ones are left out.
        """
        from lakehouse_assets.collections.signs import signs_of

        self.refresh()
        return signs_of(self.location, [entry for entry in self._entries() if entry.is_live])

    def search(self, label: str | None = None, namespace: str = COLLECTION) -> list[Collection]:
        """The collections of a label, of a pattern like `temp*`, or all, sorted by label."""
        found = self.entries(namespace)
        if label is not None and any(entry.label == label.strip() for entry in found):
            found = [entry for entry in found if entry.label == label.strip()]
        elif label is not None:
            found = [entry for entry in found if fnmatchcase(entry.label, label.strip())]
        return [self._collection(entry) for entry in sorted(found, key=lambda entry: entry.label)]

    def collection(self, label: str, namespace: str = COLLECTION) -> Collection | None:
        """A collection, None when there is none of that label."""
        name = label.strip()
        found = [entry for entry in self.entries(namespace) if entry.label == name]
        return self._collection(found[0]) if found else None

    def get(self, label: str, namespace: str = COLLECTION) -> Collection:
        """A collection; NotFound when there is none of that label."""
        found = self.collection(label, namespace)
        if found is None:
            msg = f"there is no collection {label!r} in {self.uri}; `ls` lists them, `create_collection` makes one"
            raise NotFound(msg)
        return found

    def registry_collection(self, label: str) -> Collection | None:
        """A collection as the registry has it now, None when there is none of that label."""
        self.refresh()
        return self.collection(label)

    def __truediv__(self, label: str) -> Collection | None:
        return self.collection(label)

    @overload
    def create_collection(
        self, schema: Schema, label: str, /, *, raise_if_exists: bool = ..., namespace: str = ...
    ) -> Collection: ...

    @overload
    def create_collection(
        self, schema: Schema, /, *labels: str, raise_if_exists: bool = ..., namespace: str = ...
    ) -> list[Collection]: ...

    def create_collection(
        self, schema: Schema, /, *labels: str, raise_if_exists: bool = True, namespace: str = COLLECTION
    ) -> Collection | list[Collection]:
        """
        Make collections of a schema, all or none; one label gives a collection, several give a list.

        InvalidData when there is one of such a label already; unless `raise_if_exists` is off and it has the same
        schema: then it is given.
        """
        names = [checked_label(label) for label in labels]
        space = self._namespace(namespace)
        if not names or len(set(names)) < len(names):
            msg = f"give each new collection a label of its own, not {', '.join(map(repr, names)) or 'none'}"
            raise InvalidData(msg)
        if not isinstance(schema, Schema):
            msg = f"the first argument is the schema, like Schema(time='timestamp*', value='float'), not {schema!r}"
            raise InvalidData(msg)

        def missing(entries: list[Entry]) -> list[str]:
            return edits.missing(entries, schema, names, space, raise_if_exists=raise_if_exists)

        made = {name: self._new_entry(schema, name, space) for name in missing(self.registry.entries())}

        def add(entries: list[Entry]) -> list[Entry]:
            return [*entries, *(made[name] for name in missing(entries))]

        try:
            for entry in made.values():
                table = Table(schema, self.location / entry.path)
                table.log.create(schema.delta(), partition_by=[SERIES], name=entry.label)
            self._known = self.registry.change(add, operation="CREATE") if made else self.registry.entries()
        finally:
            kept = {entry.uid for entry in self._known or []}
            for entry in made.values():
                if entry.uid not in kept:
                    self.location.delete_tree(entry.path)
        found = [self.get(name, space) for name in names]
        log.info("created %s in %s", ", ".join(made) or "nothing", self.uri)
        return found[0] if len(labels) == 1 else found

    def rename(self, from_label: str, to_label: str, namespace: str = COLLECTION) -> None:
        """Give a collection another label; its rows stay where they are. InvalidData when it cannot be."""
        old, new = checked_label(from_label), checked_label(to_label)
        space = self._namespace(namespace)

        def edit(entries: list[Entry]) -> list[Entry]:
            return edits.renamed(entries, old, new, space, place=self.uri)

        self._known = self.registry.change(edit, operation="RENAME")

    def delete(self, *labels: str, namespace: str = COLLECTION) -> list[str]:
        """
        Delete collections; those that are not there do not matter. Gives the labels of those that were.

        `undelete` brings them back until `gc` removes their rows.
        """
        names = {checked_label(label) for label in labels}
        if namespace == DATASET:
            there = [name for name in self.ls(DATASET) if name in names]
            for name in there:
                delete_dataset(self.location, name)
            return there
        space, at = self._namespace(namespace), now_utc()
        gone: list[str] = []

        def edit(entries: list[Entry]) -> list[Entry]:
            changed, gone[:] = edits.deleted(entries, names, space, at=at)
            return changed

        self._known = self.registry.change(edit, operation="DELETE")
        return gone

    def undelete(self, label: str, namespace: str = COLLECTION) -> Collection:
        """
        Bring back the collection of a label that was deleted last; InvalidData when there is none, or a new one.

        Datasets are brought back by `Lake.undelete_dataset`.
        """
        name, space = checked_label(label), self._namespace(namespace)

        def edit(entries: list[Entry]) -> list[Entry]:
            return edits.undeleted(entries, name, space)

        self._known = self.registry.change(edit, operation="UNDELETE")
        return self.get(name, space)

    def archive(self, collection: Collection) -> Collection:
        """The collection of the same label and schema in the namespace `archive`, made when it is not there."""
        return self.create_collection(
            collection.schema, collection.label, raise_if_exists=False, namespace=ARCHIVE
        )

    def refresh(self) -> None:
        """Look up anew what collections there are."""
        self._known = self.registry.entries()

    def merge(self) -> list[str]:
        """
        Look up anew what collections there are.

        There is nothing to merge, and the list is empty: all changes are made one after the other, whoever makes them.
        """
        self.refresh()
        return []

    def gc(self, grace: timedelta | float | None = None) -> tuple[int, int]:
        """
        Delete files that nobody needs for longer than `grace` (seconds; a week), and mark those found now.

        Gives how many were deleted and how many marked. What is needed again by then stays. Files that no write knows
        of are left alone for a day, and what is none of ours for ever.
        """
        found = self.collect_garbage(grace)
        return len(found.deleted), len(found.marked)

    def collect_garbage(self, grace: timedelta | float | None = None, *, dry_run: bool = False) -> Collected:
        """The same as `gc`, naming the files; with `dry_run` nothing is deleted, and nothing marked."""
        found = collect(self.location, [self.heap()], grace=as_grace(grace), dry_run=dry_run)
        self.refresh()
        return found

    def heap(self, labels: Some[str] | None = None, *, temp_directory: str | None = None) -> CollectionsHeap:
        """What garbage is collected from: the files of all collections, or of those with some labels."""
        return CollectionsHeap(self.location, self.registry, labels, temp_directory=temp_directory)

    def push(
        self,
        remote: "Repo",
        *labels: str,
        shallow: bool = False,
        resolve: "Resolve | None" = None,
        namespace: str = COLLECTION,
    ) -> "Synced":
        """Bring what is here to a remote place: the same as a pull from there."""
        turned: dict[Resolve | None, Resolve | None] = {"ours": "theirs", "theirs": "ours", None: None}
        return remote.pull(self, *labels, shallow=shallow, resolve=turned[resolve], namespace=namespace)

    def pull(
        self,
        remote: "Repo",
        *labels: str,
        shallow: bool = False,
        resolve: "Resolve | None" = None,
        namespace: str = COLLECTION,
    ) -> "Synced":
        """
        Bring what a remote place has here, by default all its collections: rows, versions, labels, deletions.

        Only what is ahead is brought, and every file compared with its digest. Diverged when a collection was changed
        on both sides, and nothing is changed then; with `resolve` both sides' changes are kept, and it says whose rows
        count where both changed the same ones. `shallow` brings the newest version alone.
        """
        from lakehouse_assets.collections import sync

        steps = sync.plan(self, remote, labels, namespace=namespace, shallow=shallow)
        if resolve is not None:
            from lakehouse_assets.collections import merging

            steps = merging.resolved(self, remote, steps, resolve)
        done = sync.apply(self, remote, steps)
        # handles of their own would go on with what they know of the tables
        self._tables.clear()
        return done

    def plan_pull(
        self, remote: "Repo", *labels: str, shallow: bool = False, namespace: str = COLLECTION
    ) -> "list[Step]":
        """What a pull would do with each collection, and how much it would bring; nothing is changed."""
        from lakehouse_assets.collections import sync

        return sync.plan(self, remote, labels, namespace=namespace, shallow=shallow)

    def reify(self, name: str, meta: Mapping[str, object]) -> Collection:
        """The collection that a row of the registry tells of: its `schema_json` (or `schema`) and its `path`."""
        schema = Schema.loads(meta.get("schema_json") or meta["schema"])  # type: ignore[arg-type]
        place = self._place / str(meta["path"])
        return Collection(checked_label(name), schema, Table(schema, place.location, place.cache))

    def import_collections(
        self,
        src: str | Path | Location,
        collections: Sequence[str] | None = None,
        *,
        storage_options: Mapping[str, str] | None = None,
    ) -> dict[str, int]:
        """
        Read collections from files as `export_collections` writes them, by default all that lie there.

        Each is one version, or none when it has these rows already. Gives how many rows were read of each.
        """
        from lakehouse_assets.collections.exchange import import_collections

        return import_collections(self, self._elsewhere(src, storage_options), collections)

    def export_collections(
        self,
        dest: str | Path | Location,
        collections: Sequence[str] | None = None,
        file_type: str = "csv",
        *,
        storage_options: Mapping[str, str] | None = None,
    ) -> dict[str, int]:
        """
        Write collections to files, by default all: a folder for each, a file for each series, in place of earlier ones.

        Gives how many rows were written of each.
        """
        from lakehouse_assets.collections.exchange import export_collections

        return export_collections(self, self._elsewhere(dest, storage_options), collections, file_type)

    def import_series(
        self, series: Series, src: str | Path, *, storage_options: Mapping[str, str] | None = None
    ) -> int:
        """Read rows from a CSV or Parquet file, which take the place of those between; gives how many."""
        from lakehouse_assets.collections.exchange import import_file

        folder, _, name = str(src).replace("\\", "/").rpartition("/")
        return import_file(series, self._elsewhere(folder or ".", storage_options), name)

    def export_series(
        self,
        series: Series,
        dest: str | Path,
        file_type: str = "csv",
        *,
        storage_options: Mapping[str, str] | None = None,
    ) -> int:
        """Write a series to a file, whole or not at all; gives how many rows."""
        from lakehouse_assets.collections.exchange import export_file

        folder, _, name = str(dest).replace("\\", "/").rpartition("/")
        return export_file(series, self._elsewhere(folder or ".", storage_options), name, file_type)

    def _elsewhere(self, uri: str | Path | Location, options: Mapping[str, str] | None) -> Location:
        return place_of(uri, self.location.storage_options if options is None else options).location

    def _entries(self) -> list[Entry]:
        if self._known is None:
            self._known = self.registry.entries()
        return self._known

    def _new_entry(self, schema: Schema, label: str, namespace: str) -> Entry:
        uid = uuid.uuid4().hex
        return Entry(namespace, label, uid, schema.dumps(), f"{layout.LAKE_COLLECTIONS}/{uid}", now_utc())

    def _collection(self, entry: Entry) -> Collection:
        table = self._tables.get(entry.path)
        if table is None:
            place = self._place / entry.path
            table = self._tables[entry.path] = Table(entry.schema, place.location, place.cache)
        return Collection(entry.label, table.schema, table, namespace=entry.namespace)

    def _namespace(self, namespace: str) -> str:
        name = checked_label(namespace, "namespace")
        if name == DATASET:
            msg = (
                "datasets are only listed here: their names stand in the id of each of their statements, so that they "
                "cannot be renamed; `lakehouse dataset` makes them"
            )
            raise InvalidData(msg)
        return name

    def __repr__(self) -> str:
        return f"<Repo({self.uri})>"
