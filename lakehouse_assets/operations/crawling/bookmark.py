"""What is remembered of a source from crawl to crawl."""

import hashlib
import io
import logging
import secrets
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import BinaryIO, cast

from lakehouse_assets import layout
from lakehouse_assets.archive.sources.catalogue import Catalogue
from lakehouse_assets.errors import Conflict, InvalidData, StateCorrupt
from lakehouse_assets.model.times import now_utc
from lakehouse_assets.state import StateData, StateStore
from lakehouse_assets.storage.location import Location

log = logging.getLogger(__name__)

# saving takes longer as the catalogue grows, and should stay a small part of the work
_SHARE = 0.05
_ABANDONED = timedelta(days=1)


PREFIX = "crawl-"
"""How the names of all these states begin."""


def bookmark_name(uri: str) -> str:
    """The name of the state of a source's crawls, by its address."""
    return f"{PREFIX}{hashlib.sha256(uri.encode()).hexdigest()[:16]}"


class Bookmark:
    """
    The state of the crawls of one source: counts, and where its catalogue lies.

    The catalogue is written anew under another name, then the state is moved to it, then the old one goes: there is
    a whole one at any time. Whatever is the matter with it, the files are read once more, and nothing else happens.
    """

    def __init__(self, location: Location, states: StateStore, uri: str, *, run_id: str) -> None:
        """The bookmark of the source at an address, among the states of a dataset."""
        self._location = location
        self._uri = uri
        self._run_id = run_id
        self._job = bookmark_name(uri)
        self._store = states
        self._state: StateData | None = None
        self._saved_at = time.monotonic()
        self._took = 0.0

    def open(self) -> Catalogue:
        """What was seen at the source; an empty catalogue when nothing was, or nobody knows."""
        try:
            self._state = self._store.get_or_create(self._job, run_id=self._run_id)
        except StateCorrupt as exc:
            log.warning("all files of %s are read once more, and their state is not kept: %s", self._uri, exc)
            return Catalogue()
        if self._state.interrupted:
            log.info("going on with the crawl of %s that was interrupted", self._uri)
        key, digest = self._state.get("catalogue"), self._state.get("digest")
        if not isinstance(key, str):
            return Catalogue()
        data = self._location.read_or_none(key)
        if data is None or hashlib.sha256(data).hexdigest() != digest:
            log.warning("%s is not what was written: all files are read once more", self._location.url(key))
            return Catalogue()
        try:
            return Catalogue.read(io.BytesIO(data), name=self._location.url(key))
        except InvalidData as exc:
            log.warning("%s", exc)
            return Catalogue()

    @property
    def is_due(self) -> bool:
        """Whether it was not saved for so long that doing so is a small part of the work."""
        return (time.monotonic() - self._saved_at) * _SHARE > self._took

    def save(self, catalogue: Catalogue, counts: Mapping[str, int], *, complete: bool) -> None:
        """Remember what was seen; `complete` when the crawl has come to its end."""
        if self._state is None:
            return
        began = time.monotonic()
        earlier = self._state.get("catalogue")
        key = earlier
        if catalogue.has_changed or not isinstance(earlier, str):
            key = layout.crawl_catalogue(f"{self._job}-{secrets.token_hex(4)}")
            with self._location.writer(key) as writer:
                files = catalogue.write(cast(BinaryIO, writer))
            self._note(source=self._uri, catalogue=key, digest=writer.digest, files=files)
        self._note(counts=dict(counts))
        try:
            (self._store.complete if complete else self._store.update)(self._state)
        except Conflict as exc:
            log.warning("another crawl of %s is at work; this one will not be remembered: %s", self._uri, exc)
            if key != earlier:
                self._location.delete(str(key))
            self._state = None
            return
        self._clear(str(key), earlier)
        self._saved_at = time.monotonic()
        self._took = self._saved_at - began

    def _note(self, **values: object) -> None:
        for name, value in values.items():
            cast(StateData, self._state).add_element(name, value)

    def _clear(self, key: str, earlier: object) -> None:
        """Remove the catalogue that was in use before, and what crawls left that were killed while they wrote one."""
        if isinstance(earlier, str) and earlier != key:
            self._location.delete(earlier)
        folder = key.rpartition("/")[0]
        for name in self._location.names(folder):
            other = f"{folder}/{name}"
            if name.startswith(self._job) and other != key:
                at = self._location.modified(other)
                if at is not None and now_utc() - at > _ABANDONED:
                    self._location.delete(other)
