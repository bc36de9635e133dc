"""The archived files of a job's entities."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lakehouse_assets.errors import ArchiveFileNotFound, NotFound

if TYPE_CHECKING:
    from followthemoney.proxy import EntityProxy

    from lakehouse_assets.lake import Dataset


@dataclass(frozen=True)
class FileReference:
    """
    One file of an entity.

    Example:
        >>> for reference in job.get_file_references():
        ...     with reference.get_localpath() as path:
        ...         print(reference.entity.caption, path.stat().st_size)
        contract.pdf 48213
    """

    dataset: "Dataset"
    entity: "EntityProxy"
    checksum: str

    @property
    def content_hash(self) -> str:
        """The checksum."""
        return self.checksum

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The file for reading, closed after the block; ArchiveFileNotFound when it is not archived."""
        with self._opened() as stream:
            yield stream

    @contextmanager
    def get_localpath(self) -> Iterator[Path]:
        """
        The file as a local path, to be read only; ArchiveFileNotFound when it is not archived.

        Of an archive on an object store it is a copy, which is gone after the block.
        """
        self._opened().close()
        with self.dataset.archive.local_path(self.checksum) as path:
            yield path

    @contextmanager
    def get_local_path(self) -> Iterator[Path]:
        """The same as `get_localpath`."""
        with self.get_localpath() as path:
            yield path

    def _opened(self) -> BinaryIO:
        try:
            return self.dataset.archive.open(self.checksum)
        except NotFound as exc:
            raise ArchiveFileNotFound(str(exc)) from exc
