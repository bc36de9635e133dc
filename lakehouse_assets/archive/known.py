"""What is known of archived contents: reading it, and finding a path among very many of one content."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence

from lakehouse_assets import layout
from lakehouse_assets.archive.files import ArchivedFile
from lakehouse_assets.archive.ids import file_id
from lakehouse_assets.archive.walk import BLOB, META
from lakehouse_assets.errors import InvalidData
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

# an empty file may have a hundred thousand paths: to list and read them for each would take for ever
_MANY = 32
_REMEMBERED = 64


def read_file(location: Location, key: str) -> ArchivedFile | None:
    """What is known of a file; None, with a warning, where it cannot be read."""
    data = location.read_or_none(key)
    if data is None:
        return None
    try:
        return ArchivedFile.load(data, location.url(key))
    except InvalidData as exc:
        log.warning("%s", exc)
        return None


def read_files(location: Location, keys: Sequence[str]) -> list[ArchivedFile]:
    """What is known of several files, without what cannot be read."""
    return [file for key in keys if (file := read_file(location, key)) is not None]


class KnownPaths:
    """
    Finds what is known of a content at a path.

    The ids of contents with very many paths are kept in memory. Many threads may ask.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self._ids: OrderedDict[str, dict[str, str]] = OrderedDict()
        self._guard = threading.Lock()

    def find(self, checksum: str, key: str) -> tuple[bool, ArchivedFile | None]:
        """Whether the content is there, and what is known of it at the path, whoever gave it its id."""
        ids = self._ids.get(checksum)
        if ids is not None:
            known = self._read(checksum, ids[key]) if key in ids else None
            return self._location.exists(layout.blob(checksum)), known
        names = self._location.names(layout.folder(checksum))
        found = [name.removesuffix(META) for name in names if name.endswith(META)]
        if len(found) > _MANY:
            self._remember(checksum, found)
            return self.find(checksum, key)
        # most often it is the id that we gave: then no other has to be read
        expected = file_id(key, checksum)
        ordered = sorted(found, key=lambda each: each != expected)
        files = (self._read(checksum, each) for each in ordered)
        known = next((file for file in files if file is not None and file.key == key), None)
        return BLOB in names, known

    def note(self, file: ArchivedFile) -> None:
        """A file was added."""
        ids = self._ids.get(file.checksum)
        if ids is not None:
            ids[file.key] = file.id

    def _remember(self, checksum: str, found: Sequence[str]) -> None:
        files = read_files(self._location, [layout.file_meta(checksum, each) for each in found])
        with self._guard:
            self._ids[checksum] = {file.key: file.id for file in files}
            while len(self._ids) > _REMEMBERED:
                self._ids.popitem(last=False)

    def _read(self, checksum: str, file_id: str) -> ArchivedFile | None:
        return read_file(self._location, layout.file_meta(checksum, file_id))
