"""What changed in a dataset: the differences that are kept, and making them."""

from collections.abc import Iterator, Sequence

from lakehouse_assets import layout
from lakehouse_assets.diffs.kinds import Entry, kind_of
from lakehouse_assets.model.deltas import Deltas, Difference
from lakehouse_assets.operations.diff_checks import DiffStatus, diff_status
from lakehouse_assets.operations.diffs import DiffJob, DiffOperation
from lakehouse_assets.operations.repositories import Progress, Repositories
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

    def entries(self, version: Difference) -> Iterator[Entry]:
        """The changes of one difference, in its order."""
        location = self._parts.location
        with location.open(version.path) as file:
            yield from kind_of(version.kind).form.read(decompressing(file, version.path))

    def versions(self) -> Sequence[Difference]:
        """Every difference that is kept, the newest first, as diffs/delta.json lists them."""
        deltas = Deltas.load(self._parts.location.read_or_none(layout.DELTA_INDEX))
        return deltas.versions if deltas else []
