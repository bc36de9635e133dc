"""Tags: when something was last done, one small file each."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from lakehouse_assets import layout
from lakehouse_assets.model.times import from_iso, iso, now_utc
from lakehouse_assets.storage.location import Location


class Tags:
    """
    The tags of a dataset.

    A tag holds a time with its offset. Those of older programs without one are read as local time.

    Example:
        >>> tags = Tags(Location("memory://lake/acme"))
        >>> tags.set("journal/last_updated")
        >>> tags.is_latest("exports/statements.csv", ["journal/last_updated"])
        False
    """

    def __init__(self, location: Location) -> None:
        self._location = location

    def get(self, key: str) -> datetime | None:
        """The time of a tag; None without it, or when it holds no time."""
        text = self.text(key)
        return from_iso(text) if text is not None else None

    def set(self, key: str, when: datetime | None = None) -> None:
        """Write a tag, by default with the time of now."""
        self._location.write(layout.tag(key), json.dumps(iso(when or now_utc())).encode())

    def text(self, key: str) -> str | None:
        """What a tag holds, as text: some hold no time but a state."""
        data = self._location.read_or_none(layout.tag(key))
        return _decode(data) if data is not None else None

    def set_text(self, key: str, text: str) -> None:
        """Write a tag that holds bare text."""
        self._location.write(layout.tag(key), text.encode())

    def delete(self, key: str) -> bool:
        """Remove a tag; False when there was none."""
        return self._location.delete(layout.tag(key))

    def exists(self, key: str) -> bool:
        """Whether there is such a tag, whatever it holds."""
        return self._location.exists(layout.tag(key))

    def keys(self, prefix: str = "") -> Iterator[str]:
        """All tags below a folder, sorted."""
        folder = f"{layout.TAGS}/{prefix}".rstrip("/")
        return (key[len(layout.TAGS) + 1 :] for key in self._location.keys(folder))

    def is_latest(self, target: str, dependencies: Sequence[str]) -> bool:
        """Whether the target is newer than every dependency that exists, and at least one does."""
        done = self.get(target)
        if done is None:
            return False
        times = [time for key in dependencies if (time := self.get(key)) is not None]
        return bool(times) and all(done > time for time in times)

    @contextmanager
    def touch(self, key: str) -> Iterator[datetime]:
        """
        Give the time of the start, and write it into the tag if the block ends well.

        What changes while the block runs is newer than the tag, so nothing is taken for done that is not.
        """
        started = now_utc()
        yield started
        self.set(key, started)


def _decode(data: bytes) -> str | None:
    """
    The text of a tag, written as JSON or bare.

    Other programs may leave pickles: those are no text, and are never loaded.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else text
