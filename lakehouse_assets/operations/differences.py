"""What changed in a dataset: the differences that are kept, and making them."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from lakehouse_assets import layout
from lakehouse_assets.diffs.between import Between
from lakehouse_assets.diffs.deltas import make_deltas
from lakehouse_assets.diffs.kinds import Entry, kind_of
from lakehouse_assets.diffs.statements import StatementChanges
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.model.deltas import Deltas, Difference, Kind
from lakehouse_assets.model.times import iso_z, to_utc
from lakehouse_assets.operations.diff_checks import DiffStatus, diff_status
from lakehouse_assets.operations.diffs import DiffJob, DiffOperation
from lakehouse_assets.operations.repositories import Progress, Repositories
from lakehouse_assets.statements.past import version_at
from lakehouse_assets.storage.compression import decompressing


class Differences:
    """
    The differences of a dataset.

    Example:
        >>> [(version.kind, version.added) for version in dataset.differences.versions()]
        [('entities', 3)]
        >>> dataset.differences.status("entities").why
        'they lead to what is there now'
    """

    def __init__(self, parts: Repositories) -> None:
        self._parts = parts

    def make(
        self,
        artifact: str,
        *,
        initial: bool = False,
        update_index: bool = True,
        progress: Progress | None = None,
    ) -> DiffJob:
        """
        Keep what changed in `entities` or `documents` since they were last compared, as their exports do.

        The first time there is nothing to compare with; with `initial` everything is added then.
        """
        job = DiffJob.make(dataset=self._parts.name, artifact=artifact, initial=initial)
        return DiffOperation(job, repositories=self._parts, progress=progress).run(update_index=update_index)

    def status(self, artifact: str) -> DiffStatus:
        """Whether the differences of an export lead to the file that is there, and which are kept."""
        return diff_status(self._parts, artifact)

    def between(
        self, since: datetime | None = None, until: datetime | None = None, *, kind: Kind = "entities"
    ) -> Between:
        """
        What changed from the version of one time to that of a later one; by default, from the newest but one.

        A version lasts until the next one. NotFound when nothing is kept of that time.
        """
        view, chain = self._parts.view(), kind_of(kind)
        deltas = make_deltas(view, Deltas.load(self._parts.location.read_or_none(layout.DELTA_INDEX)))
        start = deltas.since.get(kind)
        if start is None:
            msg = (
                f"no differences of {self._parts.name} are kept yet; `lakehouse export -d {self._parts.name} "
                f"{chain.artifact}` begins with it"
            )
            raise NotFound(msg)
        found = reversed(deltas.versions)
        kept = [version for version in found if version.kind == kind and version.version > start]
        points = [start, *(version.version for version in kept)]
        last = _newest(points, until) if until is not None else points[-1]
        first = _newest(points, since) if since is not None else points[max(points.index(last) - 1, 0)]
        if first > last:
            msg = f"{_iso(first)} is later than {_iso(last)}; swap the two times"
            raise InvalidData(msg)
        versions = [version for version in kept if first < version.version <= last]
        return Between(view, chain, versions, since=first, until=last)

    def statements(
        self, since: datetime | int | None = None, until: datetime | int | None = None
    ) -> StatementChanges:
        """
        Which statements came and went from one version of the table to a later one, given by number or time.

        By default, what the last change of content changed. NotFound when a version is not known any more, or its
        files were vacuumed.
        """
        store = self._parts.store
        last = self._version(until)
        first = self._version(since) if since is not None else max(self._changed(last) - 1, 0)
        if first > last:
            msg = f"version {first} is later than version {last}; swap the two"
            raise InvalidData(msg)
        return StatementChanges(store.reader_at(first), store.reader_at(last), since=first, until=last)

    def _version(self, wanted: datetime | int | None) -> int:
        """A version of the table."""
        if isinstance(wanted, int):
            return wanted
        table = self._parts.store.table
        if wanted is not None:
            return version_at(table, wanted)
        snapshot = table.snapshot()
        if snapshot is None:
            msg = f"{self._parts.name} has no statements yet; `lakehouse import -d {self._parts.name} FILE` adds some"
            raise NotFound(msg)
        return snapshot.version

    def _changed(self, version: int) -> int:
        """The last version up to this one that could change an answer."""
        found = self._parts.store.reader_at(version).table.content_version()
        return min(int(found.rpartition(":")[2]), version)

    def entries(self, version: Difference) -> Iterator[Entry]:
        """The changes of one difference, in its order."""
        location = self._parts.location
        with location.open(version.path) as file:
            yield from kind_of(version.kind).form.read(decompressing(file, version.path))

    def versions(self) -> Sequence[Difference]:
        """Every difference that is kept, the newest first, as diffs/delta.json lists them."""
        deltas = Deltas.load(self._parts.location.read_or_none(layout.DELTA_INDEX))
        return deltas.versions if deltas else []


def _newest(points: Sequence[str], when: datetime) -> str:
    """The version that was the newest at a time."""
    found = [point for point in points if layout.parse_stamp(point) <= to_utc(when)]
    if not found:
        msg = f"differences are kept since {_iso(points[0])}, and {iso_z(when)} is earlier; ask for a later time"
        raise NotFound(msg)
    return found[-1]


def _iso(version: str) -> str:
    return iso_z(layout.parse_stamp(version))
