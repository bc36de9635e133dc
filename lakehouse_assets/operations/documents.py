"""The list of a dataset's files: reading it, writing it, and what changed in it."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from lakehouse_assets import layout
from lakehouse_assets.errors import NotFound
from lakehouse_assets.model.times import parse
from lakehouse_assets.operations.diffs import DiffJob, DiffOperation
from lakehouse_assets.operations.exports import ExportDocumentsJob, ExportDocumentsOperation
from lakehouse_assets.operations.repositories import Repositories


@dataclass(frozen=True)
class Document:
    """
    A file as exports/documents.csv lists it; one in several folders is listed once for each.

    `path` is its folder, empty at the top; `size` is in bytes; `updated_at` (UTC) is when its entity last changed.
    """

    id: str
    checksum: str
    name: str
    mimetype: str
    path: str
    size: int
    updated_at: datetime | None
    public_url: str | None

    @property
    def key(self) -> str:
        """Its folder and name: where it lay in its source."""
        return f"{self.path}/{self.name}" if self.path else self.name


class Documents:
    """
    The files of a dataset.

    Example:
        >>> dataset.documents.export_csv("https://data.example.org/acme").rows
        41
        >>> [document.key for document in dataset.documents.stream()][:1]
        ['contracts/2024.pdf']
    """

    def __init__(self, parts: Repositories) -> None:
        self._parts = parts

    @property
    def csv_uri(self) -> str:
        """Where the list lies."""
        return self._parts.location.url(layout.DOCUMENTS)

    def stream(self, *, crawled: bool = False) -> Iterator[Document]:
        """The files as the list has them now, or only those that were crawled; NotFound before it was written."""
        key = layout.DOCUMENTS_CRAWL if crawled else layout.DOCUMENTS
        if not self._parts.location.exists(key):
            name = self._parts.name
            msg = f"{self._parts.location.url(key)} is not there; `lakehouse export -d {name} documents` writes it"
            raise NotFound(msg)
        with io.TextIOWrapper(self._parts.location.open(key), encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                yield _document(row)

    def export_csv(
        self, public_prefix: str | None = None, *, force: bool = False, make_diff: bool = True
    ) -> ExportDocumentsJob:
        """Write both lists unless they are fresh, with addresses below a public prefix, by default the config's."""
        job = ExportDocumentsJob.make(
            dataset=self._parts.name, public_url_prefix=public_prefix, make_diff=make_diff
        )
        return ExportDocumentsOperation(job, repositories=self._parts).run(force=force)

    def export_diff(self, *, initial: bool = False) -> DiffJob:
        """
        Keep what changed in the lists since they were last compared.

        The first time there is nothing to compare with; with `initial` everything is added then.
        """
        job = DiffJob.make(dataset=self._parts.name, artifact="documents", initial=initial)
        return DiffOperation(job, repositories=self._parts).run()


def _document(row: dict[str, str]) -> Document:
    return Document(
        id=row["id"],
        checksum=row["checksum"],
        name=row["name"],
        mimetype=row["mimetype"],
        path=row["path"],
        size=int(row["size"] or 0),
        updated_at=parse(row["updated_at"]) if row["updated_at"] else None,
        public_url=row["public_url"] or None,
    )
