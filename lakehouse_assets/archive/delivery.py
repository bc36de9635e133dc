"""Bringing archived files to another place, each whole and compared with its checksum on the way."""

import hashlib
import os
from functools import lru_cache
from typing import BinaryIO, Literal, NamedTuple

from lakehouse_assets.archive.intake import IN_MEMORY
from lakehouse_assets.archive.store import Archive
from lakehouse_assets.errors import InvalidData, NotFound, StorageError
from lakehouse_assets.storage.digest import digest_of
from lakehouse_assets.storage.location import Location

Outcome = Literal["written", "replaced", "there", "not archived", "refused"]

_CHUNK = 1 << 20


class Delivered(NamedTuple):
    """What became of a file, how many bytes were written, and what went wrong, if something did."""

    outcome: Outcome
    size: int = 0
    reason: str = ""


class Delivery:
    """
    Brings files from an archive to a place.

    Example:
        >>> delivery = Delivery(dataset.archive, Location("out"))
        >>> delivery.bring(checksum, "contracts/2024.pdf").outcome
        'written'
    """

    def __init__(self, archive: Archive, target: Location) -> None:
        self._archive = archive
        self._target = target
        # many files lie in one folder
        self._check_folder = lru_cache(1024)(self._check_links)

    def bring(self, checksum: str, place: str) -> Delivered:
        """Bring one file, unless it is there with the right checksum; nothing is raised for what is wrong with it."""
        try:
            self._check_folder(place.rpartition("/")[0])
            there = self._target.exists(place)
            if there and self._digest(place) == checksum:
                return Delivered("there")
        except (StorageError, OSError) as exc:
            return Delivered("refused", reason=str(exc))
        try:
            with self._archive.open(checksum) as stream:
                head = stream.read(IN_MEMORY)
                return self._write(checksum, place, head, stream, replaces=there)
        except NotFound:
            return Delivered("not archived", reason="its content is not archived; crawl its source again")
        except InvalidData as exc:
            return Delivered("not archived", reason=str(exc))
        except (StorageError, OSError) as exc:
            return Delivered("refused", reason=str(exc))

    def _write(
        self, checksum: str, place: str, head: bytes, stream: BinaryIO, *, replaces: bool
    ) -> Delivered:
        if len(head) < IN_MEMORY:
            _compare(checksum, hashlib.sha256(head).hexdigest())
            self._target.write(place, head)
            size = len(head)
        else:
            with self._target.writer(place) as writer:
                writer.write(head)
                while chunk := stream.read(_CHUNK):
                    writer.write(chunk)
                # in the block: what differs does not appear
                _compare(checksum, writer.digest)
            size = writer.size
        return Delivered("replaced" if replaces else "written", size)

    def _digest(self, place: str) -> str:
        with self._target.open(place) as stream:
            return digest_of(stream)[0]

    def _check_links(self, folder: str) -> None:
        """Refuse a folder that a link leads out of the target to."""
        root = self._target.path
        if root is None or not folder:
            return
        real, inside = os.path.realpath(root / folder), os.path.realpath(root)
        if os.path.commonpath([real, inside]) != inside:
            msg = f"{root / folder} is a link that leads out of {root}; remove it"
            raise StorageError(msg)


def _compare(checksum: str, found: str) -> None:
    if found != checksum:
        msg = f"its content is corrupted (its checksum is {found}); run `lakehouse archive verify`, then crawl it again"
        raise InvalidData(msg)
