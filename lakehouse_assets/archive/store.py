"""The archive of a dataset: every content once, named by its checksum, with a small file for each of its paths."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from lakehouse_assets import layout
from lakehouse_assets.archive.files import ArchivedFile
from lakehouse_assets.archive.ids import file_id
from lakehouse_assets.archive.intake import taken_in
from lakehouse_assets.archive.known import KnownPaths, read_files
from lakehouse_assets.archive.names import checked_checksum, checked_file_id, checked_key, is_checksum
from lakehouse_assets.archive.opening import opened
from lakehouse_assets.archive.summary import (
    Listing,
    Summary,
    current_version,
    list_archive,
    record,
    summarize,
)
from lakehouse_assets.archive.types import OCTET_STREAM, mimetype_of, sniff
from lakehouse_assets.archive.verify import VerifyProgress, VerifyReport, verify
from lakehouse_assets.archive.walk import META, content_keys, meta_keys
from lakehouse_assets.errors import InvalidData, NotFound
from lakehouse_assets.model.times import now_utc, to_utc
from lakehouse_assets.storage.location import Location
from lakehouse_assets.storage.parallel import batches, in_parallel
from lakehouse_assets.storage.tags import Tags

ORIGIN = "archive"
"""The origin of files that a program stores one by one."""

_CHUNK = 1 << 20
_SOME_DIGITS = re.compile(r"[0-9a-f]{6,64}")
# small files that are read in one go: less to do for the threads than one by one
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as it is archived, and what was new: its content, this path of it."""

    file: ArchivedFile
    is_new_blob: bool
    is_new_file: bool


class Archive:
    """
    The source files of a dataset.

    Many threads and processes may store at once. A content is there whole or not at all, and is never written again.

    Example:
        >>> file = dataset.archive.store("contracts/2024.pdf", key="contracts/2024.pdf")
        >>> with dataset.archive.open(file.checksum) as stream:
        ...     stream.read(4)
        b'%PDF'
    """

    def __init__(self, location: Location, *, dataset: str, tags: Tags) -> None:
        """The archive in the folder of a dataset."""
        self._location = location
        self._dataset = dataset
        self._tags = tags
        self._known = KnownPaths(location)

    def put(
        self,
        stream: BinaryIO,
        *,
        key: str,
        name: str | None = None,
        origin: str = ORIGIN,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
        mimetype: str | None = None,
        extra: Mapping[str, object] | None = None,
        checksum: str | None = None,
        check: Callable[[str], None] | None = None,
    ) -> Stored:
        """
        Archive what a stream holds, which is read once, under a path; the tag of the archive is left to `touch`.

        Nothing becomes visible before `check` was called with the checksum of what was read: what it raises keeps the
        file out. So does InvalidData, where a `checksum` was expected and another one found.
        """
        checked_key(key)
        name = name or key.rpartition("/")[2]
        with taken_in(stream, self._location) as content:
            if checksum is not None and checked_checksum(checksum) != content.checksum:
                msg = (
                    f"{key}: the checksum should be {checksum}, but is {content.checksum}; get the file again"
                )
                raise InvalidData(msg)
            if check is not None:
                check(content.checksum)
            has_blob, known = self._known.find(content.checksum, key)
            if not has_blob:
                content.publish(self._location)
            told = mimetype or mimetype_of(name)
            changed_at = updated_at or created_at or now_utc()
            file = ArchivedFile(
                id=known.id if known else file_id(key, content.checksum),
                name=name,
                key=key,
                checksum=content.checksum,
                size=content.size,
                mimetype=sniff(content.head) if told == OCTET_STREAM else told,
                dataset=self._dataset,
                origin=origin,
                created_at=to_utc(created_at or changed_at),
                updated_at=to_utc(changed_at),
                extra=extra if extra is not None else known.extra if known else {},
            )
            if file != known:
                self._location.write(layout.file_meta(file.checksum, file.id), file.to_json())
                self._known.note(file)
            # who collects garbage puts a content aside first, and then looks whether a path of it is known; we look in
            # the other order, so at least one of us sees the other
            if has_blob and known is None and not self._location.exists(layout.blob(content.checksum)):
                content.publish(self._location)
        return Stored(file, not has_blob, known is None)

    def store(
        self,
        uri: str | Path,
        checksum: str | None = None,
        key: str | None = None,
        origin: str | None = None,
    ) -> ArchivedFile:
        """
        Archive a file at a path or URL, by default under its own name.

        NotFound without it; InvalidData when it has another checksum than the one that is given.
        """
        with opened(uri) as source:
            stored = self.put(
                source.stream,
                key=key or source.name,
                name=source.name,
                origin=origin or ORIGIN,
                created_at=source.created_at,
                updated_at=source.updated_at,
                mimetype=mimetype_of(source.name, source.content_type),
                checksum=checksum,
            )
        self.touch()
        return stored.file

    def exists(self, checksum: str) -> bool:
        """Whether a content is archived."""
        return self._place(checksum) is not None

    def find(self, digits: str) -> str:
        """The checksum of a content that begins with these digits, at least six; NotFound or InvalidData otherwise."""
        digits = digits.lower()
        if is_checksum(digits):
            return digits
        if not _SOME_DIGITS.fullmatch(digits):
            msg = f"not a checksum: {digits!r}; give 64 hex digits, or the first of them, at least six"
            raise InvalidData(msg)
        folder = layout.folder(digits).rpartition("/")[0]
        found = [name for name in self._location.folders(folder) if name.startswith(digits)]
        if not found:
            raise self._not_found(digits)
        if len(found) > 1:
            msg = f"{len(found)} files begin with {digits}: {', '.join(found[:3])}; give more digits"
            raise InvalidData(msg)
        return found[0]

    def get_file(self, checksum: str, key: str | None = None) -> ArchivedFile:
        """What is known of a content, at a path if one is given, else at the first; NotFound without it."""
        files = self.get_all_files(checksum)
        found = next((file for file in files if key in (None, file.key)), None)
        if found is None:
            raise self._not_found(checksum if key is None else f"{checksum} at {key!r}")
        return found

    def get_all_files(self, checksum: str) -> list[ArchivedFile]:
        """What is known of a content: one file for each path that it had, by path."""
        folder = layout.folder(checked_checksum(checksum))
        names = self._location.names(folder)
        found = read_files(self._location, [f"{folder}/{name}" for name in names if name.endswith(META)])
        return sorted(found, key=lambda file: (file.key, file.id))

    def open(self, checksum: str) -> BinaryIO:
        """A content for reading; NotFound without it."""
        for key in _places(checksum):
            try:
                return self._location.open(key)
            except NotFound:
                continue
        raise self._not_found(checksum)

    @contextmanager
    def local_path(self, checksum: str) -> Iterator[Path]:
        """
        A content as a local file, to be read only, while the block lasts; NotFound without it.

        Of an archive on an object store it is a copy, which is gone after the block.
        """
        if self._location.path is not None:
            place = self._place(checksum)
            path = self._location.local(place) if place is not None else None
            if path is None:
                raise self._not_found(checksum)
            yield path
            return
        with TemporaryDirectory(prefix="lakehouse-") as folder:
            copy = Path(folder, checksum)
            with self.open(checksum) as stream, copy.open("wb") as file:
                while chunk := stream.read(_CHUNK):
                    file.write(chunk)
            yield copy

    def delete(self, file_id: str, checksum: str) -> bool:
        """Forget a path of a content; its bytes stay. False when nothing was known of it."""
        deleted = self._location.delete(
            layout.file_meta(checked_checksum(checksum), checked_file_id(file_id))
        )
        if deleted:
            self.touch()
        return deleted

    def files(self, origin: str | None = None) -> Iterator[ArchivedFile]:
        """All files, or those of an origin, by checksum; what cannot be read is left out with a warning."""
        read = partial(read_files, self._location)
        for files in in_parallel(read, batches(meta_keys(self._location), _BATCH)):
            yield from (file for file in files if origin in (None, file.origin))

    def verify(self, progress: VerifyProgress | None = None) -> VerifyReport:
        """
        Read every content and compare it with its checksum; what is wrong moves to quarantine/blobs.

        What is known of a bad content stays, so that it is found when its file is crawled again.
        """
        report = verify(self._location, progress)
        if report.quarantined:
            self.touch()
        return report

    def version(self) -> str:
        """Another text as soon as a path or a content came or went; quick while nothing touched the archive."""
        return current_version(self._location, self._tags)

    def listing(self) -> Listing:
        """Count all files by their names."""
        return list_archive(self._location)

    def summary(self) -> Summary:
        """Count all files, by type and by age, and keep on record that they were."""
        stamp = self._tags.text(layout.TAG_ARCHIVE_UPDATED)
        found = summarize(self._location, self.files())
        record(self._location, stamp, found)
        return found

    def touch(self) -> None:
        """Note that the archive changed."""
        self._tags.set(layout.TAG_ARCHIVE_UPDATED)

    def _place(self, checksum: str) -> str | None:
        return next((key for key in _places(checksum) if self._location.exists(key)), None)

    def _not_found(self, what: str) -> NotFound:
        return NotFound(
            f"{self._dataset} has no file {what}; `lakehouse archive ls -d {self._dataset}` lists them"
        )


def _places(checksum: str) -> list[str]:
    """Where a content lies: in its place, or beside it while somebody looks whether it is garbage."""
    return content_keys(checked_checksum(checksum))
