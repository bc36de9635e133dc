"""Garbage of a lake as a whole: of its datasets and of its collections."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta

from lakehouse_assets import layout
from lakehouse_assets.collections import Repo
from lakehouse_assets.garbage.heaps import dataset_heaps
from lakehouse_assets.model.names import is_dataset_name
from lakehouse_assets.settings import Settings
from lakehouse_assets.storage.deletions import deleted_at
from lakehouse_assets.storage.garbage import Collected, Heap, Marked, as_grace, collect, mark, sweep
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import in_parallel
from lakehouse_assets.storage.spool import Spool


class LakeGarbage:
    """
    What can be collected in a lake, in all of it or in datasets and collections of some names.

    Example:
        >>> LakeGarbage(Location("data"), get_settings()).collect().marked
        ('acme/archive/3f/78/6850…/blob',)
    """

    def __init__(
        self,
        lake: Location,
        settings: Settings,
        names: Sequence[str] | None = None,
        without: Collection[str] = (),
    ) -> None:
        """`without` names datasets that are left alone."""
        self._lake = lake
        self._settings = settings
        self._temp = settings.temp_directory
        self._names = names
        self._without = without

    def collect(
        self, grace: timedelta | float | None = None, *, before: datetime | None = None, dry_run: bool = False
    ) -> Collected:
        """Mark what nobody needs, and delete what was marked longer than `grace` ago; with `dry_run` only tell."""
        with self._heaps() as heaps:
            return collect(
                self._lake,
                heaps,
                grace=self._grace(grace),
                before=before,
                dry_run=dry_run,
                temp_directory=self._temp,
            )

    def mark(self) -> Marked:
        """Mark what nobody needs, and delete nothing."""
        with self._heaps() as heaps:
            return mark(self._lake, heaps, temp_directory=self._temp)

    def sweep(self, grace: timedelta | float | None = None, *, before: datetime | None = None) -> Collected:
        """Delete what was marked longer than `grace` ago, and mark nothing."""
        with self._heaps() as heaps:
            return sweep(
                self._lake, heaps, grace=self._grace(grace), before=before, temp_directory=self._temp
            )

    def _grace(self, grace: timedelta | float | None) -> timedelta:
        return as_grace(timedelta(days=self._settings.gc_grace_days) if grace is None else grace)

    @contextmanager
    def _heaps(self) -> Iterator[list[Heap]]:
        deleted = list(deleted_datasets(self._lake))
        live = [name for name in _folders(self._lake) if name not in deleted]
        live = [name for name in live if self._lake.exists(f"{name}/{layout.CONFIG}")]
        with closing(Spool(self._temp)) as spool:
            datasets = dataset_heaps(
                self._lake, live, deleted, self._settings, spool, names=self._names, without=self._without
            )
            yield [*datasets, Repo(self._lake).heap(self._names, temp_directory=self._temp)]


def deleted_datasets(lake: Location) -> dict[str, datetime]:
    """The datasets that were deleted and are not removed yet, with the time since when they are (UTC)."""
    names = _folders(lake)
    look = map if lake.path is not None else in_parallel
    times = look(lambda name: deleted_at(lake, name), names)
    return {name: at for name, at in zip(names, times, strict=True) if at is not None}


def _folders(lake: Location) -> list[str]:
    return [name for name in lake.folders() if is_dataset_name(name)]
